"""What asyncio code may do inside the guest loop: all that it may do outside of Trio."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
import threading
from collections.abc import AsyncIterator

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio
import trio.testing
from aiohttp import ClientSession, web

from halloween_host.legacy._loop import GuestLoop, open_loop


@pytest.fixture
async def loop() -> AsyncIterator[GuestLoop]:
    with trio.fail_after(20):
        async with open_loop() as loop:
            yield loop


async def test_sleep_and_call_later_wake_at_their_time_and_in_their_order(loop: GuestLoop) -> None:
    """Timers of asyncio fire in order, none before its time."""

    async def author() -> list[str]:
        heard: list[str] = []
        began = loop.time()
        loop.call_later(0.02, heard.append, "later")
        loop.call_later(0.01, heard.append, "sooner")
        loop.call_soon(heard.append, "soon")
        await asyncio.sleep(0.03)
        heard.append("slept")
        assert loop.time() - began >= 0.03
        return heard

    assert await loop.run(author()) == ["soon", "sooner", "later", "slept"]


async def test_timeouts_task_groups_and_queues(loop: GuestLoop) -> None:
    """`asyncio.timeout`, `wait_for`, `TaskGroup` and `Queue` are CPython's."""

    async def author() -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def put() -> None:
            for number in range(5):
                await queue.put(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            taken = [await queue.get() for _ in range(5)]
        return sum(taken)

    assert await loop.run(author()) == 10


async def test_a_hundred_tasks_at_once(loop: GuestLoop) -> None:
    """Tasks that sleep at the same time end at the same time, in their order."""

    async def author() -> list[int]:
        async def one(number: int) -> int:
            await asyncio.sleep(0.02)
            return number

        return await asyncio.gather(*map(one, range(100)))

    assert await loop.run(author()) == list(range(100))


async def test_threads_inherit_the_context_and_are_counted(loop: GuestLoop) -> None:
    """`to_thread` and `run_in_executor` run in this loop's own threads, with the caller's context variables."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="lost")
    here = threading.get_ident()

    def in_thread() -> tuple[str, int]:
        assert threading.get_ident() != here
        return variable.get(), loop.own_threads().busy

    async def author() -> list[tuple[str, int]]:
        return [await asyncio.to_thread(in_thread), await loop.run_in_executor(None, in_thread)]

    variable.set("kept")
    assert await loop.run(author()) == [("kept", 1), ("kept", 1)]
    assert loop.own_threads().busy == 0


async def test_context_variables_come_through_to_asyncio_tasks(loop: GuestLoop) -> None:
    """A task started from Trio, and what it starts, has the context of the Trio task that started it."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="lost")

    async def author() -> str:
        return await asyncio.create_task(grandchild())

    async def grandchild() -> str:
        await asyncio.sleep(0)
        return variable.get()

    variable.set("kept")
    assert await loop.run(author()) == "kept"


async def test_subprocesses(loop: GuestLoop) -> None:
    """A child process is started, spoken to and waited for."""

    async def author() -> tuple[bytes, int | None]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "print(input().upper())",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await child.communicate(b"boo\n")
        return said.strip(), child.returncode

    assert await loop.run(author()) == (b"BOO", 0)


async def test_streams_and_name_resolution(loop: GuestLoop) -> None:
    """A server and its client on streams, the address found by `getaddrinfo`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def author() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            assert await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"boo\n")
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
        return said

    assert await loop.run(author()) == b"BOO\n"


async def test_aiohttp_serves_and_fetches(loop: GuestLoop) -> None:
    """aiohttp's server and client run as they are."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"said": await request.text()})

    async def author() -> object:
        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app, handle_signals=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            async with ClientSession() as session, session.post(f"http://127.0.0.1:{port}/", data="boo") as response:
                return await response.json()
        finally:
            await runner.cleanup()

    assert await loop.run(author()) == {"said": "boo"}


async def test_anyio_inside_takes_the_loop_for_asyncio(loop: GuestLoop) -> None:
    """anyio's task groups, events, threads and subprocesses go by asyncio inside the guest, by Trio outside of it."""

    async def author() -> list[str]:
        heard = [str(anyio.get_current_task().name)]
        event = anyio.Event()

        async def ring() -> None:
            await anyio.sleep(0.01)
            event.set()

        async with anyio.create_task_group() as group:
            group.start_soon(ring)
            await event.wait()
            with anyio.move_on_after(0.01):
                await anyio.sleep_forever()
        heard.append(await anyio.to_thread.run_sync(lambda: anyio.from_thread.run_sync(lambda: "from thread")))
        heard.append((await anyio.run_process([sys.executable, "-c", "print('child')"])).stdout.decode().strip())
        return heard

    assert await loop.run(author(), name="author") == ["author", "from thread", "child"]
    assert trio.lowlevel.in_trio_task()
    await anyio.sleep(0.001)


async def test_async_generators_are_closed_by_whose_loop_they_ran_in(loop: GuestLoop) -> None:
    """A generator that was left half-way is closed inside the loop, where its `finally` may await."""
    closed = trio.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.set()

    async def author() -> None:
        async for _ in numbers():
            break  # garbage from here on

    await loop.run(author())
    await closed.wait()
