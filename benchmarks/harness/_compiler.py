"""C programs are compiled at first use, and again when their source changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parents[1] / "c"


def compiled(name: str, *, into: Path) -> Path:
    """The program of `NAME.c` in the folder `into`.

    Raises:
        RuntimeError: when there is no C compiler, or it refuses the source.
    """
    source, program = SOURCES / f"{name}.c", into / name
    newest = max(path.stat().st_mtime for path in (source, *SOURCES.glob("*.h")))
    if program.exists() and program.stat().st_mtime >= newest:
        return program
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise RuntimeError("no C compiler: apt-get install gcc libc6-dev (or xcode-select --install)")
    into.mkdir(parents=True, exist_ok=True)
    draft = program.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-o", draft, source], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{source.name} does not compile:\n{done.stderr}")
    draft.rename(program)
    return program
