"""The queue behind `client.messages` is fair, bounded, and may be shared."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from halloween_host.mqtt import Message, Messages, MqttCodeError, MqttError, Topic
from tests.mqtt.backends import on_both


def queue_of(count: int, capacity: int | None = None) -> Messages:
    messages = Messages(capacity, lambda dropped: None)
    for number in range(count):
        messages.put(Message(Topic("t"), str(number).encode()))
    return messages


@on_both
async def test_a_long_batch_starves_nobody() -> None:
    """Whoever iterates lets others run at least every 512 messages, and a batch is no longer than that."""
    messages = queue_of(4_000)
    turns: list[int] = []

    async def neighbour() -> None:
        while True:
            turns.append(len(messages))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(neighbour)
        for _ in range(3_500):
            await anext(messages)
        assert len(set(turns)) >= 3
        assert len(await messages.batch()) == 500
        tasks.cancel_scope.cancel()
    assert len(await queue_of(513).batch()) == 512


@on_both
async def test_several_tasks_share_what_arrives() -> None:
    """Each message is taken once, none is lost between them, and all are told the end."""
    messages = queue_of(0)
    taken: list[int] = []
    ended: list[int] = []

    async def take() -> None:
        async for message in messages:
            taken.append(int(message.payload))
            await anyio.lowlevel.checkpoint()

    async def take_until_the_end() -> None:
        with pytest.raises(MqttCodeError, match="gone: session taken over") as caught:
            await take()
        ended.append(caught.value.reason_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(take_until_the_end)
        for number in range(100):
            messages.put(Message(Topic("t"), str(number).encode()))
            if number % 7 == 0:
                await anyio.wait_all_tasks_blocked()
        messages.end(MqttCodeError(142, "gone"))
        messages.end(MqttError("the second end does not count"))
    assert sorted(taken) == list(range(100))
    assert ended == [142] * 3


@on_both
async def test_a_cancelled_wait_takes_nothing() -> None:
    """A message that arrives after a cancelled wait is there for the next one."""
    messages = queue_of(0)
    with anyio.move_on_after(0.01):
        await messages.batch()
    messages.put(Message(Topic("t"), b"1"))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await messages.batch()
    assert [message.payload for message in await messages.batch()] == [b"1"]


def test_beyond_its_capacity_the_newest_goes() -> None:
    """What was there stays, what was dropped is counted; without a capacity nothing is."""
    messages = queue_of(15, capacity=10)
    assert (len(messages), messages.dropped) == (10, 5)
    assert len(queue_of(15)) == 15


def test_a_sink_is_told_which_message_is_the_last() -> None:
    """Of all that waits: those of the next turn are none that nothing follows."""
    messages, told = queue_of(250), list[tuple[int, bool]]()
    messages.sink = lambda message, last: told.append((int(message.payload), last))
    messages.pour()
    assert told == [(number, False) for number in range(200)]
    messages.pour()
    assert told[200:] == [(number, number == 249) for number in range(200, 250)]
