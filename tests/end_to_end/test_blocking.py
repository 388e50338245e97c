"""A worker that blocks the host is named while it does, wherever its code stands, and a host that stays blocked ends itself."""

from __future__ import annotations

from typing import Final

import trio

from tests.end_to_end.haunt import Haunt, beginning, holding
from tests.mosquitto import Line, Listener, Mosquitto

#: Seconds. The name is due after a quarter of one; who hears it only afterwards heard it from the loop.
BLOCKS_S: Final = 3

NATIVE: Final = f"""
import anyio, ctypes, time
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def start(self):
        await super().start()
        if self.prop_id == "slow":
            time.sleep({BLOCKS_S})  # in start

    async def do_sleep(self, arg):
        time.sleep(float(arg))  # in a handler
        self.telemetry("over", "sleep")

    async def do_spin(self, arg):
        end = time.monotonic() + float(arg)
        while time.monotonic() < end:
            pass
        self.telemetry("over", "spin")

    async def do_later(self, arg):
        self.spawn(self._later, float(arg))

    async def _later(self, seconds):
        await anyio.sleep(0.1)
        time.sleep(seconds)  # in a task
        self.telemetry("over", "later")

    async def do_seize(self, arg):
        ctypes.PyDLL(None).sleep(int(arg))  # with the GIL held
"""

LEGACY: Final = """
import asyncio, time
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    async def do_sleep(self, arg):
        self.spawn(self._later(float(arg)))

    async def _later(self, seconds):
        await asyncio.sleep(0.1)
        await asyncio.gather(self._deeper(seconds))

    async def _deeper(self, seconds):
        time.sleep(seconds)  # in asyncio
        self.telemetry("over", "asyncio")
"""


def line_of(source: str, part: str) -> int:
    """Where it stands in a worker's file."""
    return next(number for number, line in enumerate(source.splitlines(), 1) if part in line)


async def test_who_blocks_is_named_while_it_does(broker: Mosquitto, haunt: Haunt) -> None:
    """On its `status/error` with handler, file, line and source, in its health, and in the log; afterwards: for how long."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("old", LEGACY)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        await listener.expect("halloween/old/status/availability online", within_s=30)
        for prop, action, entry, source, part in (
            ("coffin", "sleep", "do_sleep()", NATIVE, "time.sleep(float(arg))  # in a handler"),
            ("coffin", "spin", "do_spin()", NATIVE, ""),
            ("coffin", "later", "_later()", NATIVE, "time.sleep(seconds)  # in a task"),
            ("old", "sleep", "_deeper()", LEGACY, "time.sleep(seconds)  # in asyncio"),
        ):
            after = len(listener.lines)
            await broker.publish(f"halloween/{prop}/cmd", f"{action} {BLOCKS_S}")
            where = f"in {entry} (props/{prop}/backend/worker.py:{line_of(source, part) if part else ''}"
            named = await expect(
                listener, after, f"halloween/{prop}/status/error blocks the host and all", where, part.split("  #")[0]
            )
            accused = await expect(listener, after, f"halloween/{prop}/status/health", "blocks the event loop", where)
            over = await expect(listener, after, f"halloween/{prop}/telemetry/over")
            assert named < over
            assert accused < over
            lasted = f"for {BLOCKS_S}."
            warned = await expect(listener, after, f"halloween/{prop}/status/warn blocked the host", lasted, where)
            assert warned > named
            await check_health(broker, listener, prop)
            assert len(host.matching("error", prop, "blocks the host", where)) == 1
        await host.stop()


async def test_a_start_that_blocks_is_named(broker: Mosquitto, haunt: Haunt) -> None:
    """From the first worker on, though the host's own connection cannot come up meanwhile; its health is not left as it was."""
    haunt.prop("slow", NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        named = await expect(listener, 0, "halloween/slow/status/error blocks the host", "in start()", "# in start")
        online = await expect(listener, 0, "halloween/slow/status/availability online")
        assert named < online
        await check_health(broker, listener, "slow", said=1)
        await host.stop()


async def test_a_host_that_stays_blocked_ends_itself(broker: Mosquitto, haunt: Haunt) -> None:
    """Status 70 with all stacks in the log, every `offline` by its will."""
    haunt.prop("coffin", NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WATCHDOG_EXIT="2") as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        await broker.publish("halloween/coffin/cmd", "sleep 60")
        await host.wait(70)
        for who in ("coffin", "worker_host"):
            await listener.expect(f"halloween/{who}/status/availability offline")
        assert any(map(holding("halloween/coffin/status/error", "for 2 s", "status 70", "do_sleep()"), listener.lines))
    assert host.matching("critical", "coffin", "(status 70)", "time.sleep(float(arg))")
    assert host.matching("thread 'MainThread' stands here")


async def test_an_extension_that_keeps_the_gil_is_ended_by_c(broker: Mosquitto, haunt: Haunt) -> None:
    """No thread of Python's runs any more: the stacks are faulthandler's, the status is 1, and the wills speak. From a rest, too."""
    haunt.prop("coffin", NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WATCHDOG_EXIT="2") as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        await trio.sleep(1.0)  # no event tells that the watchdog has gone to sleep
        await broker.publish("halloween/coffin/cmd", "seize 60")
        await host.wait(1)
        for who in ("coffin", "worker_host"):
            await listener.expect(f"halloween/{who}/status/availability offline")
    assert host.matching("Timeout (")
    assert host.matching("props/coffin/backend/worker.py", f"line {line_of(NATIVE, 'ctypes.PyDLL')}", "do_seize")


async def test_a_gil_that_is_given_back_ends_nothing(broker: Mosquitto, haunt: Haunt) -> None:
    """Time and again, each time for less than WATCHDOG_EXIT."""
    haunt.prop("coffin", NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WATCHDOG_EXIT="2") as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        for _ in range(4):
            after = len(listener.lines)
            await broker.publish("halloween/coffin/cmd", "seize 1")
            await expect(listener, after, "halloween/coffin/status/warn blocked the host and all other workers for 1.")
        await host.stop()


async def test_a_stopped_process_blocks_nothing(broker: Mosquitto, haunt: Haunt) -> None:
    """SIGSTOP, as a debugger or `docker pause` does: nobody is named when it goes on, and it does not end itself."""
    haunt.prop("coffin", NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WATCHDOG_EXIT="2") as host:
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        await trio.sleep(1.0)  # no event tells that the watchdog has gone to sleep
        host.pause()
        await trio.sleep(4.0)
        host.resume()
        await broker.publish("halloween/coffin/cmd", "sleep 0")
        await listener.expect("halloween/coffin/telemetry/over sleep")
        await host.stop()
    assert not host.matching("block")


async def expect(listener: Listener, after: int, start: str, *parts: str) -> int:
    """The number of the first line from `after` on that begins so and holds all parts."""
    wanted, holds = beginning(start), holding(*parts)

    def fits(line: Line) -> bool:
        return wanted(line) and holds(line) and number(listener, line) >= after

    return number(listener, await listener.expect(fits, within_s=30))


def number(listener: Listener, line: Line) -> int:
    return next(at for at, each in enumerate(listener.lines) if each is line)


async def check_health(broker: Mosquitto, listener: Listener, prop: str, said: int = 2) -> None:
    """The last word on its health is the host's own: it is said again when the watchdog's own word is surely out."""
    topic, reason = f"halloween/{prop}/status/health", "blocked the event loop for"
    for _ in range(said):
        await listener.expect(holding(topic, reason), within_s=30)
    async with broker.listen(topic) as late:
        assert reason in await late.expect(beginning(topic))
