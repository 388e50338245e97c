"""What a thread had of the CPU, and how long it could have run and had none: on a machine under water that blocks nobody.

Linux counts both for each thread, in nanoseconds (its Documentation/scheduler/sched-stats.rst). Elsewhere, and of a kernel
that was built without, nothing is known: as if every thread ran at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import attrs

__all__ = ["CpuAccount", "Spent"]

_TASK: Final = "/proc/self/task"
_BYTES: Final = 256


@attrs.frozen
class Spent:
    """Seconds of a thread so far, and how often it was given a CPU. A wait for one is in `waited_s` once it is over."""

    ran_s: float = 0.0
    waited_s: float = 0.0
    turns: int = 0


class CpuAccount:
    """Of one thread of this process. Its file is kept open, for a process that has no descriptor left."""

    def __init__(self, thread: int) -> None:
        """`thread` is its `native_id`, and it has run."""
        self._folder = f"{_TASK}/{thread}"
        try:
            self._descriptor = os.open(f"{self._folder}/schedstat", os.O_RDONLY)
        except OSError:
            self._descriptor = -1
        if self.spent() == Spent():  # a kernel that does not count
            self.close()

    @property
    def known(self) -> bool:
        """Whether anything is."""
        return self._descriptor >= 0

    def close(self) -> None:
        if self.known:
            os.close(self._descriptor)
        self._descriptor = -1

    def spent(self) -> Spent:
        if not self.known:
            return Spent()
        ran_ns, waited_ns, turns = os.pread(self._descriptor, _BYTES, 0).split()
        return Spent(int(ran_ns) / 1e9, int(waited_ns) / 1e9, int(turns))

    def runnable(self) -> bool:
        """Whether it runs now, or waits for a CPU to run on. False where that is not known."""
        try:
            state = Path(f"{self._folder}/stat").read_bytes()
        except OSError:
            return False
        return self.known and state.rpartition(b")")[2].split()[0] == b"R"
