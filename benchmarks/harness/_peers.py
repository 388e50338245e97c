"""What the benchmarks build at first use lies in .bench, the peers' interpreter among it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.harness._bench import ROOT

BUILD: Final = ROOT / ".bench"
#: Programs in C.
PROGRAMS: Final = BUILD / "c"


def peers() -> Path:
    """The interpreter that has the peers, installed when it is not there yet or the lock file has changed."""
    subprocess.run([ROOT / "scripts" / "setup-peers", sys.executable], check=True)
    return BUILD / "peers" / "bin" / "python"
