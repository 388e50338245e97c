"""Who holds the event loop is read off its thread's stack: a worker's line, else the task, and nobody while it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import trio

from halloween_host.guard._culprits import LINE_CHARS, Culprit, find_culprit, waits

SOURCE = """\
def inner(event):
    event.wait()  # stands here

def do_fire(event):
    through_a_library(inner, event)

def do_long(event):
    event.wait(), "LONG"
""".replace("LONG", "x" * 300)


def worker(folder: Path) -> dict[str, Any]:
    """The namespace of a worker's module, with its file on the disk."""
    file = folder / "worker.py"
    file.write_text(SOURCE)
    names: dict[str, Any] = {
        "__name__": "props.fogger.backend.worker",
        "through_a_library": lambda call, arg: call(arg),
    }
    exec(compile(SOURCE, str(file), "exec"), names)
    return names


@contextmanager
def standing(call: Callable[[threading.Event], object]) -> Iterator[Culprit | None]:
    """Who holds a thread that calls it with an event that never comes."""
    goes_on = threading.Event()
    thread = threading.Thread(target=call, args=(goes_on,))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        culprit = None
        while time.monotonic() < deadline:
            culprit = find_culprit(thread.ident or 0)
            if culprit is not None and ("wait" in culprit.line or culprit.prop_id is None):
                break
            time.sleep(0.005)
        yield culprit
    finally:
        goes_on.set()
        thread.join()


def test_a_workers_line(tmp_path: Path) -> None:
    """The innermost one of its own, below whatever library it called; the handler is the outermost."""
    with standing(worker(tmp_path)["do_fire"]) as culprit:
        assert culprit == Culprit("fogger", f"{tmp_path}/worker.py:2", "do_fire()", "event.wait()  # stands here")
        assert culprit.where == f"in do_fire() ({tmp_path}/worker.py:2): event.wait()  # stands here"
    with standing(worker(tmp_path)["do_long"]) as culprit:
        assert culprit is not None
        assert len(culprit.line) == LINE_CHARS


def test_nobody_in_particular() -> None:
    """Code that is no worker's is said to be so; a thread that is not there holds nothing."""
    with standing(lambda event: event.wait()) as culprit:
        assert culprit is not None
        assert culprit.prop_id is None
    assert find_culprit(0) is None


def test_the_task_of_code_that_is_no_workers() -> None:
    """A library's code may run as a worker's task with none of its frames: then the task tells whose it is."""
    seen: list[Culprit | None] = []

    async def library(loop: int) -> None:
        structlog.contextvars.bind_contextvars(worker="coffin")
        await trio.lowlevel.checkpoint()
        looker = threading.Thread(target=lambda: seen.append(find_culprit(loop)))
        looker.start()
        looker.join()  # the loop is blocked

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(library, threading.get_ident(), name="a library's task")

    trio.run(main)
    assert seen[0] is not None
    assert (seen[0].prop_id, seen[0].entry) == ("coffin", "task a library's task")


def test_a_loop_that_waits_is_idle() -> None:
    """Trio's wait for the system is told from a step of a task, also one that waits for the system itself."""

    async def main() -> None:
        loop = threading.get_ident()
        seen: list[bool] = []
        looker = threading.Thread(target=lambda: seen.append(waits(loop)))
        looker.start()
        looker.join()
        assert seen == [False]

        def look() -> bool:
            deadline = time.monotonic() + 20
            while not waits(loop) and time.monotonic() < deadline:
                time.sleep(0.001)
            return waits(loop)

        assert await trio.to_thread.run_sync(look)

    trio.run(main)
