"""The stores of a show: in memory; one that is given a `state` reads what is there, and writes it there as the host does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from halloween_host.errors import StageError, did_you_mean
from halloween_host.store import DATABASE, Listener, Stores
from halloween_host.testing._seed import stage_wall
from halloween_host.testing._stage_journal import StageJournal

__all__ = ["stage_stores"]


@contextmanager
def stage_stores(
    state: Path | None,
    given: Mapping[str, Mapping[str, Any]],
    prop_ids: Collection[str],
    listener: Listener,
    later: Callable[[float, Callable[[], None]], None],
) -> Iterator[Stores]:
    """Open it inside Trio. `given` stands over what `state` holds; `later`: see `StageJournal`.

    What an exception ends is a host that was killed: what was not on the disk by then is lost.

    Raises:
        StageError: when `given` names a prop that is not on the stage.
        StoreError: when a value of it is not JSON.
    """
    clock = trio.lowlevel.current_clock()
    journal = StageJournal(None if state is None else state / DATABASE, listener, later)
    # Trio's clock goes on over the shows of one rehearsal, as a machine's does over the runs of a host.
    stores = Stores(
        wall=stage_wall(),
        ticks=clock.current_time,
        boot=lambda: f"stage {id(clock)}",
        journal=journal,
    )
    try:
        stores.load(prop_ids)
        for prop_id, values in given.items():
            if prop_id not in prop_ids:
                raise StageError(f"a store for {prop_id}, which is not on the stage{did_you_mean(prop_id, prop_ids)}")
            stores.of(prop_id).update(values)
        yield stores
    except BaseException:
        journal.kill()
        raise
    stores.close(0)
