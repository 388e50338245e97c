"""The stores of a show: in memory, without a thread; one that is given a `state` begins with what is there, and leaves it there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from halloween_host.errors import StageError, did_you_mean
from halloween_host.store import DATABASE, Stores
from halloween_host.testing._seed import stage_wall

__all__ = ["stage_stores"]


@contextmanager
def stage_stores(
    state: Path | None, given: Mapping[str, Mapping[str, Any]], prop_ids: Collection[str]
) -> Iterator[Stores]:
    """Open it inside Trio. `given` stands over what `state` holds.

    Raises:
        StageError: when `given` names a prop that is not on the stage.
        StoreError: when a value of it is not JSON.
    """
    clock = trio.lowlevel.current_clock()
    # Trio's clock goes on over the shows of one rehearsal, as a machine's does over the runs of a host.
    stores = Stores(wall=stage_wall(), ticks=clock.current_time, boot=lambda: f"stage {id(clock)}")
    if state is not None:
        stores.load_from(state / DATABASE, prop_ids)
    for prop_id, values in given.items():
        if prop_id not in prop_ids:
            raise StageError(f"a store for {prop_id}, which is not on the stage{did_you_mean(prop_id, prop_ids)}")
        stores.of(prop_id).update(values)
    yield stores
    if state is not None:
        stores.save_to(state / DATABASE)
