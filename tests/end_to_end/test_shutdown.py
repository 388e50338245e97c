"""A signal ends the host in good order: handlers, then `stop()` with the spawned tasks alive, then `offline`, then status 0."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import MakeMosquitto
from tests.end_to_end.haunt import Haunt, heard_of, words_of
from tests.mosquitto import Mosquitto, free_port

NATIVE = """\
import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.asked, self.answered = anyio.Event(), anyio.Event()
        self.spawn(self._lamp)

    async def _lamp(self):
        try:
            await self.asked.wait()
            self.status("lamp", "alive in stop")
            self.answered.set()
            await anyio.sleep_forever()
        except BaseException as error:
            self.status("lamp", type(error).__name__)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05)
            self.status("lamp", "off")

    async def do_fire(self, arg):
        try:
            self.status("fire", "burns")
            await anyio.sleep_forever()
        except BaseException as error:
            self.status("fire", type(error).__name__)
            raise

    async def stop(self):
        self.status("stop", "begins")
        self.asked.set()
        await self.answered.wait()
        await super().stop()
        self.status("stop", "ends")
"""

LEGACY = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.asked, self.answered = asyncio.Event(), asyncio.Event()
        self.spawn(self._lamp())

    async def _lamp(self):
        try:
            await self.asked.wait()
            self.status("lamp", "alive in stop")
            self.answered.set()
            await asyncio.sleep(3600)
        except BaseException as error:
            self.status("lamp", type(error).__name__)
            raise
        finally:
            await asyncio.sleep(0.05)
            self.status("lamp", "off")

    async def do_fire(self, arg):
        try:
            self.status("fire", "burns")
            await asyncio.sleep(3600)
        except BaseException as error:
            self.status("fire", type(error).__name__)
            raise

    async def stop(self):
        self.status("stop", "begins")
        self.asked.set()
        await self.answered.wait()
        await super().stop()
        self.status("stop", "ends")
"""

SLOW_STOP = """\
import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def stop(self):
        self.status("stop", "begins")
        await anyio.sleep_forever()
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_the_order_of_the_end(haunt: Haunt, broker: Mosquitto, signum: signal.Signals) -> None:
    """Handlers are cancelled, `stop()` meets its spawned tasks alive, these see their dialect's cancellation and may await in
    `finally`, `offline` is out for every worker and last for the host, and the exit status is 0."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("fogger", LEGACY)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        for prop in ("coffin", "fogger"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
            await broker.publish(f"halloween/{prop}/cmd", "fire")
            await listener.expect(f"halloween/{prop}/status/fire burns")
        host.signal(signum)
        await host.wait(0)
        await listener.expect("halloween/worker_host/status/availability offline")
        for prop, cancellation in (("coffin", "Cancelled"), ("fogger", "CancelledError")):
            said = heard_of(listener, prop)
            assert said[said.index("status/fire burns") + 1 :] == [
                f"status/fire {cancellation}",
                "status/stop begins",
                "status/lamp alive in stop",
                f"status/lamp {cancellation}",
                "status/lamp off",
                *(["state stopped"] if prop == "fogger" else []),
                "status/stop ends",
            ]
            assert words_of(listener, prop)[-1] == "offline"
        assert not host.matching("warning"), host.matching("warning")
        assert not host.matching("error"), host.matching("error")
    async with broker.listen("halloween/+/status/availability") as late:
        for prop in ("coffin", "fogger", "worker_host"):
            line = await late.expect(f"halloween/{prop}/status/availability offline")
            assert line.retain


async def test_a_second_signal_ends_at_once(haunt: Haunt, broker: Mosquitto) -> None:
    """While a `stop()` with a minute's deadline is waited for, a second signal skips the waiting."""
    haunt.prop("coffin", SLOW_STOP)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_STOP_TIMEOUT_S="3600") as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        host.signal(signal.SIGINT)
        await listener.expect("halloween/coffin/status/stop begins")
        host.signal(signal.SIGINT)
        await host.wait(None)


async def test_the_deadline_of_stop_is_a_setting(haunt: Haunt, broker: Mosquitto) -> None:
    """A `stop()` over `WORKER_STOP_TIMEOUT_S` is cancelled and named, the worker is offline, and the status is 0."""
    haunt.prop("coffin", SLOW_STOP)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_STOP_TIMEOUT_S="0.5") as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        await host.stop()
        await listener.expect("halloween/coffin/status/error stop() has not returned in 0.5 s and was cancelled")
        await listener.expect("halloween/coffin/status/availability offline")
        assert host.matching("coffin", "stop() has not returned in 0.5 s")


async def test_the_end_without_a_broker(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """With the broker gone the host ends all the same, with status 0 and a line about whom it could not tell."""
    broker = make_mosquitto()
    haunt.prop("coffin", NATIVE)
    async with haunt.host(broker) as host:
        await host.expect_log("online", "coffin")
        broker.kill()
        await host.expect_log("lost the broker")
        await host.stop()
        assert host.matching("warning", "the broker is away")


async def test_ctrl_c_on_a_terminal(haunt: Haunt) -> None:
    """SIGINT to the whole process group leaves the embedded broker alive until every `offline` is acknowledged."""
    haunt.prop("coffin", NATIVE)
    async with haunt.host(None, "--broker", f"embedded:{free_port()}") as host:
        await host.expect_log("online", "coffin")
        host.interrupt_group()
        await host.wait(0)
        assert not host.matching("warning"), host.matching("warning")
        assert not host.matching("did not acknowledge")
