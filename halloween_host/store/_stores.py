"""All stores of a host, over one database file, or in memory alone."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from halloween_host.store._cooldowns import Cooldowns
from halloween_host.store._journal import Journal, Listener
from halloween_host.store._moments import Moment
from halloween_host.store._store import Store

__all__ = ["DATABASE", "Stores"]

#: The file's name in STATE_DIR.
DATABASE: Final = "halloween.db"

#: The two spaces: the authors', and the host's own.
_STORE: Final = "store"
_COOLDOWN: Final = "cooldown"

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def boot_id() -> str:
    """Linux names each boot (random(4)); elsewhere nobody knows."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class Stores:
    """Made before any worker, `load`ed before each, `close`d at the end. Every call may come from any thread.

    Without a `file` all of it is in memory. `wall` returns Unix seconds, `ticks` seconds that go on over a restart of the host,
    as long as `boot` returns the same ("" when nobody knows). A `journal` that is given has a file and a listener of its own.
    """

    def __init__(
        self,
        file: Path | None = None,
        listener: Listener | None = None,
        *,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        boot: Callable[[], str] = boot_id,
        journal: Journal | None = None,
    ) -> None:
        self._journal = journal or Journal(file, listener or _Nobody())
        self._stores: dict[str, Store] = {}
        self._now = lambda: Moment(wall(), ticks(), boot())

    def of(self, prop_id: str) -> Store:
        """A worker's store, the same for all its instances."""
        store = self._stores.get(prop_id)
        if store is None:
            store = self._stores.setdefault(prop_id, Store(self._journal.shelf(_STORE, prop_id)))
        return store

    def cooldowns(self, prop_id: str) -> Cooldowns:
        """When a prop's cool-downs began."""
        return Cooldowns(self._journal.shelf(_COOLDOWN, prop_id), self._now)

    def load(self, prop_ids: Collection[str]) -> None:
        """Read what these props have stored; it waits for the disk. What stays unread, and why, the listener is told."""
        self._journal.load(prop_ids)

    def hurry(self) -> None:
        """Write at once what waits to be written; does not wait for it."""
        self._journal.hurry()

    def close(self, timeout_s: float) -> bool:
        """Write what waits to be written, for `timeout_s` at most, and no more after it; whether all of it is on the disk."""
        return self._journal.close(timeout_s)


class _Nobody:
    """Whom nothing need be told: what is in memory alone meets no trouble."""

    def failed(self, line: str) -> None: ...

    def recovered(self, line: str) -> None: ...

    def warned(self, line: str) -> None: ...

    def degraded(self, prop_ids: Iterable[str], reason: str | None) -> None: ...
