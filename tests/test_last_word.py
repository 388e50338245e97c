"""A host that ends by a defect of its own leaves no prop online: DISCONNECT calls a will off, so the link says it first."""

from __future__ import annotations

import pytest
import trio

from halloween_host.dial import open_dial
from halloween_host.link import Link
from halloween_host.mqtt import AnyClient, ProtocolVersion, Will
from halloween_host.settings import BrokerSettings
from tests.mosquitto import Mosquitto

TOPIC = "halloween/coffin/status/availability"
WILL = Will(TOPIC, b"offline", qos=1, retain=True)


class Defect(Exception):
    pass


def link_to(broker: Mosquitto, protocol: ProtocolVersion, serving: trio.Event, defect: trio.Event) -> Link:
    async def session(client: AnyClient) -> None:
        await client.publish(TOPIC, "online", 1, True)
        serving.set()
        await defect.wait()
        raise Defect

    settings = BrokerSettings(
        broker.host, port=broker.port, protocol="5" if protocol is ProtocolVersion.V5 else "3.1.1"
    )
    return Link(settings, open_dial(settings), session, client_id="host", will=WILL, taken_over=lambda evidence: None)


async def _fails(link: Link) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await link.run()
    assert caught.group_contains(Defect)


@pytest.mark.parametrize("protocol", [ProtocolVersion.V5, ProtocolVersion.V311])
async def test_a_defect_says_the_will(broker: Mosquitto, protocol: ProtocolVersion) -> None:
    defect = trio.Event()
    async with broker.listen(TOPIC) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fails, link_to(broker, protocol, trio.Event(), defect))
            await listener.expect(f"{TOPIC} online")
            defect.set()
        await listener.expect(f"{TOPIC} offline")


async def test_a_cancelled_link_says_the_will(broker: Mosquitto) -> None:
    async with broker.listen(TOPIC) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(link_to(broker, ProtocolVersion.V5, trio.Event(), trio.Event()).run)
        await listener.expect(f"{TOPIC} online")
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await listener.expect(f"{TOPIC} offline")


async def test_a_silent_link_says_nothing(broker: Mosquitto) -> None:
    """The topics are another host's: what stands there is that one's word."""
    serving = trio.Event()
    link = link_to(broker, ProtocolVersion.V5, serving, trio.Event())
    async with broker.listen(TOPIC) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            await serving.wait()
            link.fall_silent()
            nursery.cancel_scope.cancel()
        await broker.publish(TOPIC, "the other's")
        await listener.expect(f"{TOPIC} the other's")
        assert listener.lines == [f"{TOPIC} online", f"{TOPIC} the other's"]
