"""Stores over a real file, and a disk of their own that is full or read-only at a word."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halloween_host.store import DATABASE, Stores
from tests.store.listener import Heard

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


class Disk:
    """A file system in memory of 256 KiB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Not one byte is free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for piece in (4096, 1):
                try:
                    while True:
                        ballast.write(b"x" * piece)
                except OSError:
                    continue

    def empty(self) -> None:
        self._ballast.unlink()

    def allow(self, how: str) -> None:
        """`ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk; where none may be mounted, the test is skipped and says so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "halloween-test", str(folder)]
    try:
        tried = subprocess.run(mount, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount(8) here")
    if tried.returncode:
        pytest.skip(f"a small disk needs a root that may mount: {tried.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
