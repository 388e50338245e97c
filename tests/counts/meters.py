"""Meters count what costs time on every machine: system calls, wake-ups, task steps, calls of functions, memory blocks.

Each is divided by the messages (or commands) that it was for; a bound stands beside its reason in the test that has it. Bounds of
calls, of steps alone and of memory blocks are the most that three runs on each of Python 3.11 to 3.13 took, and a twentieth; what
depends on how many pieces the other end's bytes come in may be twice that.
"""

from __future__ import annotations

import contextlib
import gc
import select
import sys
from _socket import socket as CSocket  # noqa: N812 that of C, which the one of `socket` inherits from
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import attrs
import trio

__all__ = ["Cost", "blocks", "counting", "say", "wake_ups"]

#: Whose methods in C are one system call each time, or none.
_SYSTEM: Final = (CSocket, *(getattr(select, name) for name in ("epoll", "kqueue") if hasattr(select, name)))
_NO_CALL: Final = frozenset(["fileno", "gettimeout"])


class _Meter(trio.abc.Instrument):
    def __init__(self) -> None:
        self.steps = 0
        self.sleeps = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1

    def before_io_wait(self, timeout: float) -> None:
        self.sleeps += timeout > 0


@attrs.define
class Cost:
    """What the loop's thread did. `calls` are those of Python functions and C functions alike, system calls among them."""

    calls: int = 0
    system: Counter[str] = attrs.Factory(Counter)
    steps: int = 0
    #: How often it had nothing to do and went to sleep.
    sleeps: int = 0

    def per(self, messages: int) -> dict[str, float]:
        """Each figure for one message."""
        whole = {"calls": self.calls, "system": self.system.total(), "steps": self.steps, "sleeps": self.sleeps}
        return {name: round(count / messages, 4) for name, count in whole.items()}

    def check(self, messages: int, **most: float) -> None:
        """Each figure named is at most so much a message; all are printed, with the system calls one by one.

        Raises:
            AssertionError: when one is more.
        """
        each = self.per(messages)
        story = f"for {messages:,} messages, a message: {each}; system calls: {dict(self.system.most_common())}"
        say(story)
        rises = [f"{name} {each[name]:g}, at most {bound:g}" for name, bound in most.items() if each[name] > bound]
        assert not rises, f"{', '.join(rises)} ({story})"


def say(figures: str) -> None:
    """For whoever wants to see them (`pytest -s tests/counts`), and for a failed test's report."""
    sys.stdout.write(f"\n{figures}\n")


@contextmanager
def counting(*, calls: bool = True) -> Iterator[Cost]:
    """Count all that happens in this thread's Trio, until the block ends; what stands in the block itself is counted too.

    With `calls` every call is told to a profiler, which makes it several times slower and changes no count.
    """
    cost, meter = Cost(), _Meter()

    def told(_frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            cost.calls += 1
        elif event == "c_call":
            cost.calls += 1
            if isinstance(called.__self__, _SYSTEM) and called.__name__ not in _NO_CALL:
                cost.system[called.__name__] += 1

    trio.lowlevel.add_instrument(meter)
    before = sys.getprofile()
    if calls:
        sys.setprofile(told)
    try:
        yield cost
    finally:
        sys.setprofile(before)
        trio.lowlevel.remove_instrument(meter)
        cost.steps, cost.sleeps = meter.steps, meter.sleeps


@contextmanager
def blocks() -> Iterator[Callable[[], int]]:
    """The memory blocks that Python holds beyond those of the block's begin, when called; nothing is collected meanwhile."""
    gc.collect()
    gc.disable()
    before = sys.getallocatedblocks()
    try:
        yield lambda: sys.getallocatedblocks() - before
    finally:
        gc.enable()


def wake_ups(pid: int) -> dict[int, int]:
    """How often each thread of a process gave the processor away to wait for something, since it began (proc(5)).

    Raises:
        FileNotFoundError: where there is no /proc.
    """
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended between two looks
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    found[int(task.name)] = int(line.split()[1])
    return found
