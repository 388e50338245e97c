"""Stores over a real file, and a disk of their own that is full or read-only at a word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halloween_host.store import DATABASE, Stores
from tests.store.disk import Disk, NoDisk
from tests.store.listener import Heard

__all__ = ["Disk", "Open", "disk", "disk_kib", "file", "heard", "impatient", "open_stores"]

Open = Callable[..., Stores]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / DATABASE


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try comes soon."""
    monkeypatch.setattr("halloween_host.store._journal.RETRY_S", 0.02)
    monkeypatch.setattr("halloween_host.store._journal.RETRY_MOST_S", 0.1)
    monkeypatch.setattr("halloween_host.store._database.BUSY_S", 0.05)


@pytest.fixture
def open_stores(file: Path, heard: Heard) -> Iterator[Open]:
    """Stores over the file, as a host that starts has them; all are closed at the end."""
    made: list[Stores] = []

    def open_(*prop_ids: str, at: Path = file) -> Stores:
        stores = Stores(at, heard)
        made.append(stores)
        stores.load(prop_ids or ("coffin", "fogger"))
        return stores

    yield open_
    for stores in made:
        stores.close(5)


@pytest.fixture
def disk_kib() -> int:
    """The size of `disk`; a test may give it another."""
    return 256


@pytest.fixture
def disk(tmp_path: Path, disk_kib: int) -> Iterator[Disk]:
    """A small disk; where none may be mounted, the test is skipped and says so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        made = Disk.mount(folder, kib=disk_kib)
    except NoDisk as error:
        pytest.skip(str(error))
    yield made
    made.unmount()
