"""Hundreds of workers end as one does: while they are being started, and over a link that cannot carry their last words at once."""

from __future__ import annotations

import signal
from functools import partial

import trio

from halloween_host import topics
from tests.end_to_end.haunt import Haunt, telling
from tests.end_to_end.test_panic import rearm, stopped
from tests.listener import Line, Listener
from tests.mosquitto import Mosquitto
from tests.testing.cable import Cable

#: The start of the later half takes the host's own time, seconds together: most are still to come when the first is online.
SLOW_START = """\
import time

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        print("begins", self.prop_id)
        if int(self.prop_id[-3:]) >= 300:
            time.sleep(0.012)
"""
ASYNCIO = SLOW_START.replace("from halloween_host import", "from worker_host.base import")
QUICK = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    pass
"""
CROWD = 600
PROPS = [f"ghost-{number:03}" for number in range(CROWD)]


def furnish(haunt: Haunt) -> None:
    for number, prop in enumerate(PROPS):
        haunt.prop(prop, ASYNCIO if number % 3 == 2 else SLOW_START)


def is_word(word: str, line: Line) -> bool:
    topic = str(line.topic)
    return line == f"{topic} {word}" and topic.endswith("/status/availability") and topics.HOST not in topic


def last_words(listener: Listener) -> dict[str, str]:
    """The newest availability of each prop that has told one."""
    return {
        line.topic: line.payload.decode()
        for line in listener.lines
        if is_word("online", line) or is_word("offline", line)
    }


async def all_say(word: str, listener: Listener) -> None:
    while list(last_words(listener).values()) != [word] * CROWD:
        await listener.expect(partial(is_word, word), within_s=30)


async def left_online(broker: Mosquitto) -> list[str]:
    """Every topic on which somebody who comes late is told `online`."""
    async with broker.listen("halloween/+/status/availability", "the/end") as late:
        await broker.publish("the/end", "now")
        await late.expect("the/end now")  # after all that is retained (MQTT 5, section 3.8.4)
        return [line.topic for line in late.lines if line.endswith(" online")]


async def test_the_end_while_they_start(haunt: Haunt, broker: Mosquitto) -> None:
    """SIGTERM after the first `online`: whoever said it says `offline`, nobody's is left behind, and the exit status is 0."""
    furnish(haunt)
    async with broker.listen("halloween/+/status/availability") as listener:
        async with haunt.host(broker, PRESENCE_MAX="100") as host:
            await listener.expect(partial(is_word, "online"), within_s=50)
            host.signal(signal.SIGTERM)
            await host.wait(0)
            assert not host.matching("Traceback")
            begun = host.matching("begins")
        await listener.expect("halloween/worker_host/status/availability offline")
        told = {line.topic for line in listener.lines if is_word("online", line)}
        assert 0 < len(told) <= len(begun) < CROWD
        while "online" in last_words(listener).values():  # a connection of its own may come later than the host's
            await listener.expect(partial(is_word, "offline"))
    assert await left_online(broker) == []


async def test_a_panic_while_they_start(haunt: Haunt, broker: Mosquitto) -> None:
    """SIGUSR1 after the first `online`: latched, all are `offline`, none starts until the rearm, and then all do, which takes longer than
    a panic may take to be heard."""
    furnish(haunt)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, PRESENCE_MAX="100") as host:
        await listener.expect(partial(is_word, "online"), within_s=50)
        host.signal(signal.SIGUSR1)
        report = await stopped(listener, by="signal")
        assert (report["unsafe"], report["durable"]) == ({}, True)
        begun = len(host.matching("begins"))
        assert 0 < begun < CROWD
        await all_say("offline", listener)
        assert (haunt.folder / "state" / "panic.json").exists()
        assert await left_online(broker) == [topics.HOST_AVAILABILITY]
        assert len(host.matching("begins")) == begun
        await rearm(broker, listener)
        await all_say("online", listener)
        await host.stop()
    assert await left_online(broker) == []


async def test_the_goodbye_of_a_thousand_over_a_slow_link(
    haunt: Haunt, broker: Mosquitto, nursery: trio.Nursery
) -> None:
    """Words that take seconds to get through are waited for as long as the broker gets on with them."""
    props = [f"ghost-{number:03}" for number in range(1_000)]
    for prop in props:
        haunt.prop(prop, QUICK)
    cable = await Cable.lay(nursery, broker.host, broker.port)
    environ = {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(cable.port), "PRESENCE_MAX": "0"}
    async with broker.listen("halloween/+/status/health") as listener, haunt.host(None, **environ) as host:
        for prop in props:
            await listener.expect(telling(f"halloween/{prop}/status/health", state="online"), within_s=30)
        cable.bytes_per_s = 200_000
        await host.stop()
        assert not host.matching("did not acknowledge")
    assert await left_online(broker) == []
