"""Commands over the whole host on the stage: MQTT 5's response topic there and back, and acks while the broker is away."""

from __future__ import annotations

import json

import anyio

from halloween_host import BaseWorker
from halloween_host.mqtt import PacketTypes, Properties
from halloween_host.testing import BrokerEvent, rehearsal, rehearse


class Coffin(BaseWorker):
    async def do_open(self, angle: int) -> int:
        await anyio.sleep(4)
        return angle * 2


@rehearsal
async def test_an_answer_goes_where_its_asker_wants_it() -> None:
    """Response topic and correlation data pass the broker, the router, the dispatcher, the outbox and the bridge."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
    properties.ResponseTopic, properties.CorrelationData = "halloween/phone/answers", b"\x00\x01"
    async with rehearse({"coffin": Coffin}) as show:
        events: list[BrokerEvent] = []
        show.broker.observers.append(events.append)
        await show.expect("coffin/status/availability", "online")
        show.broker.publish("halloween/coffin/cmd", b"open 45", properties=properties)
        accepted = await show.expect("phone/answers")
        done = await show.expect("phone/answers")
        show.broker.observers.remove(events.append)
    assert [json.loads(each)["outcome"] for each in (accepted, done)] == ["accepted", "done"]
    assert json.loads(done) == {
        "id": None,
        "command": "open",
        "outcome": "done",
        "error": None,
        "result": 90,
        "took_ms": 4000,
    }


@rehearsal
async def test_an_ack_waits_for_the_broker() -> None:
    """A handler that ends while the broker is away is told of when it is back; none of several acks replaces another."""
    async with rehearse({"coffin": Coffin}) as show:
        await show.expect("coffin/status/availability", "online")
        for number in range(3):
            show.send("coffin", "open", number, id=number)
        await show.run_for(1)
        show.broker.down(for_s=10)
        for _ in range(3):
            text = await show.expect("coffin/ack", lambda text: '"done"' in text, within_s=30)
            assert json.loads(text)["took_ms"] == 4000
