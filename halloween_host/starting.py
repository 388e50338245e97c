"""All workers start a few at a time: what a thousand need for their start alone, they need one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import trio

__all__ = ["start_all"]

#: Workers that start before the broker is read, and others are served, again.
AT_ONCE: Final = 25


class Startable(Protocol):
    """A worker to be run."""

    prop_id: str

    async def run(self, latched: str | None = None) -> None: ...


async def start_all(workers: Iterable[Startable], nursery: trio.Nursery, latched: str | None) -> None:
    """Run all of them in `nursery`, also when this is cancelled; `latched` is the reason of a panic that stands."""
    waiting = iter(tuple(workers))  # one more may be hired meanwhile
    try:
        for number, worker in enumerate(waiting, 1):
            nursery.start_soon(worker.run, latched, name=worker.prop_id)
            if number % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
    finally:
        for worker in waiting:  # asked to stop by now: they say so
            nursery.start_soon(worker.run, latched, name=worker.prop_id)
