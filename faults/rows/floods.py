"""A flood on one worker, or past all of them: the others answer, memory has a bound, and every refusal is counted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from benchmarks.harness._compiler import compiled
from faults.harness._rows import Fault, FaultError, Finding, Limit
from faults.harness._scene import Scene
from faults.rows._yard import PATIENCE_S, ask, audience_of, new_haunt, running, until_answered
from halloween_host import topics
from tests.audience import Audience
from tests.end_to_end.process import HostProcess
from tests.end_to_end.test_overload import FLOODED, QUIET, QUIET_ASYNCIO, memory_mib
from tests.mosquitto import Mosquitto

__all__ = ["FAULTS"]

COMMANDS: Final = 200_000
TOPICS: Final = 10_000
#: Payloads of a flood, and bytes of each.
PAYLOADS: Final = 100
PAYLOAD_BYTES: Final = 2**20

#: The broker keeps for the host what it did not take yet: nothing may be lost there.
BROKER: Final = ("max_queued_messages 0",)
CAPACITY: Final = 1_000
#: MiB that the host may grow by: its mailbox full of commands that run is 6; 200,000 of them kept would be 200 to 1,000.
GROWTH_MIB: Final = 32.0
#: The same for payloads of 1 MiB, of which the host reads some at once: all of a flood would be 100, and all ten floods 1,000.
PAYLOADS_MIB: Final = 64.0
#: Seconds until a sibling answers.
ANSWER_S: Final = 1.0

#: As the flooded one of the suite, and tells of so many keys.
TALKER: Final = f"""{FLOODED}
    async def do_tell(self, topics: int) -> None:
        for number in range(topics):
            self.telemetry(f"key/{{number}}", number)
            if number % 100 == 0:
                await anyio.sleep(0)
