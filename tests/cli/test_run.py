"""`run` ends as it was asked to: in good order at the first signal, at once at the second, in time in any case."""

from __future__ import annotations

import json
import resource
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.cli.terminal import Running, Terminal
from tests.mosquitto import Mosquitto, free_port

HEAD = """
import atexit, resource, threading, time
import trio
from halloween_host import BaseWorker
"""
CALM = f"""{HEAD}
class Worker(BaseWorker):
    async def start(self):
        await super().start()
        print("open files:", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
NEVER_STOPS = f"""{HEAD}
class Worker(BaseWorker):
    async def stop(self):
        print("stopping for ever")
        await trio.sleep_forever()
"""
BLOCKS = f"""{HEAD}
class Worker(BaseWorker):
    async def do_block(self):
        print("blocking")
        time.sleep(60)  # here
"""
LEAVES_A_THREAD = f"""{HEAD}
def spin():
    time.sleep(60)
atexit.register(lambda: open("pins_are_free", "w").close())
class Worker(BaseWorker):
    async def start(self):
        await super().start()
        threading.Thread(target=spin, name="pump").start()
"""
FORKS = f"""{HEAD}
import multiprocessing
def say_and_sleep(pipe):
    pipe.send("up")
    time.sleep(60)
class Worker(BaseWorker):
    def do_fork(self):
        while True:
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=say_and_sleep, args=(theirs,))
            child.start()
            if ours.poll(3):
                break
            child.kill()  # the fork of a process with threads may hang, in any Python program
        while child.exitcode is None:
            child.terminate()  # Python 3.13 sleeps on over a first one that comes just before it sleeps, in such a child
            child.join(0.5)
        print("child ended with", child.exitcode)
"""
FULL_OF_BUGS = f"""{LEAVES_A_THREAD}
import halloween_host.tree
async def broken(self):
    raise AssertionError("a bug of the host")
halloween_host.tree.tell_uptime = broken
"""


@asynccontextmanager
async def up(terminal: Terminal, source: str, **environ: str) -> AsyncIterator[Running]:
    """A host whose one worker is `fogger`, online."""
    terminal.write_worker("fogger", source)
    running = await terminal.start("run", "--builtins", "props", **environ)
    await running.wait_err("fogger           online")
    yield running


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_stops_in_good_order(wired: Terminal, broker: Mosquitto, signum: signal.Signals) -> None:
    """Status 0, a line that names the signal, and `offline` for worker and host on the broker."""
    async with up(wired, CALM) as running, broker.listen("halloween/+/status/availability") as listener:
        await listener.expect("halloween/fogger/status/availability online")
        running.send(signum)
        finished = await running.end(5)
        await listener.expect("halloween/fogger/status/availability offline")
        await listener.expect("halloween/worker_host/status/availability offline")
    assert (finished.status, finished.out) == (0, "")
    assert f"{signum.name}: stopping; a second one ends at once" in finished.err
    assert "Traceback" not in finished.err


async def test_the_second_signal_ends_at_once(wired: Terminal) -> None:
    """It does not wait for a `stop()` that takes its time: status 128 + the signal's number."""
    async with up(wired, NEVER_STOPS, WORKER_STOP_TIMEOUT_S="30") as running:
        running.send(signal.SIGTERM)
        await running.wait_err("stopping for ever")
        running.send(signal.SIGTERM)
        finished = await running.end(2)
    assert finished.status == 128 + signal.SIGTERM


async def test_a_worker_that_blocks_the_event_loop_does_not_hold_the_process(
    wired: Terminal, broker: Mosquitto
) -> None:
    """No deadline of Trio's can fire then; ours does: file and line are named, and it ends within the deadline + 2 s."""
    async with up(wired, BLOCKS, WORKER_STOP_TIMEOUT_S="0.5") as running:
        await broker.publish("halloween/fogger/cmd", "block")
        await running.wait_err("blocking")
        started = trio.current_time()
        running.send(signal.SIGTERM)
        finished = await running.end(4)
    assert finished.status == 1
    assert trio.current_time() - started < 2.5
    line = BLOCKS.splitlines().index("        time.sleep(60)  # here") + 1
    assert (
        f"fogger           blocks the host (props/fogger/backend/worker.py:{line}) and is left behind" in finished.err
    )


