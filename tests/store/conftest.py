"""Stores over a real file, and a disk of their own that is full or read-only at a word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halloween_host.store import DATABASE, Stores
from tests.store.disk import Disk, NoDisk
from tests.store.listener import Heard

__all__ = ["Disk", "Open", "disk", "file", "heard", "open_stores"]

Open = Callable[..., Stores]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / DATABASE


@pytest.fixture
def heard() -> Heard:
    return Heard()


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
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk; where none may be mounted, the test is skipped and says so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        made = Disk.mount(folder)
    except NoDisk as error:
        pytest.skip(str(error))
    yield made
    made.unmount()
