"""`check` loads what `run` would load and says what is wrong, where; `list` shows who is there."""

from __future__ import annotations

import os
import signal

import trio

from tests.cli.terminal import Terminal

GOOD = """
import halloween_host
print("on stdout at import")
class Worker(halloween_host.BaseWorker):
    async def do_ping(self, arg: str | None): ...
    async def do_fire(self, ms: int): ...
"""
TYPED = """
import attrs
from halloween_host import BaseWorker
@attrs.frozen
class Config:
    duration_ms: int = 500
class Worker(BaseWorker[Config]): ...
"""


async def test_check_is_content_with_workers_that_load(terminal: Terminal) -> None:
    """Each worker gets an OK line with its file; status 0; what it prints at import lands in the log, not in the result."""
    terminal.write_worker("fogger", GOOD, config="duration: 3\n")
    finished = await terminal.run("check", "--builtins", "props")
    assert finished.status == 0, finished.err
    assert finished.out.splitlines() == [
        "OK fogger: native, props/fogger/backend/worker.py, props/fogger/backend/config.yaml",
        "1 worker OK, 0 problems, 0 warnings",
    ]
    assert "fogger" in finished.err
    assert "on stdout at import" in finished.err


async def test_check_lists_every_problem_with_file_and_line(terminal: Terminal) -> None:
    """Broken files and configs are a line each, `file:line: text`, all of them at once, with status 1."""
    terminal.write_worker("fogger", GOOD)
    terminal.write_worker("broken", "import halloween_host\nclass Worker(\n")
    terminal.write_worker("typed", TYPED, config="# two mistakes\nduration_m: 3\nduration_ms: soon\n")
    terminal.write_worker("odd", GOOD, config="a: [1,\n")
    finished = await terminal.run("check", "--builtins", "props", WORKER_PROPS_DISABLE="nobody")
    assert finished.status == 1, finished.err
    lines = finished.out.splitlines()
    assert any(line.startswith("props/broken/backend/worker.py:2:") and "SyntaxError" in line for line in lines)
    assert any(line.startswith("props/typed/backend/config.yaml:2:") and "'duration_ms'" in line for line in lines)
    assert any(line.startswith("props/typed/backend/config.yaml:3:") and "$.duration_ms" in line for line in lines)
    assert any(line.startswith("warning: ") and "odd/backend/config.yaml" in line for line in lines)
    assert any(line.startswith("warning: ") and "WORKER_PROPS_DISABLE" in line for line in lines)
    assert lines[-1] == "2 workers OK, 3 problems, 2 warnings"
    assert "Traceback" not in finished.out


async def test_a_missing_default_folder_is_a_warning(terminal: Terminal) -> None:
    """Started in an empty folder, the built-ins that came along still load, and a warning says what is missing."""
    finished = await terminal.run("check")
    assert finished.status == 0
    assert "OK heartbeat: native" in finished.out
    assert "warning: there is no props folder" in finished.out


async def test_a_builtin_of_the_current_folder_replaces_one_that_came_along(terminal: Terminal) -> None:
    """`./builtins` wins over the shipped folder, file by file."""
    (terminal.folder / "props").mkdir()
    (terminal.folder / "builtins").mkdir()
    (terminal.folder / "builtins" / "heartbeat.py").write_text(GOOD)
    finished = await terminal.run("check")
    assert "OK heartbeat: native, builtins/heartbeat.py" in finished.out


async def test_toggles_hold_for_check(terminal: Terminal) -> None:
    """What the environment turns off is skipped, and the line names the variable."""
    terminal.write_worker("fogger", GOOD)
    finished = await terminal.run("check", WORKER_PROPS_DISABLE="fogger", WORKER_DISABLE_ALL_BUILTINS="1")
    assert finished.status == 0
    assert "skipped fogger: in WORKER_PROPS_DISABLE" in finished.out


async def test_ctrl_c_in_a_long_import_is_quiet(terminal: Terminal) -> None:
    """Status 130 and no traceback, however long the import would still take."""
    terminal.write_worker("slow", "import time\nprint('importing')\ntime.sleep(60)\n")
    running = await terminal.start("check")
    await running.wait_err("importing")
    running.send(signal.SIGINT)
    finished = await running.end(10)
    assert finished.status == 130
    assert "Traceback" not in finished.err


async def test_a_thread_of_an_import_does_not_hold_check(terminal: Terminal) -> None:
    """A thread that no one ends is named, and the status is the check's."""
    source = f"import threading, time\nthreading.Thread(target=time.sleep, args=(60,), name='pump').start()\n{GOOD}"
    terminal.write_worker("fogger", source)
    running = await terminal.start("check")
    finished = await running.end(15)
    assert finished.status == 0
    assert "1 worker OK" in finished.out or "2 workers OK" in finished.out
    assert "'pump'" in finished.err


async def test_piped_list_is_tab_separated(terminal: Terminal) -> None:
    """A line for each worker with prop, dialect, commands, config and source; the broken ones below."""
    terminal.write_worker("fogger", GOOD, config="duration: 3\n")
    terminal.write_worker("broken", "no python\n")
    finished = await terminal.run("list", "--builtins", "props")
    assert finished.status == 0
    first, second = finished.out.splitlines()
    backend = "props/fogger/backend"
    assert first.split("\t") == ["fogger", "native", "fire ping", f"{backend}/config.yaml", f"{backend}/worker.py"]
    assert second.startswith("does not load: props/broken/backend/worker.py:1:")


async def test_list_draws_a_table_on_a_terminal(terminal: Terminal) -> None:
    """On a terminal there are heads, a frame and colours."""
    terminal.write_worker("fogger", GOOD)
    master, slave = os.openpty()
    try:
        running = await terminal.start_on(slave, "list", TERM="xterm-256color", COLUMNS="120")
        finished = await running.end()
        assert finished.status == 0, finished.err
        shown = (await trio.to_thread.run_sync(os.read, master, 65_536)).decode()
    finally:
        os.close(master)
        os.close(slave)
    for text in ("prop", "dialect", "commands", "fogger", "fire ping", "\x1b["):
        assert text in shown


async def test_an_asyncio_worker_is_checked_and_leaves_nothing_open(terminal: Terminal) -> None:
    """It loads inside the loop that it would run on; that loop is closed, as Python's development mode confirms."""
    source = """
import asyncio
from worker_host.base import BaseWorker
loop = asyncio.get_event_loop()
class Worker(BaseWorker):
    async def do_ping(self, arg): ...
"""
    terminal.write_worker("fogger", source)
    finished = await terminal.run("list", "--builtins", "props", PYTHONDEVMODE="1")
    assert finished.out.split("\t")[:3] == ["fogger", "legacy", "ping"], finished.err
    assert "ResourceWarning" not in finished.err
