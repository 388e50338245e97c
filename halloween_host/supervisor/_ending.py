"""An instance ends in order: handlers, then `stop()` with the spawned tasks alive, then what is left; a crashed one is made safe first."""

from __future__ import annotations

from typing import Final

import trio

from halloween_host.reporter import Reporter
from halloween_host.supervisor._safety import call_safe
from halloween_host.terms import Terms
from halloween_host.worker import Home, describe

__all__ = ["CLOSE_GRACE_S", "end_instance"]

#: What is left after `stop()` and its deadline gets this long to end before it is named and left behind.
CLOSE_GRACE_S: Final = 0.5


async def end_instance(
    prop_id: str, dialect: str, home: Home, terms: Terms, reporter: Reporter, *, crashed: bool, stopped_itself: bool
) -> list[str]:
    """End it, all under one deadline, and name what would not end."""
    timeout_s = terms.stop_timeout_s
    deadline = trio.current_time() + timeout_s
    # A handler that refuses to end must not take stop()'s time; one that called stop() itself goes on.
    share_s = timeout_s if stopped_itself else timeout_s / 5
    with trio.move_on_after(share_s):
        await home.cancel_handlers()
    if crashed:
        with trio.move_on_after(share_s):
            await home.cancel_spawned()
        if home.has_safe:
            await trio.lowlevel.checkpoint_if_cancelled()  # by a panic, which runs safe() itself
            safety = await call_safe(home, terms.safe_timeout_s, dialect)
            deadline += (safety.took_ms or 0) / 1000
            if safety.unsafe:
                reporter.error(prop_id, f"not safe after its crash: {safety.unsafe}")
    if home.constructed and not stopped_itself:
        await _call_stop(prop_id, dialect, home, terms, reporter, deadline)
    with trio.move_on_after(CLOSE_GRACE_S):
        await home.close()
    left_behind = home.running()
    if left_behind:
        reporter.error(prop_id, f"refuses to end, left behind: {'; '.join(left_behind)}")
    return left_behind


async def _call_stop(prop_id: str, dialect: str, home: Home, terms: Terms, reporter: Reporter, deadline: float) -> None:
    try:
        with trio.CancelScope(deadline=deadline) as scope:
            await home.stop()
    except Exception as error:  # noqa: BLE001 the supervisor's border: stop() is the author's
        reporter.error(prop_id, f"stop(): {describe(error, dialect)}", error)
    except trio.Cancelled:
        raise
    except BaseException as error:  # noqa: BLE001 likewise, SystemExit and KeyboardInterrupt
        reporter.error(prop_id, f"stop(): {describe(error, dialect)}", error)
    if scope.cancelled_caught:
        reporter.error(prop_id, f"stop() has not returned in {terms.stop_timeout_s:g} s and was cancelled")
