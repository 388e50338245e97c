"""No packet identifier ever stands for two things in flight (MQTT 5, section 2.2.1), whoever encodes the packet: we or paho."""

from __future__ import annotations

import random

import anyio
import pytest
from anyio.abc import SocketStream

from halloween_host.mqtt import Client, MqttError
from halloween_host.mqtt._identifiers import MOST_ASKED, MOST_IN_FLIGHT, Identifiers
from tests.mqtt.backends import on_both, scripted_broker
from tests.mqtt.stub import StubBroker

both_paths = pytest.mark.parametrize("fast_path", [True, False])


@both_paths
@on_both
async def test_everything_at_once(fast_path: bool) -> None:
    """2,000 publishes of QoS 1 and 2, subscriptions and their ends from many tasks, answered in any order: none shares its number."""
    dice = random.Random(13)
    stub = StubBroker()
    done: list[int] = []

    async def one(client: Client, number: int) -> None:
        match number % 4:
            case 0 | 1:
                await client.publish("t", str(number), qos=1 + number % 2)
            case 2:
                await client.subscribe(f"filter/{number}")
            case _:
                await client.unsubscribe(f"filter/{number}")
        done.append(number)

    async def answer() -> None:
        while True:
            await stub.until(1)
            some = dice.sample(list(stub.in_flight), dice.randint(1, len(stub.in_flight)))
            await stub.answer(some)

    async with (
        scripted_broker(stub.serve) as port,
        Client("127.0.0.1", port, max_inflight_messages=300, fast_path=fast_path) as client,
        anyio.create_task_group() as answering,
    ):
        answering.start_soon(answer)
        async with anyio.create_task_group() as tasks:
            for number in range(2_000):
                tasks.start_soon(one, client, number)
        answering.cancel_scope.cancel()
    assert sorted(done) == list(range(2_000))
    assert stub.numbered == 2_000


async def test_all_identifiers_in_use() -> None:
    """70,000 publishes at once: as many go out as there are numbers, but for some kept for subscriptions; the rest waits in line,
    takes the numbers again as they come free, and goes out in order."""
    stub = StubBroker()
    numbers = range(70_000)
    async with (
        scripted_broker(stub.serve) as port,
        Client("127.0.0.1", port, max_inflight_messages=100_000, fast_path=True) as client,
    ):
        receipts = [client.publish_nowait("t", str(number), 1) for number in numbers]
        await stub.until(MOST_IN_FLIGHT)
        assert MOST_IN_FLIGHT > 65_000
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.subscribe, "still/room")
            await stub.until(MOST_IN_FLIGHT + 1)
            stub.holding = False
            await stub.answer(list(stub.in_flight))
        for receipt in receipts:
            await receipt.wait()
    assert stub.payloads == [str(number).encode() for number in numbers]
    assert not stub.in_flight


@both_paths
async def test_more_is_asked_than_there_are_identifiers(fast_path: bool) -> None:
    """Beside a full window 600 subscriptions and ends of them wait for each other, and a publish of QoS 0 for nobody; all are
    answered as the broker answers, in whatever order."""
    stub = StubBroker()
    async with (
        scripted_broker(stub.serve) as port,
        Client("127.0.0.1", port, max_inflight_messages=100_000, fast_path=fast_path, timeout=30) as client,
        anyio.create_task_group() as tasks,
    ):
        for number in range(300):
            tasks.start_soon(client.subscribe, f"filter/{number}")
            tasks.start_soon(client.unsubscribe, f"filter/{number}")
        await stub.until(MOST_ASKED)
        receipts = [client.publish_nowait("t", str(number), 1) for number in range(66_000)]
        await stub.until(MOST_IN_FLIGHT + MOST_ASKED)
        await client.publish("t", "at once", 0)
        while b"at once" not in stub.payloads:
            await stub.came()
        assert len(stub.in_flight) == MOST_IN_FLIGHT + MOST_ASKED
        stub.holding = False
        await stub.answer(list(stub.in_flight))
        for receipt in receipts:
            await receipt.wait()
    assert stub.numbered == 66_600


@on_both
async def test_a_lost_connection_ends_every_question() -> None:
    """Those that were sent and those that wait for them to be answered."""
    stub = StubBroker()
    errors: list[str] = []

    async def ask(client: Client, number: int) -> None:
        with pytest.raises(MqttError) as caught:
            await client.subscribe(f"filter/{number}")
        errors.append(str(caught.value))

    async def serve(stream: SocketStream) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stub.serve, stream)
            await stub.until(MOST_ASKED)
            tasks.cancel_scope.cancel()

    async with scripted_broker(serve) as port, Client("127.0.0.1", port) as client, anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(ask, client, number)
    assert len(errors) == 300


def test_they_come_round_and_skip_what_is_in_use() -> None:
    """After 65,535 comes 1; never 0, never one in use; when none is free, it says so."""
    identifiers = Identifiers()
    assert [identifiers.next() for _ in range(65_536)] == [*range(1, 65_536), 1]
    used, others = {2, 3, 5}, {4: "in use too"}
    identifiers.in_use = (used, others)
    assert [identifiers.next() for _ in range(2)] == [6, 7]
    identifiers.in_use = (range(1, 65_536),)
    with pytest.raises(RuntimeError, match="all 65,535"):
        identifiers.next()
