"""A worker that blocks the event loop for virtual seconds, and a watchdog that names it meanwhile.

Real: the block (nobody else gets a turn, and all timers fall due at once), the stack of who blocks and what is read off it, the
words about it, after how long by the settings, and what the worker's health says, meanwhile and afterwards. Played: the
watchdog's thread, which here looks at its virtual moment; the guard's connection, which here is a stranger's; and the end of the
process with status 70, which here is SIGKILL's. The rows about blocking have the real ones, in real time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

import trio

from halloween_host import topics
from halloween_host.blocks import Blocks
from halloween_host.guard import Culprit, Reach
from halloween_host.guard._culprits import find_culprit
from halloween_host.reporter import encode_line
from halloween_host.settings import Settings
from halloween_host.testing import Show

__all__ = ["NightWatchdog", "as_author", "blocked_in"]

_SOURCE: Final = """
def do_block(stand_still):
    stand_still()
"""


def blocked_in(prop_id: str) -> str:
    """Where a prop of the night blocks, as the watchdog should say it."""
    return f"in do_block() (props/{prop_id}/backend/worker.py:3)"


@cache
def as_author(prop_id: str) -> Callable[[Callable[[], None]], None]:
    """A function of this prop's `worker.py` that calls what it is given: who blocks is found by his file."""
    names: dict[str, Any] = {"__name__": f"props.{prop_id}.backend.worker"}
    exec(compile(_SOURCE, f"props/{prop_id}/backend/worker.py", "exec"), names)
    function: Callable[[Callable[[], None]], None] = names["do_block"]
    return function


class NightWatchdog:
    """That of one host."""

    def __init__(self, show: Show, settings: Settings) -> None:
        self.exit_s = settings.watchdog_exit_s
        self._show = show
        self._name_s = settings.watchdog_s
        tree = show._tree
        self._blocks = Blocks(tree.supervisors, tree._reporter, lambda: self._culprit)
        self._culprit: Culprit | None = None

    def stand_still(self, prop_id: str, seconds: float) -> None:
        """Block for `seconds`, `exit_s` at most. Called in the worker's own step."""
        began, self._culprit = trio.current_time(), None
        if seconds > self._name_s:
            self._show.broker.later(self._name_s, self._name)
        self._show.broker.block(min(seconds, self.exit_s))
        if seconds < self.exit_s:
            self._blocks.ended(prop_id, trio.current_time() - began)
            if self._culprit is not None:
                self._show.broker.later(0, partial(self._blocks.acquit, prop_id))

    def _name(self) -> None:
        """The broker is there: it brought the command."""
        self._culprit = culprit = find_culprit(threading.get_ident())
        assert culprit is not None  # we stand in it
        prop_id, reach, broker = culprit.prop_id or topics.HOST, Reach(), self._show.broker
        broker.publish(topics.error(prop_id), encode_line(reach.charge(culprit)))
        health = self._blocks.accuse(prop_id, reach.reason(culprit))
        if health is not None:
            broker.publish(topics.health(prop_id), health, retain=True)
