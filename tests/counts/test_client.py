"""The client reads and writes many messages a system call, makes few calls for each, and sleeps only when nothing is to do."""

from __future__ import annotations

from typing import Final

import pytest
import trio

from halloween_host.mqtt import Client, ProtocolVersion
from tests.counts.meters import counting
from tests.counts.wire import TOPIC, Stub, stream_of

MESSAGES: Final = 10_000

pytestmark = pytest.mark.usefixtures("fast_path")
both_versions: Final = pytest.mark.parametrize("version", [ProtocolVersion.V311, ProtocolVersion.V5])


def client_of(stub: Stub, version: ProtocolVersion = ProtocolVersion.V311) -> Client:
    return Client("127.0.0.1", stub.port, protocol=version, keepalive=600, max_inflight_messages=1_000)


# 10,000 messages are 7 reads of 64 KiB; the stub's thread cannot always keep up, and each read has its wait and its turns of the
# loop: 40 to 50 system calls, of which twice as many would still be none a message. paho's parser alone makes 80 calls a message.
@both_versions
@pytest.mark.parametrize(("qos", "calls"), [(0, 13), (1, 14)])
async def test_received(version: ProtocolVersion, qos: int, calls: float) -> None:
    """At QoS 1 the acknowledgements of all that one read brought leave in one write."""
    with Stub(version) as stub:
        async with client_of(stub, version) as client:
            with counting() as cost:
                stub.feed(stream_of(MESSAGES, qos, version))
                got = 0
                async for _ in client.messages:
                    got += 1
                    if got == MESSAGES:
                        break
    cost.check(MESSAGES, calls=calls, system=0.01, steps=0.01, sleeps=0.001)


# A turn of the loop for each hundred, and a write in it. At QoS 1 the window of 1,000 opens as the acknowledgements come.
@both_versions
@pytest.mark.parametrize(("qos", "calls", "system", "steps"), [(0, 24, 0.034, 0.034), (1, 42, 0.12, 0.06)])
async def test_published_in_bunches(
    version: ProtocolVersion, qos: int, calls: float, system: float, steps: float
) -> None:
    """All that is published before the loop turns leaves in one write."""
    with Stub(version) as stub:
        async with client_of(stub, version) as client:
            with counting() as cost:
                for _ in range(MESSAGES // 100):
                    for _ in range(99):
                        client.publish_nowait(TOPIC, "21.5", qos)
                    await client.publish(TOPIC, "21.5", qos)
    cost.check(MESSAGES, calls=calls, system=system, steps=steps)


# A step for a checkpoint, another one for an acknowledgement; Trio's own checkpoint is a hundred calls.
@pytest.mark.parametrize(("qos", "calls", "steps"), [(0, 158, 1.05), (1, 127, 1.08)])
async def test_published_from_100_tasks(qos: int, calls: float, steps: float) -> None:
    """A hundred tasks that wait each for its own message share their writes and their wake-ups."""
    with Stub(ProtocolVersion.V311) as stub:
        async with client_of(stub) as client:

            async def publish() -> None:
                for _ in range(MESSAGES // 100):
                    await client.publish(TOPIC, "21.5", qos)

            with counting() as cost:
                async with trio.open_nursery() as nursery:
                    for _ in range(100):
                        nursery.start_soon(publish)
    cost.check(MESSAGES, calls=calls, system=0.12, steps=steps, sleeps=0.02)
