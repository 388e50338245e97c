"""The whole of 2025's BaseWorker: what its authors could call and override, they can call and override now."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
import structlog
import trio
from trio.testing import MockClock

from halloween_host.errors import QosError, TopicError
from halloween_host.legacy import discard, loading, open_legacy_home
from halloween_host.worker import Berth, Blueprint, Home, Reports
from tests.yard import open_yard
from worker_host.base import BaseWorker


async def test_mqtt_publish_sends_what_paho_would(autojump_clock: MockClock) -> None:
    """Any topic, `str`, bytes and None as paho took them; what is the host's to say is dropped with a warning."""

    class Worker(BaseWorker):
        async def do_publish(self, arg: str | None) -> None:
            self.mqtt.publish("halloween/coffin/telemetry/a/b", 1.5, 1, True)
            self.mqtt.publish("halloween/fogger/cmd", "start", retain=True)
            self.mqtt.publish("halloween/coffin/status/error", b"raw")
            self.mqtt.publish("halloween/coffin/old", None, retain=True)
            self.mqtt.publish("lights/1", qos=2, payload={"on": True})
            self.mqtt.publish("halloween/fogger/status/availability", "online")
            for topic, qos, error in (("a/#", 0, TopicError), ("", 0, TopicError), ("a", 3, QosError)):
                with pytest.raises(error):
                    self.mqtt.publish(topic, "x", qos)
            self.mqtt.publish("done")

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("publish")
        await yard.expect("done ")
        sent = {post.topic: post for post in yard.posts}
        assert sent["halloween/coffin/telemetry/a/b"].payload == b"1.5"
        assert [sent["halloween/coffin/telemetry/a/b"].qos, sent["halloween/coffin/telemetry/a/b"].retain] == [1, True]
        assert sent["halloween/fogger/cmd"].kind == "command"
        assert not sent["halloween/fogger/cmd"].retain, "a retained command would fire at each reconnect"
        assert sent["halloween/coffin/status/error"].kind == "line"
        assert [sent["halloween/coffin/old"].payload, sent["halloween/coffin/old"].retain] == [b"", True]
        assert [sent["lights/1"].payload, sent["lights/1"].qos] == [b"{'on': True}", 2]
        assert "halloween/fogger/status/availability" not in sent
        assert "halloween/coffin/status/warn" in sent


async def test_signatures_and_values_are_those_of_2025(autojump_clock: MockClock) -> None:
    """`qos` and `retain` by position, `target_prop` by name, values as `str(value)`, keys with slashes, states as called."""

    class Worker(BaseWorker):
        async def do_talk(self, arg: str | None) -> None:
            self.telemetry("room/1", {"t": 20}, 1, True)
            self.publish_status("mood", None, 1, True)
            self.status("ready", True)
            self.publish_state("armed")
            self.command(target_prop="fogger", action="start", args={"ms": 5}, qos=0)
            self.command("fogger", "stop", None, 0)
            self.broadcast(["coffin", "fogger"], "ping", "x", 0)
            self.status("done", "")

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("talk")
        await yard.expect("status/done ")
        said = [
            (post.topic, post.payload, post.qos, post.retain)
            for post in yard.posts
            if not post.topic.endswith(("/health", "/availability"))
        ][1:-1]
        assert said == [
            ("halloween/coffin/telemetry/room/1", b"{'t': 20}", 1, True),
            ("halloween/coffin/status/mood", b"None", 1, True),
            ("halloween/coffin/status/ready", b"True", 0, False),
            ("halloween/coffin/state", b"armed", 0, False),
            ("halloween/fogger/cmd", b'{"action": "start", "args": {"ms": 5}}', 0, False),
            ("halloween/fogger/cmd", b'{"action": "stop", "args": null}', 0, False),
            ("halloween/coffin/cmd", b'{"action": "ping", "args": "x"}', 0, False),
            ("halloween/fogger/cmd", b'{"action": "ping", "args": "x"}', 0, False),
        ]
        assert [(post.qos, post.retain) for post in yard.posts if post.payload == b"started"] == [(1, True)]
    parameters = inspect.signature(BaseWorker.command).parameters.values()
    positional = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    assert positional == ["self", "target_prop", "action", "args", "qos"]


async def test_threads_of_the_workers_own_may_talk() -> None:
    """telemetry with retain from a thread that a worker started, and from `to_thread`; a plain handler may hand out a coroutine."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            await super().start()
            thread = threading.Thread(target=self.telemetry, args=("from/thread", 1, 0, True))
            thread.start()
            await asyncio.to_thread(self.telemetry, "from/pool", 2)
            thread.join()

        def do_later(self, arg: str | None) -> Awaitable[None]:
            return self._later()

        async def _later(self) -> None:
            await asyncio.sleep(0)
            self.status("later", "done")

        def do_spawn(self, arg: str | None) -> None:
            self.spawn(self._later())

    async with open_yard(Worker, open_legacy_home) as yard:
        await yard.expect("telemetry/from/thread 1")
        await yard.expect("telemetry/from/pool 2")
        yard.send("later")
        await yard.expect("status/later done")
        yard.send("spawn")
        await yard.expect("status/error spawn: SpawnError: coffin: spawn() called from a thread…")


async def test_a_plain_handler_may_stop_its_worker() -> None:
    """`asyncio.run(self.stop())` in a thread ends the worker on purpose, as `await self.stop()` does in an async one."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            await super().start()
            self.spawn(asyncio.sleep(3600))

        def do_exit(self, arg: str | None) -> None:
            asyncio.run(self.stop())
            self.status("exit", "done")

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("exit")
        await yard.expect("state stopped")
        await trio.testing.wait_all_tasks_blocked()
        assert yard.supervisor.health.reason == "stopped itself"
        assert "status/availability offline" in yard.heard
        assert yard.supervisor.health.restarts == 0


