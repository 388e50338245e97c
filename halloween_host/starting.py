"""All workers start a few at a time: what a thousand need for their start alone, they need one after another.

What many say at once, and the broker has not yet, would take its memory between what stays, which no page is free of afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import trio

__all__ = ["start_all"]

#: Workers that start before the broker is read, and others are served, again.
AT_ONCE: Final = 25
#: Messages on their way beyond which the next few workers wait, and seconds between two looks at that.
OWED: Final = 100
LOOK_S: Final = 0.002
#: Seconds that they wait at most, all together: the broker may be slow, or away.
PATIENCE_S: Final = 0.5


class Startable(Protocol):
    """A worker to be run."""

    prop_id: str

    async def run(self, latched: str | None = None) -> None: ...


class Debtor(Protocol):
    """Says things to the broker."""

    @property
    def owed(self) -> int:
        """Messages that wait, or that the broker has not acknowledged."""


async def start_all(workers: Iterable[Startable], nursery: trio.Nursery, latched: str | None, debtor: Debtor) -> None:
    """Run all of them in `nursery`, also when this is cancelled.

    `latched` is the reason of a panic that stands: then nobody waits for what is owed to `debtor`.
    """
    until = trio.current_time() + (PATIENCE_S if latched is None else 0.0)
    waiting = iter(tuple(workers))  # one more may be hired meanwhile
    try:
        for number, worker in enumerate(waiting, 1):
            nursery.start_soon(worker.run, latched, name=worker.prop_id)
            if number % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
                await _settle(debtor, until)
    finally:
        for worker in waiting:  # asked to stop by now: they say so
            nursery.start_soon(worker.run, latched, name=worker.prop_id)


async def _settle(debtor: Debtor, until: float) -> None:
    while debtor.owed > OWED and trio.current_time() < until:  # noqa: ASYNC110 (answers by the thousand set no event each)
        await trio.sleep(LOOK_S)