"""
PROPS: Final = {"flooded": TALKER, "quiet": QUIET, "calm": QUIET_ASYNCIO}
SIBLINGS: Final = ("quiet", "calm")


@attrs.frozen
class Basin:
    """What a flood is poured into."""

    broker: Mosquitto
    audience: Audience
    host: HostProcess
    folder: Path
    answers_s: list[float] = attrs.Factory(list)
    grown_mib: list[float] = attrs.Factory(list)

    def findings(self, growth_mib: float = GROWTH_MIB) -> list[Finding]:
        return [
            Finding("siblings answer", self.answers_s, unit="s", limits=(Limit("max", ANSWER_S),)),
            Finding("the host's memory grows by", self.grown_mib, unit="MiB", limits=(Limit("max", growth_mib),)),
        ]

    async def blast(self, count: int, topic: str, payload: str) -> None:
        """Publish so many by the C program, as fast as the broker takes them; see `blast.c` for what is filled in."""
        program = await trio.to_thread.run_sync(lambda: compiled("blast", into=self.folder))
        command = [str(program), str(self.broker.port), str(count), "1", topic, payload]
        ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        if ended.returncode:
            raise FaultError(f"blast: {ended.stderr.decode()}")

    async def while_siblings_answer(self, pour: Callable[[], Awaitable[None]]) -> None:
        """Ask one sibling after the other until all was poured and dealt with."""
        async with trio.open_nursery() as nursery:

            async def ask_on() -> None:
                while True:
                    for prop_id in SIBLINGS:
                        self.answers_s.append(await ask(self.audience, prop_id))

            nursery.start_soon(ask_on)
            await pour()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def basin(scene: Scene) -> AsyncIterator[Basin]:
    with running(Mosquitto(folder=scene.folder(), config_lines=BROKER)) as broker:
        keys = ("telemetry/pong", "telemetry/handled", "telemetry/key/#", "status/health")
        haunt = new_haunt(scene.folder(), PROPS)
        start = haunt.host(broker, LOG_FORMAT="json", WORKER_MAILBOX_CAPACITY=str(CAPACITY))
        async with audience_of(broker, *keys) as audience, start as host:
            for prop_id in SIBLINGS:
                await until_answered(audience, prop_id)
            yield Basin(broker, audience, host, scene.folder())
            await host.stop()


async def many_commands(scene: Scene) -> list[Finding]:
    """To a worker that takes 0.3 s for each, and refuses what its mailbox cannot hold."""
    off = list[float]()
    count = COMMANDS // 10 if scene.quick else COMMANDS
    async with basin(scene) as into:
        before_mib = memory_mib(into.host, "VmRSS")
        for number in scene.counted():

            async def pour(sent: int = (number + 1) * count) -> None:
                await into.blast(count, topics.command("flooded"), "fire %n")
                off.append(abs(sent - await dealt_with(into.audience, sent)))

            await into.while_siblings_answer(pour)
            into.grown_mib.append(memory_mib(into.host, "VmHWM") - before_mib)
    exactly = Finding("commands neither done nor counted as refused", off, unit="commands", limits=(Limit("sum", 0),))
    return [*into.findings(), exactly]


async def dealt_with(audience: Audience, sent: int) -> int:
    """How many commands the flooded worker has done and its health calls refused, once it is `sent` or does not change any more."""

    def told() -> int:
        done = [int(each.payload) for each in audience.on(topics.telemetry("flooded", "handled"))]
        return max(done, default=0) + refused(audience)

    with trio.move_on_after(PATIENCE_S):
        await audience.until(lambda: told() >= sent, "all commands dealt with")
    return told()


def refused(audience: Audience) -> int:
    return max((json.loads(each.payload)["refused"] for each in audience.on(topics.health("flooded"))), default=0)


async def large_payloads(scene: Scene) -> list[Finding]:
    """Commands of 1 MiB, sixteen times what a command may have: each is refused."""
    off = list[float]()
    async with basin(scene) as into:
        before_mib = memory_mib(into.host, "VmRSS")
        payload = b"fire " + bytes(PAYLOAD_BYTES - 5)
        for number in scene.counted():

            async def pour(sent: int = (number + 1) * PAYLOADS) -> None:
                for _ in range(PAYLOADS):
                    await into.audience.client.publish(topics.command("flooded"), payload, qos=1)
                off.append(abs(sent - await dealt_with(into.audience, sent)))

            await into.while_siblings_answer(pour)
            into.grown_mib.append(memory_mib(into.host, "VmHWM") - before_mib)
    exactly = Finding("payloads not counted as refused", off, unit="payloads", limits=(Limit("sum", 0),))
    return [*into.findings(PAYLOADS_MIB), exactly]


async def many_topics(scene: Scene) -> list[Finding]:
    """Commands for 10,000 props that nobody has, 10,000 availabilities of strangers, and one worker that tells of 10,000 keys."""
    unheard = list[float]()
    async with basin(scene) as into:
        before_mib = memory_mib(into.host, "VmRSS")
        for number in scene.counted():
            into.audience.seen.clear()

            async def pour(name: str = f"nobody-{number}-%n") -> None:
                await into.blast(TOPICS, topics.command(name), "fire 1")
                await into.blast(TOPICS, topics.availability(name), "offline")
                await into.audience.client.publish(topics.command("flooded"), f"tell {TOPICS}", qos=1)
                unheard.append(TOPICS - await keys_heard(into.audience))

            await into.while_siblings_answer(pour)
            into.grown_mib.append(memory_mib(into.host, "VmHWM") - before_mib)
    all_heard = Finding("keys that were told and not heard", unheard, unit="keys", limits=(Limit("sum", 0),))
    return [*into.findings(), all_heard]


async def keys_heard(audience: Audience) -> int:
    """How many of them, once all are or none comes any more."""
    prefix = topics.telemetry("flooded", "key/")

    def heard() -> int:
        return len({each.topic for each in audience.seen if each.topic.startswith(prefix)})

    with trio.move_on_after(PATIENCE_S):
        await audience.until(lambda: heard() >= TOPICS, "all keys")
    return heard()


FAULTS = (
    Fault("flood-commands", title="200,000 commands to one worker", times=10, quick_times=1, measure=many_commands),
    Fault("flood-payloads", title="100 payloads of 1 MiB", times=10, quick_times=1, measure=large_payloads),
    Fault("flood-topics", title="10,000 topics", times=20, quick_times=1, measure=many_topics),
)