async def test_tasks_that_an_author_put_into_tasks_end_like_spawned_ones(autojump_clock: MockClock) -> None:
    """`_tasks` is a list, and a set to who takes it for one; ended tasks leave it."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            await super().start()
            self._tasks.append(asyncio.create_task(self._endless("appended")))
            self._tasks.add(asyncio.create_task(self._endless("added")))
            task = self.spawn(asyncio.sleep(0, "result"))
            assert task in self._tasks
            assert await task == "result"

        async def _endless(self, name: str) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                self.status(name, "ended")

        async def do_count(self, arg: str | None) -> None:
            self.telemetry("count", len(self._tasks))

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("count")
        await yard.expect("telemetry/count 2")
        await yard.stop()
        await yard.expect("status/appended ended")
        await yard.expect("status/added ended")
        assert not any("status/warn" in line for line in yard.heard), "nothing leaked"


async def test_log_lines_of_tasks_and_threads_know_their_worker() -> None:
    """structlog's context variables reach asyncio tasks, their children, and the worker's threads."""

    class Worker(BaseWorker):
        def _me(self) -> str:
            return str(structlog.contextvars.get_contextvars().get("worker"))

        async def do_me(self, arg: str | None) -> None:
            child = await asyncio.create_task(self._async_me())
            pool = await asyncio.get_running_loop().run_in_executor(None, self._me)
            self.telemetry("me", [self._me(), child, pool])

        async def _async_me(self) -> str:
            return self._me()

        def do_sync(self, arg: str | None) -> None:
            self.telemetry("sync", self._me())

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("me")
        await yard.expect("telemetry/me ['coffin', 'coffin', 'coffin']")
    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("sync")
        await yard.expect("telemetry/sync coffin")


async def test_the_loop_of_the_import_is_the_first_instances(autojump_clock: MockClock) -> None:
    """Module-level `asyncio.get_event_loop()`, `Queue()` and `create_task` belong to the first instance's loop."""
    with loading() as cargo:
        module_loop = asyncio.get_event_loop()
        assert module_loop is cargo

    class Worker(BaseWorker):
        async def do_compare(self, arg: str | None) -> None:
            self.telemetry("same", asyncio.get_running_loop() is module_loop)

        async def do_crash(self, arg: str | None) -> None:
            raise SystemExit(1)

    cargoes: list[object] = [None, cargo]

    def open_home(blueprint: Blueprint, berth: Berth, reports: Reports) -> AbstractAsyncContextManager[Home]:
        return open_legacy_home(attrs.evolve(blueprint, cargo=cargoes.pop()), berth, reports)

    async with open_yard(Worker, open_home) as yard:
        yard.send("compare")
        await yard.expect("telemetry/same True")
        yard.send("crash")
        index = await yard.expect("status/availability offline")
        await yard.expect("status/availability online", since=index)
        assert sum("do_crash crashed: SystemExit" in line for line in yard.heard) == 1
        yard.send("compare")
        await yard.expect("telemetry/same False")
        assert cargo.is_closed()


async def test_a_module_that_fails_to_load_leaves_no_loop_behind() -> None:
    """`loading` closes its loop when the import raises; `discard` closes one of which no worker came."""
    loops: list[asyncio.AbstractEventLoop] = []

    def fail() -> None:
        with loading() as cargo:
            loops.append(cargo)
            raise ImportError("no such module")

    with pytest.raises(ImportError):
        fail()
    with loading() as cargo:
        loops.append(cargo)
    discard(cargo)
    discard(None)
    assert all(loop.is_closed() for loop in loops)


async def test_a_thread_that_will_not_end_is_named_by_its_handler() -> None:
    """A plain handler that blocks is named with the author's function and line, and the worker ends without it."""
    release = threading.Event()
    blocked = threading.Event()

    class Worker(BaseWorker):
        def do_block(self, arg: str | None) -> None:
            blocked.set()
            release.wait(10)

    async with open_yard(Worker, open_legacy_home, stop_timeout_s=0.2) as yard:
        yard.send("block")
        await trio.to_thread.run_sync(blocked.wait)
        with trio.fail_after(3):
            await yard.stop()
        release.set()
        assert len(yard.supervisor.left_behind) == 1
        assert "Worker.do_block (" in yard.supervisor.left_behind[0]
        assert "test_worker.py:" in yard.supervisor.left_behind[0]
