"""The broker is killed by SIGKILL and comes back, with what it had saved or with nothing, while numbered commands are sent."""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from faults.harness import Fault, FaultError, Finding, Limit, Scene
from faults.rows._props import LAMP, both
from faults.rows._yard import running
from halloween_host import topics
from halloween_host.mqtt import Client, MqttError
from tests.audience import Audience
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

#: Seconds between two commands of each sender.
PACE_S: Final = 0.05
#: Writes down what it does, and how old the command was: no broker's end loses that.
COUNTER: Final = """\
import json
import time

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_run(self, arg):
        told = json.loads(arg)
        print("ran", told["number"], f"{time.monotonic() - told['sent']:.3f}", flush=True)

    async def do_ping(self, arg):
        self.telemetry("pong", arg)
"""
SENDER: Final = f"""\
import itertools
import time

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._send)

    async def _send(self):
        for count in itertools.count():
            number = f"worker-{{count}}"
            told = {{"number": number, "sent": time.monotonic()}}
            self.command(f"counter{{count % 2}}", "run", told, id=number)
            await anyio.sleep({PACE_S})
"""
COUNTERS: Final = ("counter0", "counter1")
LAMPS: Final = tuple(f"lamp{number:02}" for number in range(17))
TOLD: Final = (*LAMPS, *COUNTERS, "sender", "worker_host")
ANSWERING: Final = (*LAMPS, *COUNTERS)
#: How long it is left alone, in seconds: from .. to.
BETWEEN_S: Final = (0.2, 0.6)
#: How long the broker is away, in seconds: from .. to, and each so many-th time long enough for a command to be too old.
AWAY_S: Final = (0.05, 0.8)
LONG_AWAY_S: Final = 6.0
LONG_EVERY: Final = 20
#: What a command is worth, and what it may take from its age's last look to its handler, in seconds.
TTL_S: Final = 5.0
ON_ITS_WAY_S: Final = 0.5
#: A command is answered in so many seconds, once every prop is `online`.
ANSWER_S: Final = 2.0


@attrs.define
class Seen:
    """Of every return of the broker: seconds until the last birth, and how many props then gave no answer.

    Of every command its age in seconds whenever it ran, by house and number.
    """

    births: list[float] = attrs.Factory(list)
    mute: list[float] = attrs.Factory(list)
    runs: dict[str, list[float]] = attrs.Factory(lambda: defaultdict(list))


class Bystander:
    """Hears births and answers over all the broker's lives.

    Of a broker that remembers, its session outlives the broker: it subscribes once, and hears nothing that was retained before.
    """

    def __init__(self, broker: Mosquitto, *, remembered: bool) -> None:
        self.audience: Audience | None = None
        self._broker = broker
        self._remembered = remembered
        self._subscribed = False
        self._news = trio.Event()

    async def run(self) -> None:
        async def listen(client: Client) -> None:
            if not (self._remembered and self._subscribed):
                await client.subscribe([("halloween/+/status/availability", 1), ("halloween/+/telemetry/pong", 1)])
                self._subscribed = True
            self.audience = Audience(client)
            self._news.set()
            await self.audience.run()

        await _again_and_again(self._broker, "bystander", listen, clean_session=False)

    def leave(self) -> None:
        """From here on `attend` means the next life."""
        self.audience, self._news = None, trio.Event()

    async def attend(self) -> Audience:
        await self._news.wait()
        assert self.audience is not None
        return self.audience


