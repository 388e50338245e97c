"""What makes a worker safe: its `safe()` on its last instance, under a deadline, and a true word about what would not end."""

from __future__ import annotations

from typing import Final

import attrs
import trio

from halloween_host.worker import Home, describe, place_of

__all__ = ["Safety", "call_safe", "make_safe"]

#: Seconds that cancelled tasks get for their `finally` blocks before `safe()` has the last word.
ABORT_S: Final = 0.03


@attrs.frozen
class Safety:
    """How one worker came through a panic: `took_ms` of its `safe()` (None without one), or why it is not safe."""

    took_ms: int | None = None
    unsafe: str | None = None


async def call_safe(home: Home, timeout_s: float, dialect: str) -> Safety:
    """Run `safe()`, shielded, `timeout_s` seconds at most."""
    began = trio.current_time()
    unsafe = None
    with trio.CancelScope(shield=True, deadline=began + timeout_s) as scope:
        try:
            await home.safe()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 the supervisor's border: safe() is the author's
            where = place_of(error)
            unsafe = f"safe() failed: {describe(error, dialect)}{f' ({where})' if where else ''}"
    if scope.cancelled_caught:
        unsafe = f"safe() took longer than {timeout_s:g} s"
    return Safety(round((trio.current_time() - began) * 1000), unsafe)


async def make_safe(home: Home, timeout_s: float, dialect: str) -> Safety:
    """After `home.abort()`: run `safe()` where there is one, then judge what did not heed its cancellation."""
    deadline = trio.current_time() + timeout_s
    with trio.move_on_after(ABORT_S):
        await home.wait_ended()
    safety = await call_safe(home, timeout_s, dialect) if home.has_safe else Safety()
    with trio.move_on_at(max(deadline, trio.current_time() + ABORT_S)):
        await home.wait_ended()
    if hung := home.running():
        named = [each if each.startswith("thread ") else f"hung in {each}" for each in hung]
        text = "; ".join(each.replace("thread in", "thread still in", 1) for each in named)
        return attrs.evolve(safety, unsafe="; ".join(filter(None, (safety.unsafe, text))))
    return safety
