"""A worker that reaches for the real world gets an error with worker, place, purpose and replacement; all others may reach."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import pytest
import structlog
import trio

from halloween_host.errors import StageError
from halloween_host.legacy._loop import open_loop
from halloween_host.testing._network import no_network
from halloween_host.testing._time import rehearsal, virtual_time

#: Nobody answers here (RFC 5737): if the border leaked, the test would fail, not reach anybody.
NOWHERE = ("192.0.2.1", 9)


class Coffin:
    """As an author writes it."""

    def connect(self) -> None:
        with socket.socket() as sock:
            sock.connect(NOWHERE)

    def listen(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))

    def send(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.sendto(b"boo", NOWHERE)

    def send_message(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.sendmsg([b"boo"], [], 0, NOWHERE)

    def look_up(self) -> None:
        socket.getaddrinfo("weather.example", 443)

    def look_up_as_of_old(self) -> None:
        socket.gethostbyname("weather.example")

    def fetch(self) -> None:
        urllib.request.urlopen("https://weather.example/")

    def run(self) -> None:
        subprocess.run(["aplay", "scream.wav"], check=False)

    def run_in_a_shell(self) -> None:
        os.system("aplay scream.wav")

    def spawn(self) -> None:
        os.posix_spawn("/usr/bin/aplay", ["aplay", "scream.wav"], {})

    def spawn_as_of_old(self) -> None:
        os.spawnv(os.P_WAIT, "/usr/bin/aplay", ["aplay", "scream.wav"])

    def fork(self) -> None:
        os.fork()

    def fork_a_terminal(self) -> None:
        os.forkpty()

    def become(self) -> None:
        os.execv("/usr/bin/aplay", ["aplay", "scream.wav"])

    async def connect_with_trio(self) -> None:
        await trio.open_tcp_stream(*NOWHERE)

    async def connect_with_anyio(self) -> None:
        await anyio.connect_tcp(*NOWHERE)

    async def run_with_trio(self) -> None:
        await trio.run_process(["aplay", "scream.wav"])

    async def connect_with_asyncio(self) -> None:
        await asyncio.open_connection(*NOWHERE)

    async def run_with_asyncio(self) -> None:
        await asyncio.create_subprocess_exec("aplay", "scream.wav")


PLAIN = [
    (Coffin.connect, "connect to 192.0.2.1:9"),
    (Coffin.listen, "listen at 127.0.0.1:0"),
    (Coffin.send, "send to 192.0.2.1:9"),
    (Coffin.send_message, "send to 192.0.2.1:9"),
    (Coffin.look_up, "look up weather.example"),
    (Coffin.look_up_as_of_old, "look up weather.example"),
    (Coffin.run, "run aplay scream.wav"),
    (Coffin.run_in_a_shell, "run aplay scream.wav"),
    (Coffin.spawn, "run aplay scream.wav"),
    (Coffin.spawn_as_of_old, "fork itself"),
    (Coffin.fork, "fork itself"),
    (Coffin.fork_a_terminal, "fork itself"),
    (Coffin.become, "become aplay scream.wav"),
]
TRIOS = [
    (Coffin.connect_with_trio, "look up 192.0.2.1"),
    (Coffin.connect_with_anyio, "connect to 192.0.2.1:9"),
    (Coffin.run_with_trio, "run aplay scream.wav"),
]
ASYNCIOS = [
    (Coffin.connect_with_asyncio, "connect to 192.0.2.1:9"),
    (Coffin.run_with_asyncio, "run aplay scream.wav"),
]


@contextmanager
def coffins_code() -> Iterator[list[StageError]]:
    """While open, what runs here runs on the stage, for the worker "coffin"."""
    with structlog.contextvars.bound_contextvars(worker="coffin"), no_network() as reached:
        yield reached


def method_name(value: object) -> str | None:
    """How pytest calls a case."""
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("method", "act"), PLAIN, ids=method_name)
def test_a_worker_gets_an_error_that_says_it_all(method: Callable[[Coffin], None], act: str) -> None:
    """Worker, file and line, what was reached for, and a subclass to write, for each way out of the process."""
    with coffins_code() as reached, pytest.raises(StageError) as caught:
        method(Coffin())
    text = str(caught.value)
    assert reached == [caught.value]
    line = inspect.getsourcelines(method)[1]
    assert text.startswith("coffin: tests/testing/test_network.py:")
    assert line < int(text.split(":")[2].split()[0]) <= line + 2
    assert f" wants to {act}, and on the stage nothing leaves the process" in text
    assert text.endswith(f"rehearse that: class Quiet(Coffin): def {method.__name__}(self): ...")


def test_a_library_in_between_is_not_the_place() -> None:
    """The line named is the author's, not urllib's or socket's."""
    words = r"test_network\.py:\d+ wants to look up .* def fetch\(self\)"
    with coffins_code(), pytest.raises(StageError, match=words):
        Coffin().fetch()


@pytest.mark.parametrize(("method", "act"), TRIOS, ids=method_name)
@rehearsal
async def test_in_a_trio_task(method: Callable[[Coffin], Awaitable[None]], act: str) -> None:
    """A native worker's task is stopped, whatever library it goes through."""
    async with virtual_time(say=pytest.fail):
        with coffins_code() as reached, pytest.raises((StageError, BaseExceptionGroup)):
            await method(Coffin())
    assert f"wants to {act}," in str(reached[0])


@pytest.mark.parametrize(("method", "act"), ASYNCIOS, ids=method_name)
@rehearsal
async def test_in_an_asyncio_task(method: Callable[[Coffin], Awaitable[None]], act: str) -> None:
    """An asyncio worker's task is stopped; the loop that it runs in needs no permission."""
    async with virtual_time(say=pytest.fail):
        with coffins_code() as reached:
            async with open_loop() as loop:
                with pytest.raises(StageError, match=f"coffin: .*test_network.py:.* wants to {act}, .*class Quiet"):
                    await loop.run(method(Coffin()))  # type: ignore[arg-type] # each is a coroutine
    assert len(reached) == 1


@rehearsal
async def test_in_a_thread_of_a_worker() -> None:
    """A thread is the worker's that started it, whichever way; the line is the thread's own, else that of its start."""
    async with virtual_time(say=pytest.fail):
        with coffins_code() as reached:
            with pytest.raises(StageError, match=r"coffin: tests/testing/test_network\.py:\d+ wants to connect"):
                await trio.to_thread.run_sync(Coffin().connect)
            with ThreadPoolExecutor(1) as pool, pytest.raises(StageError, match=r"coffin: tests/testing/test_network"):
                pool.submit(socket.gethostbyname, "weather.example").result()
            thread = threading.Thread(target=_eat, args=(Coffin().connect,))
            thread.start()
            thread.join()
    assert [str(error).partition(":")[0] for error in reached] == ["coffin"] * 3


@rehearsal
async def test_an_error_that_a_worker_eats_is_known() -> None:
    """The list has what `except Exception: pass` hid."""
    async with virtual_time(say=pytest.fail):
        with coffins_code() as reached:
            _eat(Coffin().connect)
    assert len(reached) == 1


def test_whoever_is_no_worker_may_reach() -> None:
    """The test itself, and its runner, may use sockets; so may everybody once the rehearsal is over."""
    with no_network() as reached:
        Coffin().listen()
    with structlog.contextvars.bound_contextvars(worker="coffin"):
        Coffin().listen()
    assert reached == []


def _eat(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001 as an author would
        return