async def test_a_thread_that_lives_on_is_named_and_left_behind(wired: Terminal) -> None:
    """Status 0 all the same; exit functions, where libraries let go of their pins, run before the end."""
    async with up(wired, LEAVES_A_THREAD) as running:
        running.send(signal.SIGTERM)
        finished = await running.end(4)
    assert finished.status == 0
    line = LEAVES_A_THREAD.splitlines().index("    time.sleep(60)") + 1
    assert (
        f"fogger           thread 'pump' still runs in spin() (props/fogger/backend/worker.py:{line})" in finished.err
    )
    assert (wired.folder / "pins_are_free").exists()


async def test_a_forked_child_does_not_take_the_hosts_signals(wired: Terminal, broker: Mosquitto) -> None:
    """`Process.terminate()` ends a worker's child as it would anywhere."""
    available = "halloween/fogger/status/availability"
    async with up(wired, FORKS) as running, broker.listen(available) as listener:
        await listener.expect(f"{available} online")  # from now on it hears
        await broker.publish("halloween/fogger/cmd", "fork")
        await running.wait_err("child ended with -15")


async def test_a_bug_of_the_host_ends_the_process(wired: Terminal) -> None:
    """Status 1 and the traceback, also when a worker's thread lives on: half a host helps nobody."""
    wired.write_worker("fogger", FULL_OF_BUGS)
    finished = await (await wired.start("run")).end(15)
    assert finished.status == 1
    assert "AssertionError: a bug of the host" in finished.err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_while_workers_are_imported_is_quiet(wired: Terminal, signum: signal.Signals) -> None:
    """A blocking import is interrupted: status 128 + the signal's number, no traceback."""
    wired.write_worker("slow", "import time\nprint('importing')\ntime.sleep(60)\n")
    running = await wired.start("run")
    await running.wait_err("importing")
    running.send(signum)
    finished = await running.end(5)
    assert finished.status == 128 + signum
    assert "Traceback" not in finished.err


async def test_a_signal_while_the_broker_comes_up_is_quiet(terminal: Terminal) -> None:
    """The same while somebody who never answers holds the embedded broker's port."""
    terminal.write_worker("fogger", CALM)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        running = await terminal.start("run", "--broker", f"embedded:{silent.getsockname()[1]}")
        silent.settimeout(20)
        probe, _ = await trio.to_thread.run_sync(silent.accept)
        with probe:
            running.send(signal.SIGINT)
            finished = await running.end(5)
    assert finished.status == 130
    assert "Traceback" not in finished.err


async def test_a_port_held_by_no_broker_ends_with_status_1(terminal: Terminal) -> None:
    """One line that says what is there and how to choose another port."""
    terminal.write_worker("fogger", CALM)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        running = await terminal.start("run", "--broker", f"embedded:{port}")
        finished = await running.end(15)
    assert finished.status == 1
    last = finished.err.splitlines()[-1]
    assert f"error    -                the embedded broker cannot start: 127.0.0.1:{port} is held by" in last
    assert f"--broker embedded:{port + 1}" in last
    assert "Traceback" not in finished.err


async def test_the_option_wins_over_the_environment(terminal: Terminal, broker: Mosquitto) -> None:
    """`--broker` is where it connects, whatever MQTT_HOST and MQTT_PORT say."""
    terminal.environ["MQTT_PORT"] = str(free_port())
    terminal.write_worker("fogger", CALM)
    address = f"mqtt://127.0.0.1:{broker.port}"
    async with broker.listen("halloween/fogger/status/availability") as listener:
        running = await terminal.start("run", "--broker", address, MQTT_HOST="127.0.0.1")
        await listener.expect("halloween/fogger/status/availability online")
        running.send(signal.SIGTERM)
        await running.end(5)


async def test_workers_get_all_the_open_files_there_are(wired: Terminal) -> None:
    """The soft limit is raised to the hard one before anything is loaded; prints land in the log under the worker's name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # what the child inherits
    try:
        async with up(wired, CALM) as running:
            await running.wait_err(f"fogger           open files: {hard}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_json_logs_have_a_worker_in_every_line_that_is_a_workers(wired: Terminal) -> None:
    """With LOG_FORMAT=json every line on stderr is an object with level and event."""
    wired.write_worker("fogger", CALM)
    running = await wired.start("run", "--builtins", "props", LOG_FORMAT="json")
    await running.wait_err("open files")
    running.send(signal.SIGTERM)
    finished = await running.end(5)
    rows = [json.loads(line) for line in finished.err.splitlines()]
    assert all({"level", "event", "timestamp"} <= row.keys() for row in rows)
    assert any(row["event"].startswith("open files") and row["worker"] == "fogger" for row in rows)
