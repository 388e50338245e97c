"""A machine that has no CPU for a process: it shares one with others that never rest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["crowded", "linux_counts"]

#: Ends with its parent, whatever became of that.
_HOG: Final = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(10_000):
        pass
"""


def linux_counts() -> bool:
    """Whether the kernel tells how long a thread waited for a CPU."""
    figures = Path("/proc/self/schedstat")
    return figures.exists() and figures.read_text().split() != ["0", "0", "0"]


@contextmanager
def crowded(pid: int, hogs: int) -> Iterator[None]:
    """Meanwhile all threads of the process `pid` have one CPU, and so many hogs are on it too. On Linux."""
    cpu = {min(os.sched_getaffinity(pid))}
    started = []
    try:
        for _ in range(hogs):
            hog = subprocess.Popen([sys.executable, "-c", _HOG], start_new_session=True)  # or all count as one
            started.append(hog)
            os.sched_setaffinity(hog.pid, cpu)
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cpu)
        yield
    finally:
        for hog in started:
            hog.kill()
            hog.wait()
