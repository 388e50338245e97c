"""What workers print, and what ends their threads, is in the log under their names."""

from __future__ import annotations

import contextlib
import logging
import logging.config
import sys
import threading

import pytest
import structlog
import trio
from structlog.contextvars import bound_contextvars

from halloween_host.logs import capture_prints, capture_strays
from halloween_host.logs._lines import MAX_TEXT_CHARS
from tests.logs.conftest import Rows, worker_module


async def test_a_print_of_a_task_lands_in_the_log(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    """Two workers' tasks print at once: each line has its worker, none reaches stdout."""

    async def worker(name: str) -> None:
        structlog.contextvars.bind_contextvars(worker=name)
        for turn in range(3):
            print("tick", turn, "of", name)  # noqa: T201 (what a worker does)
            await trio.lowlevel.checkpoint()

    with capture_prints():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker, "fogger")
            nursery.start_soon(worker, "coffin")
    assert {(row["worker"], row["event"]) for row in rows()} == {
        (name, f"tick {turn} of {name}") for name in ("fogger", "coffin") for turn in range(3)
    }
    assert {row["level"] for row in rows()} == {"info"}
    assert capsys.readouterr().out == ""


def test_a_print_of_a_thread_is_its_modules(rows: Rows) -> None:
    """A thread that a worker started has no context: its module names the worker."""
    code = (
        "import threading\ndef say(): print('from a thread')\n"
        "def go():\n t = threading.Thread(target=say)\n t.start()\n t.join()"
    )
    module = worker_module("props.fogger.backend.worker", code)
    with capture_prints():
        module.go()
    assert [(row["worker"], row["event"]) for row in rows()] == [("fogger", "from a thread")]


def test_a_print_at_import_is_its_modules(rows: Rows) -> None:
    """A module that prints while it is loaded is known by its name."""
    with capture_prints():
        worker_module("halloween_builtins.heartbeat", "print('loading')")
    assert [(row["worker"], row["event"]) for row in rows()] == [("heartbeat", "loading")]


def test_other_prints_pass(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no worker's goes to stdout and stderr unchanged, and the streams keep their attributes."""
    with capture_prints():
        print("the host's table")  # noqa: T201 (what the command line does)
        sys.stderr.write("the host's word\n")
        assert sys.stdout.encoding
        assert sys.stdout.isatty() is False
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("the host's table\n", "the host's word\n")
    assert rows() == []


def test_a_print_with_control_characters_is_escaped(rows: Rows) -> None:
    """A progress bar or a colour of a worker does not repaint the operator's terminal."""
    with capture_prints():
        worker_module("props.fogger.backend.worker", r"print('\x1b[2J\r50%\rend', '\u202e')")
    assert rows()[0]["event"] == r"\x1b[2J\r50%\rend \u202e"


def test_unfinished_prints_come_out_whole_or_at_the_end(rows: Rows) -> None:
    """Parts wait for their newline; what never had one is logged when the capture closes; blank lines are dropped."""
    with capture_prints():
        worker_module(
            "props.fogger.backend.worker", "print('.', end='', flush=True); print('.'); print(); print('rest', end='')"
        )
        assert [row["event"] for row in rows()] == [".."]
    assert [row["event"] for row in rows()] == ["..", "rest"]


def test_a_print_without_end_is_bounded(rows: Rows) -> None:
    """A worker that prints a megabyte without a newline keeps a bounded text in memory, and the mark says what came."""
    with capture_prints():
        worker_module("props.fogger.backend.worker", "for _ in range(1000): print('x' * 1000, end='')\nprint()")
    (row,) = rows()
    assert row["event"] == "x" * MAX_TEXT_CHARS
    assert row["cut_from_chars"] == 1_000_000


def test_stderr_of_a_worker_is_a_warning(rows: Rows) -> None:
    """`traceback.print_exc()` of a worker is in the log too, line by line."""
    code = "import traceback\ntry:\n raise ValueError('bad')\nexcept ValueError:\n traceback.print_exc()"
    with capture_prints():
        worker_module("props.fogger.backend.worker", code)
    assert [row["level"] for row in rows()] == ["warning"] * 3
    assert rows()[-1]["event"] == "ValueError: bad"


def test_a_handler_that_prints_does_not_turn_in_a_circle(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker's own logging handler on stdout gets its lines through once."""

    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("handled")  # noqa: T201 (what a worker does)

    log = logging.getLogger("props.fogger.backend.worker")
    log.addHandler(Printing())
    with capture_prints(), bound_contextvars(worker="fogger"):
        log.info("hello")
    log.handlers.clear()
    assert {row["event"] for row in rows()} == {"hello", "handled"}


def test_kept_streams_pass_after_the_capture(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever kept the stream writes to the real one afterwards; both streams are put back."""
    real = sys.stdout
    with capture_prints(), bound_contextvars(worker="fogger"):
        kept = sys.stdout
    with bound_contextvars(worker="fogger"):
        kept.write("late\n")
    assert sys.stdout is real
    assert capsys.readouterr().out == "late\n"
    assert rows() == []


# --- strays


def test_a_crashed_thread_of_a_worker_is_in_the_log(rows: Rows) -> None:
    """What ends a worker's own thread is an error line with worker and traceback; SystemExit is none."""
    code = (
        "import threading\ndef fail(): raise ValueError('relay')\ndef leave(): raise SystemExit(3)\n"
        "for target in (fail, leave):\n t = threading.Thread(target=target, name='relay-thread')\n t.start()\n t.join()"
    )
    with capture_strays():
        worker_module("props.fogger.backend.worker", code)
    (row,) = rows()
    assert (row["worker"], row["level"], row["thread"]) == ("fogger", "error", "relay-thread")
    assert row["exception"].endswith("ValueError: relay")


def test_an_exception_nobody_can_catch_is_in_the_log(rows: Rows) -> None:
    """An error in a worker's ``__del__`` is an error line of that worker; the hooks are put back."""
    hooks = threading.excepthook, sys.unraisablehook
    with capture_strays(), contextlib.suppress(NameError):
        worker_module("props.fogger.backend.worker", "class A:\n def __del__(self): raise ValueError('gone')\nA()")
    (row,) = rows()
    assert (row["worker"], row["level"]) == ("fogger", "error")
    assert row["exception"].endswith("ValueError: gone")
    assert (threading.excepthook, sys.unraisablehook) == hooks
