"""Every public operation of `halloween_host.mqtt.Client`, in any event loop, and what must hold of it afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import anyio
import anyio.lowlevel
import attrs

from halloween_host.mqtt import Client, MqttError, ProtocolVersion, Will
from tests.mosquitto import Mosquitto

__all__ = ["OPERATIONS", "SURROUNDINGS", "Case", "Operation", "Surroundings", "trouble_of_the_next"]

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

    def client(self, broker: Mosquitto, **arguments: Any) -> Client:
        return Client(broker.host, broker.port, protocol=self.protocol, fast_path=self.fast, **arguments)

    async def connect_and_publish(self, broker: Mosquitto, topic: str) -> None:
        """A whole connection, always of the same name."""
        will = Will(f"{topic}/will", b"gone", qos=1)
        async with self.client(broker, identifier="always-the-same", will=will) as client:
            await client.publish(topic, SMALL, 1)

    def __str__(self) -> str:
        return f"{self.protocol.name}/{'fast' if self.fast else 'paho'}"


@attrs.define
class Case:
    """One injection: the client, what it publishes and where, and what it took from `messages`."""

    client: Client
    topic: str
    payload: bytes = SMALL
    taken: list[bytes] = attrs.field(factory=list)


async def _nothing(case: Case) -> None:
    await anyio.lowlevel.checkpoint()


@attrs.frozen
class Operation:
    """`prepare` is done before, and not cancelled.

    `copies`: how often its payload is on the broker when nothing is cancelled. `thinned`: where not every step is
    cancelled, of this operation's only each so-many-th of those that would be.
    """

    name: str
    run: Callable[[Case], Awaitable[object]]
    prepare: Callable[[Case], Awaitable[object]] = _nothing
    payload: bytes = SMALL
    copies: int = 0
    window: int = 20
    thinned: int = 1

    def whole(self, seen: list[bytes], cancelled: bool) -> bool:
        """Whether a subscriber may have `seen` this."""
        fewest = 0 if cancelled else self.copies
        return set(seen) <= {self.payload} and fewest <= len(seen) <= self.copies


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
    async with anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(case.client.subscribe, f"{case.topic}/many/{number}")


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
    with anyio.move_on_after(0.01):
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
    Operation("300 subscriptions at once", _many_questions, thinned=25),
    Operation("iterate messages", _iterate, _let_messages_wait),
    Operation("messages.batch", _batch, _let_messages_wait),
    Operation("wait_disconnected", _wait_disconnected),
)
SURROUNDINGS: Final = tuple(
    Surroundings(protocol, fast)
    for protocol, fast in itertools.product((ProtocolVersion.V5, ProtocolVersion.V311), (True, False))
)


async def trouble_of_the_next(case: Case, operation: Operation) -> str:
    """What of the next operations of the same client fails or takes too long; "" when all are well."""
    client, topic = case.client, f"{case.topic}/next"
    try:
        with anyio.fail_after(NEXT_S):
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
    except (MqttError, TimeoutError) as error:
        return f"the next operation: {error!r}"
    if operation.prepare is _let_messages_wait and [*case.taken, *rest[:-1]] != list(WAITING):
        return f"messages were lost: {case.taken} and then {rest}"
    return ""
