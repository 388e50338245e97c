"""Every public operation of `halloween_host.mqtt.Client` on a real mosquitto, cancelled after each step that it takes."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from faults.rows._injection import injected, live_tasks, only_our_threads
from faults.rows._verdicts import Verdict, Verdicts
from halloween_host.mqtt import Client, MqttError, ProtocolVersion, Will
from tests.listener import Listener
from tests.mosquitto import Mosquitto

__all__ = ["OPERATIONS", "Surroundings", "cancel_client_operations"]

#: Seconds within which the next operation of the same client must be through.
NEXT_S: Final = 5.0
SMALL: Final = b"open 2"
#: More than the client's out-buffer and the kernel's take at once: it leaves in many pieces.
LARGE: Final = b"x" * 600_000
#: Messages that wait for whoever iterates.
WAITING: Final = tuple(b"message %d" % number for number in range(5))


@attrs.frozen
class Surroundings:
    """What a client is opened with. `fast`: PUBLISH packets pass paho by."""

    protocol: ProtocolVersion
    fast: bool

    def client(self, broker: Mosquitto, window: int = 20) -> Client:
        return Client(
            broker.host, broker.port, protocol=self.protocol, fast_path=self.fast, max_inflight_messages=window
        )


@attrs.define
class Case:
    """One injection: the client, what it publishes and where, and what it took from `messages`."""

    client: Client
    topic: str
    payload: bytes = SMALL
    taken: list[bytes] = attrs.field(factory=list)


async def _nothing(case: Case) -> None:
    await trio.lowlevel.checkpoint()


@attrs.frozen
class Operation:
    """`prepare` is done before, and not cancelled. `copies`: how often its payload is on the broker when nothing is cancelled."""

    name: str
    run: Callable[[Case], Awaitable[object]]
    prepare: Callable[[Case], Awaitable[object]] = _nothing
    payload: bytes = SMALL
    copies: int = 0
    window: int = 20
    stride: int = 1


async def _publish(qos: int, timeout: float | None, case: Case) -> None:
    await case.client.publish(case.topic, case.payload, qos, timeout=timeout)


async def _receipt(case: Case) -> None:
    await case.client.publish_nowait(case.topic, case.payload, 1).wait()


async def _corked(case: Case) -> None:
    with case.client.corked():
        receipt = case.client.publish_nowait(case.topic, case.payload, 1)
    await receipt.wait()


async def _fill_the_window(case: Case) -> None:
    case.client.publish_nowait(f"{case.topic}/before", SMALL, 1)


async def _fill_the_buffer(case: Case) -> None:
    case.client.publish_nowait(f"{case.topic}/before", LARGE, 0)


async def _room(case: Case) -> None:
    await case.client.room()


async def _subscribe(case: Case) -> None:
    await case.client.subscribe([(f"{case.topic}/a", 2), (f"{case.topic}/b", 0), (f"{case.topic}/c", 1)])


async def _unsubscribe(case: Case) -> None:
    await case.client.unsubscribe([f"{case.topic}/a", f"{case.topic}/never"])


async def _many_questions(case: Case) -> None:
    """More than may be unanswered at once: what one of them kept would be missed here."""
    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(case.client.subscribe, f"{case.topic}/many/{number}")


async def _let_messages_wait(case: Case) -> None:
    await case.client.subscribe(f"{case.topic}/in", 1)
    for payload in WAITING:
        await case.client.publish(f"{case.topic}/in", payload, 1)


async def _iterate(case: Case) -> None:
    async for message in case.client.messages:
        case.taken.append(bytes(message.payload))
        if len(case.taken) == len(WAITING):
            return


async def _batch(case: Case) -> None:
    while len(case.taken) < len(WAITING):
        case.taken += [bytes(message.payload) for message in await case.client.messages.batch()]


async def _wait_disconnected(case: Case) -> None:
    with trio.move_on_after(0.01):
        await case.client.wait_disconnected()


OPERATIONS: Final = (
    *(
        Operation(
            f"publish QoS {qos}{f' within {timeout:g} s' if timeout else ''}", partial(_publish, qos, timeout), copies=1
        )
        for qos in (0, 1, 2)
        for timeout in (None, 4.0)
    ),
    Operation("publish 600 kB", partial(_publish, 1, None), payload=LARGE, copies=1),
    Operation("publish behind a full window", partial(_publish, 1, None), _fill_the_window, copies=1, window=1),
    Operation("publish behind a full buffer", partial(_publish, 1, None), _fill_the_buffer, copies=1),
    Operation("publish_nowait and its receipt", _receipt, copies=1),
    Operation("publish corked", _corked, copies=1),
    Operation("room", _room, _fill_the_buffer),
    Operation("subscribe", _subscribe),
    Operation("unsubscribe", _unsubscribe, _subscribe),
    Operation("300 subscriptions at once", _many_questions, stride=25),
    Operation("iterate messages", _iterate, _let_messages_wait),
    Operation("messages.batch", _batch, _let_messages_wait),
    Operation("wait_disconnected", _wait_disconnected),
)


async def cancel_client_operations(folder: Path, verdicts: Verdicts, stride: int, progress: Callable[[], None]) -> None:
    """All operations, over MQTT 5 and 3.1.1, past paho and through it; every `stride`-th step of each is cancelled."""
    broker = Mosquitto(folder=folder)
    broker.start()
    try:
        async with broker.listen("#", qos=2) as listener:
            for protocol, fast in itertools.product((ProtocolVersion.V5, ProtocolVersion.V311), (True, False)):
                trials = _Trials(broker, listener, Surroundings(protocol, fast), verdicts)
                for operation in OPERATIONS:
                    await trials.cancel_everywhere(operation, stride * operation.stride)
                    progress()
                await trials.cancel_the_connection(stride)
    finally:
        broker.stop()


@attrs.define
class _Trials:
    _broker: Mosquitto
    _listener: Listener
    _surroundings: Surroundings
    _verdicts: Verdicts
    _number: int = 0

    def _topic(self) -> str:
        self._number += 1
        return f"{self._surroundings.protocol.name}/{'fast' if self._surroundings.fast else 'paho'}/{self._number}"

    async def cancel_everywhere(self, operation: Operation, stride: int) -> None:
        _, idle_tasks = await self._cancelled_at(operation, 10**9, None)
        for at in itertools.count(1, stride):
            done, _ = await self._cancelled_at(operation, at, idle_tasks)
            if not done:
                return

    async def _cancelled_at(self, operation: Operation, at: int, idle_tasks: int | None) -> tuple[bool, int]:
        """Whether it was cancelled before it ended, and how many tasks were there afterwards; `idle_tasks` are as many as may."""
        topic = self._topic()
        where = f"{operation.name} ({topic}), cancelled at step {at}"
        async with (
            _leaving_nothing() as left,
            self._surroundings.client(self._broker, operation.window) as client,
        ):
            case = Case(client, topic, operation.payload)
            await operation.prepare(case)
            done = await injected(at, partial(operation.run, case))
            held = await _trouble_of_the_next(case, operation.prepare is _let_messages_wait)
            copies = None if held else await self._copies(case)
            await wait_all_tasks_blocked()
            tasks = len(live_tasks())
        if idle_tasks is not None:
            whole = copies is None or (set(copies) <= {operation.payload} and len(copies) in _allowed(operation, done))
            leaked = [f"{tasks - idle_tasks} tasks more"] if tasks > idle_tasks else []
            half = "" if whole else f"{len(copies or ())} copies"
            self._verdicts.add(where, Verdict(", ".join([*leaked, *left]), held or "", half))
        return done, tasks

    async def _copies(self, case: Case) -> list[bytes]:
        """What a subscriber saw on the case's topic; the last word of the same client there shows that nothing follows."""
        await case.client.publish(case.topic, b"the last word", 2)
        await self._listener.expect(f"{case.topic} the last word")
        lines = [line for line in self._listener.lines if line.topic == case.topic]
        self._listener.lines.clear()
        self._listener._matched.clear()
        return [line.payload for line in lines if line.payload != b"the last word"]

    async def cancel_the_connection(self, stride: int) -> None:
        """`async with Client(…)` itself: opening, a publish, and the good-bye."""
        for at in itertools.count(1, stride):
            topic = self._topic()
            async with _leaving_nothing() as left:
                done = await injected(at, partial(self._connect_and_publish, topic))
            async with self._surroundings.client(self._broker) as client:  # neither refused, nor taken for the other
                copies = await self._copies(Case(client, topic))
            whole = set(copies) <= {SMALL} and len(copies) <= 1
            self._verdicts.add(
                f"connect, publish, close ({topic}), cancelled at step {at}",
                Verdict(", ".join(left), "", "" if whole else f"{copies}"),
            )
            if not done:
                return

    async def _connect_and_publish(self, topic: str) -> None:
        async with Client(
            self._broker.host,
            self._broker.port,
            identifier="always-the-same",
            protocol=self._surroundings.protocol,
            fast_path=self._surroundings.fast,
            will=Will(f"{topic}/will", b"gone", qos=1),
        ) as client:
            await client.publish(topic, SMALL, 1)


