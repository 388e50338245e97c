"""A disk of a test's own: a file system in memory that is full or read-only at a word."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["Disk", "NoDisk"]


class NoDisk(Exception):
    """No file system may be mounted here; the text is why."""


class Disk:
    """A small file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @classmethod
    def mount(cls, folder: Path, *, kib: int = 256) -> Disk:
        """Mount one of `kib` KiB on the empty `folder`; `unmount` must follow.

        Raises:
            NoDisk: when that is not allowed, or there is no mount(8).
        """
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "halloween-test", str(folder)]
        try:
            tried = subprocess.run(mount, check=False, capture_output=True, text=True)
        except FileNotFoundError:
            raise NoDisk("there is no mount(8) here") from None
        if tried.returncode:
            raise NoDisk(f"a small disk needs a root that may mount: {tried.stderr.strip()}")
        return cls(folder)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)

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