class Operator:
    """Sends numbered commands, and each again that was not acknowledged when the connection was lost."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self._waiting: deque[tuple[str, str]] = deque()
        self._news = trio.Event()

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_again_and_again, self._broker, "operator", self._publish)
            for count in itertools.count():
                number = f"operator-{count}"
                told = {"number": number, "sent": time.monotonic()}
                command = {"action": "run", "args": told, "id": number, "ts": time.time(), "ttl": TTL_S}
                self._waiting.append((topics.command(COUNTERS[count % 2]), json.dumps(command)))
                self._news.set()
                await trio.sleep(PACE_S)

    async def _publish(self, client: Client) -> None:
        while True:
            while self._waiting:
                await client.publish(*self._waiting[0], qos=1)
                self._waiting.popleft()
            self._news = trio.Event()
            await self._news.wait()


async def _again_and_again(
    broker: Mosquitto, name: str, serve: Callable[[Client], Awaitable[None]], *, clean_session: bool = True
) -> None:
    """Serve on each connection until it is lost; ends by cancellation."""
    while True:
        try:
            async with Client(broker.host, broker.port, identifier=name, clean_session=clean_session) as client:
                await serve(client)
        except MqttError:
            await trio.sleep(0.005)


async def measure(scene: Scene) -> list[Finding]:
    """Half of the `times` with a broker that saved all just before, half with one that comes back empty."""
    seen, half = Seen(), scene.times // 2
    await _live(scene, range(half), seen, remembered=True)
    await _live(scene, range(half, scene.times), seen, remembered=False)
    return _findings(seen)


async def _live(scene: Scene, numbers: range, seen: Seen, *, remembered: bool) -> None:
    """A host and a broker that is killed for each of `numbers`."""
    folder = scene.folder()
    haunt = _furnished(folder)
    with running(Mosquitto(folder=folder, persistent=remembered)) as broker:
        bystander, operator = Bystander(broker, remembered=remembered), Operator(broker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bystander.run)
            audience = await bystander.attend()
            async with haunt.host(broker) as host:
                await audience.each_says("online", TOLD)
                nursery.start_soon(operator.run)
                for number in numbers:
                    await trio.sleep(random.uniform(*BETWEEN_S))
                    if remembered:
                        await trio.to_thread.run_sync(broker.save)
                    bystander.leave()
                    broker.kill()
                    await trio.sleep(LONG_AWAY_S if number % LONG_EVERY == LONG_EVERY - 1 else random.uniform(*AWAY_S))
                    await _return(broker, bystander, str(number), seen)
                    scene.progress(number + 1, scene.times)
                await trio.sleep(ON_ITS_WAY_S)
                await host.stop()
            nursery.cancel_scope.cancel()
    for line in host.lines:
        if ran := re.search(r"\bran (\S+) ([\d.]+)$", line):
            seen.runs[f"{remembered} {ran[1]}"].append(float(ran[2]))


def _furnished(folder: Path) -> Haunt:
    haunt = Haunt(folder)
    for number, prop in enumerate(LAMPS):
        haunt.prop(prop, both(LAMP, number))
    for number, prop in enumerate(COUNTERS):
        haunt.prop(prop, both(COUNTER, number))
    haunt.prop("sender", SENDER)
    return haunt


async def _return(broker: Mosquitto, bystander: Bystander, number: str, seen: Seen) -> None:
    """Counted from before the broker's process is started."""
    at = time.monotonic()
    await trio.to_thread.run_sync(broker.start)
    audience = await bystander.attend()
    seen.births.append(max((await audience.each_says("online", TOLD)).values()) - at)
    for prop in ANSWERING:
        await audience.client.publish(topics.command(prop), f"ping {number}", qos=1)

    def answered() -> set[str]:
        return {each.prop for each in audience.seen if each.topic.endswith("/pong") and each.payload == number}

    with trio.move_on_after(ANSWER_S):
        await audience.until(lambda: len(answered()) == len(ANSWERING), "answers")
    seen.mute.append(len(ANSWERING) - len(answered()))


def _findings(seen: Seen) -> list[Finding]:
    for sender in ("operator", "worker"):
        if (ran := sum(sender in number for number in seen.runs)) < len(seen.births):
            raise FaultError(f"of the commands of the {sender} only {ran} were run at all")
    ages = [age for runs in seen.runs.values() for age in runs]
    return [
        Finding("every birth out after it is back", seen.births, "s", (Limit("max", 2.0),)),
        Finding(f"props that do not answer then, in {ANSWER_S:g} s", seen.mute, "props", (Limit("sum", 0),)),
        Finding(
            "numbered commands run again",
            [len(runs) - 1 for runs in seen.runs.values()],
            "commands",
            (Limit("sum", 0),),
        ),
        Finding(
            f"numbered commands run when they were stale, older than {TTL_S:g} s",
            [float(age > TTL_S + ON_ITS_WAY_S) for age in ages],
            "commands",
            (Limit("sum", 0),),
        ),
    ]


FAULTS = (
    Fault(
        "broker-killed",
        "broker SIGKILLed and restarted, half without its memory",
        times=100,
        quick_times=2,
        measure=measure,
    ),
)
