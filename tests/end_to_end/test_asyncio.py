"""An asyncio worker may use the whole of asyncio, beside native workers in the same process."""

from __future__ import annotations

from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

WORKER = """\
import asyncio
import sys
import threading

import aiohttp
from aiohttp import web
from worker_host.base import BaseWorker

assert asyncio.get_event_loop() is not None


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.queue = asyncio.Queue()
        self.spawn(self._drain())

    async def _drain(self):
        while True:
            self.telemetry("queue", await self.queue.get())

    async def do_queue(self, arg):
        asyncio.get_running_loop().call_later(0.01, self.queue.put_nowait, arg)

    async def do_group(self, arg):
        async def double(number):
            await asyncio.sleep(0.01)
            return 2 * number

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(double(number)) for number in range(3)]
        self.telemetry("group", [task.result() for task in tasks])

    async def do_timeout(self, arg):
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(3600)
        except TimeoutError:
            self.telemetry("timeout", "came")

    async def do_thread(self, arg):
        on_main = await asyncio.to_thread(lambda: threading.current_thread() is threading.main_thread())
        self.telemetry("thread", on_main)

    async def do_process(self, arg):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(input()[::-1])", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate(arg.encode())
        self.telemetry("process", f"{said.decode().strip()} {process.returncode}")

    async def do_stream(self, arg):
        async def echo(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(arg.encode() + b"\\n")
            self.telemetry("stream", (await reader.readline()).decode().strip())
            writer.close()
            await writer.wait_closed()

    async def do_http(self, arg):
        async def answer(request):
            return web.Response(text=f"{arg} to you")

        application = web.Application()
        application.router.add_get("/", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
            self.telemetry("http", await response.text())
        await runner.cleanup()
"""

NATIVE = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""


async def test_the_whole_of_asyncio(haunt: Haunt, broker: Mosquitto) -> None:
    """Queue and timers, TaskGroup, timeout, threads, subprocesses, streams, aiohttp as server and client, and
    `get_event_loop()` at import."""
    haunt.prop("lab", WORKER)
    haunt.prop("lamp", NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        for prop in ("lab", "lamp"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        for command, line in (
            ("queue hello", "queue hello"),
            ("group", "group [0, 2, 4]"),
            ("timeout", "timeout came"),
            ("thread", "thread False"),
            ("process boo", "process oob 0"),
            ("stream whisper", "stream whisper"),
            ("http trick", "http trick to you"),
        ):
            await broker.publish("halloween/lab/cmd", command)
            await listener.expect(f"halloween/lab/telemetry/{line}", within_s=30)
        await broker.publish("halloween/lamp/cmd", "ping")
        await listener.expect("halloween/lamp/telemetry/pong ok")
        await host.stop()
        assert not host.matching("warning"), host.matching("warning")
        assert not host.matching("error"), host.matching("error")
