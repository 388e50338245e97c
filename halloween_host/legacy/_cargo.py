"""A legacy module is imported inside the loop that its worker will run on: that loop is the cargo of the import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from halloween_host.legacy._loop import GuestLoop
from halloween_host.worker import THREADS

__all__ = ["discard", "loading"]


@contextmanager
def loading() -> Iterator[GuestLoop]:
    """Around the import of a legacy module: its module-level `asyncio.get_event_loop()` is its worker's loop.

    The loop serves the first instance; each later one gets a new loop.
    """
    loop = GuestLoop(threads=THREADS)
    try:
        with loop.inside():
            yield loop
    except BaseException:
        loop.discard()
        raise


def discard(cargo: object) -> None:
    """Let go of what `loading` yielded when no worker comes of it."""
    if isinstance(cargo, GuestLoop):
        cargo.discard()
