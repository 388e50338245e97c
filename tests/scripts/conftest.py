"""`sandbox` runs a script of ours where only the programs exist that the test put there (and plain POSIX ones)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POSIX = (
    "cat", "cksum", "cut", "dirname", "env", "id", "ln", "mkdir", "mktemp", "readlink", "rm", "sed", "sh", "sleep", "tail",
    "touch", "tr", "uname",
)  # fmt: skip


class Sandbox:
    """A copy of the launcher and the scripts in a folder with a space in its name; stand-ins write to `calls`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "my haunt"
        self.bin = folder / "bin"
        self._calls = folder / "calls"
        self.root.mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "just", self.root)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        (self.root / "requirements").mkdir()
        (self.root / "requirements" / "tools.txt").write_text("rust-just==1\n")
        for name in POSIX:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)

    def program(self, name: str, script: str) -> Path:
        """Put a stand-in on PATH; it notes its name and arguments in `calls` before it runs `script`."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self._calls}"\n{script}\n')
        path.chmod(0o755)
        return path

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def start(self, command: Sequence[str | Path], cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=cwd or self.root,
            env={"PATH": str(self.bin)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str | Path, cwd: Path | None = None) -> tuple[int, str, str]:
        """Status, stdout and stderr of a command."""
        with self.start(command, cwd) as process:
            output, errors = process.communicate(timeout=30)
        return process.returncode, output, errors


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An empty machine with the launcher in `root`."""
    return Sandbox(tmp_path)