def _allowed(operation: Operation, cancelled: bool) -> tuple[int, ...]:
    return tuple(range(operation.copies + 1)) if cancelled else (operation.copies,)


async def _trouble_of_the_next(case: Case, messages_wait: bool) -> str:
    """What of the next operations of the same client fails or takes too long; "" when all are well."""
    client, topic = case.client, f"{case.topic}/next"
    try:
        with trio.fail_after(NEXT_S):
            granted = await client.subscribe([(topic, 1), (f"{topic}/2", 0)])
            if granted != (1, 0):
                return f"a subscription was granted {granted}"
            await client.unsubscribe(f"{topic}/2")
            for qos in (0, 1, 2):
                await client.publish(f"{topic}/2", b"well", qos)
            await client.publish(topic, b"well", 1)
            rest = [bytes((await anext(client.messages)).payload)]
            while rest[-1] != b"well":
                rest.append(bytes((await anext(client.messages)).payload))
    except (MqttError, trio.TooSlowError) as error:
        return f"the next operation: {error!r}"
    if messages_wait and [*case.taken, *rest[:-1]] != list(WAITING):
        return f"messages were lost: {case.taken} and then {rest}"
    return ""


@asynccontextmanager
async def _leaving_nothing() -> AsyncIterator[list[str]]:
    """What is still there of what began inside, told once it is left."""
    left: list[str] = []
    before = (live_tasks(), only_our_threads(), len(list(_descriptors())))
    yield left
    with trio.move_on_after(NEXT_S):  # a thread that was given up closes its socket a moment later
        while len(list(_descriptors())) > before[2] or only_our_threads() > before[1]:  # noqa: ASYNC110
            await trio.sleep(0.001)
    tasks, threads, descriptors = live_tasks(), only_our_threads(), len(list(_descriptors()))
    if len(tasks) > len(before[0]):
        left.append(f"tasks: {tasks}")
    if threads > before[1]:
        left.append(f"threads: {threads - before[1]}")
    if descriptors > before[2]:
        left.append(f"{descriptors - before[2]} open files")


def _descriptors() -> Iterator[str]:
    yield from os.listdir("/proc/self/fd")  # noqa: PTH208
