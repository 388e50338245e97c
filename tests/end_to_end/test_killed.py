"""A host that is killed tells nobody: the broker does, by each worker's own will."""

from __future__ import annotations

import signal
from functools import partial

from tests.end_to_end.haunt import Haunt, beginning, words_of
from tests.end_to_end.process import HostProcess
from tests.listener import Line, Listener
from tests.mosquitto import Mosquitto

NATIVE = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""
LEGACY = NATIVE.replace("halloween_host import", "worker_host.base import")
PROPS = [f"prop{number:02}" for number in range(30)]
KILLS = 20


async def all_are(listener: Listener, word: str) -> None:
    """Wait until the last word that was heard of each is this one."""

    def is_last(line: Line, prop: str) -> bool:
        return line == f"halloween/{prop}/status/availability {word}" and words_of(listener, prop)[-1] == word

    for prop in (*PROPS, "worker_host"):
        if words_of(listener, prop)[-1:] != [word]:
            await listener.expect(partial(is_last, prop=prop), within_s=30)


async def test_every_prop_goes_offline_when_the_host_is_killed(haunt: Haunt, broker: Mosquitto) -> None:
    """Twenty times, thirty props: each `offline` comes from the broker, and the next host's `online` follows it, never before."""
    for number, prop in enumerate(PROPS):
        haunt.prop(prop, NATIVE if number % 2 else LEGACY)
    for _ in range(KILLS):
        async with broker.listen("halloween/+/status/availability") as listener:
            async with haunt.host(broker) as host:
                await all_are(listener, "online")
                host.signal(signal.SIGKILL)
                await host.wait(-signal.SIGKILL)
                await all_are(listener, "offline")
            for prop in (*PROPS, "worker_host"):
                assert words_of(listener, prop)[-2:] == ["online", "offline"]


async def test_the_next_host_says_what_is_true_now(haunt: Haunt, broker: Mosquitto) -> None:
    """After a kill `health` is stale and availability is not; the next host overwrites both, of a worker that fails too."""
    haunt.prop("lamp", NATIVE)
    haunt.prop("broken", NATIVE)

    async def killed(host: HostProcess) -> None:
        host.signal(signal.SIGKILL)
        await host.wait(-signal.SIGKILL)

    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        for prop in ("lamp", "broken"):
            await listener.expect(beginning(f'halloween/{prop}/status/health {{"state":"online"'), within_s=30)
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        await killed(host)
    async with broker.listen("halloween/+/status/#") as listener:
        await listener.expect("halloween/lamp/status/availability offline")
        await listener.expect(beginning('halloween/lamp/status/health {"state":"online"'))
    (haunt.props / "broken" / "backend" / "worker.py").write_text("raise RuntimeError")
    async with haunt.host(broker), broker.listen("halloween/+/status/#") as listener:
        await listener.expect("halloween/lamp/status/availability online", within_s=30)
        await listener.expect("halloween/broken/status/availability offline")
        await listener.expect(beginning('halloween/broken/status/health {"state":"offline"'))
