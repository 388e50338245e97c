"""One seed, one order of events: Trio's scheduler, `random` and `uuid.uuid4` go by it; and it is always Halloween."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import trio

from halloween_host.testing._hooks import deterministic_scheduler

__all__ = ["EPOCH", "seeded", "stage_wall"]

#: Unix seconds at which every rehearsal begins: 31 October 2026, 18:00 UTC.
EPOCH: Final = datetime(2026, 10, 31, 18, tzinfo=UTC).timestamp()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """While open, Trio's scheduler, the `random` module and `uuid.uuid4` depend on `seed` alone; then all is put back.

    Not covered: `secrets`, `os.urandom`, generators of a worker's own, and the order of a set of strings, which Python
    draws anew for each process (`PYTHONHASHSEED`).
    """
    state, uuid4 = random.getstate(), uuid.uuid4
    ids = random.Random(f"uuid4 {seed}")  # of its own: how many ids were drawn changes nothing else

    def seeded_uuid4() -> uuid.UUID:
        return uuid.UUID(int=ids.getrandbits(128), version=4)

    with deterministic_scheduler(seed):
        random.seed(seed)
        uuid.uuid4 = seeded_uuid4
        try:
            yield
        finally:
            uuid.uuid4 = uuid4
            random.setstate(state)


def stage_wall() -> Callable[[], float]:
    """A wall clock in Unix seconds: `EPOCH` now, and as many seconds later as Trio's clock says; for any thread.

    Call it inside `trio.run`.
    """
    clock = trio.lowlevel.current_clock()
    start = clock.current_time()
    return lambda: EPOCH + (clock.current_time() - start)
