"""What a broker does under MQTT 5 alone: expiry, properties, subscription options, delayed wills; see `scenarios`."""

from __future__ import annotations

from typing import Any, Final

from halloween_host.mqtt import PacketTypes, SubscribeOptions, Will
from tests.testing.scenarios import Scenario
from tests.testing.yards import Yard, properties

__all__ = ["SCENARIOS_MQTT_5"]


async def expires(yard: Yard) -> None:
    """Retained and queued messages are gone when their time is over; else the seconds that remain go with them."""
    async with yard.connect("pub") as pub:
        async with yard.connect("sub", session_s=600) as sub:
            await sub.subscribe("x/#", 1)
            await pub.publish("x/live", "1", 1, properties=properties(MessageExpiryInterval=100))
            await yard.all("sub", sub)
        for name, seconds in (("short", 1), ("long", 100)):
            await pub.publish(f"x/{name}", "queued", 1, properties=properties(MessageExpiryInterval=seconds))
            await pub.publish(f"y/{name}", "kept", 1, True, properties(MessageExpiryInterval=seconds))
        await pub.publish("x/ever", "queued", 1)
        await yard.pass_seconds(3)
        async with yard.connect("sub", session_s=600) as sub:
            await yard.all("sub", sub)
            await sub.subscribe("y/#", 1)
            await yard.all("sub", sub)
        await pub.publish("y/long", "", 1, retain=True)


async def carries_properties(yard: Yard) -> None:
    """What a publisher says to its subscribers passes; a will's properties do too."""
    told: dict[str, Any] = {
        "ResponseTopic": "answers/here",
        "CorrelationData": b"\x00\x01",
        "UserProperty": [("k", "v"), ("k", "w")],
        "ContentType": "text/plain",
    }
    async with yard.connect("sub") as sub:
        await sub.subscribe("p/#", 1)
        await sub.publish("p/1", "x", 1, properties=properties(**told))
        await yard.hear("sub", sub)
        will = Will("p/will", "y", 1, properties=properties(PacketTypes.WILLMESSAGE, MessageExpiryInterval=60, **told))
        async with yard.connect("a", will=will):
            await yard.drop("a")
            await yard.hear("sub", sub)


async def follows_options(yard: Yard) -> None:
    """No local, retain as published and retain handling do what MQTT 5, section 3.8.3.1, says."""
    async with yard.connect("a") as a, yard.connect("b") as b:
        await a.publish("o/r", "kept", 1, retain=True)
        await a.subscribe("o/#", options=SubscribeOptions(qos=1, noLocal=True))
        await yard.all("a", a)
        await b.subscribe("o/#", options=SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=1))
        await yard.all("b", b)
        await b.subscribe("o/#", options=SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=1))
        await b.subscribe("o/+", options=SubscribeOptions(qos=1, retainHandling=2))
        await a.publish("o/live", "of a", 1)
        await a.publish("o/r", "kept again", 1, retain=True)
        await b.publish("o/live", "of b", 1)
        await yard.all("a", a)
        await yard.all("b", b)
        await a.publish("o/r", "", 1, retain=True)


async def delays_wills(yard: Yard) -> None:
    """A will waits for its delay, not beyond the session's end, and is not sent when the client is back in time, be it by a clean start."""
    delayed = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=1)
    async with yard.connect("sub") as sub:
        await sub.subscribe("w/#", 1)
        will = Will("w/a", "late", 1, properties=delayed)
        async with yard.connect("a", session_s=600, will=will) as a:
            await yard.drop("a")
            await yard.lost("a", a)
            await yard.all("sub", sub)
        await yard.hear("sub", sub)
        async with yard.connect("a", session_s=600, will=will) as a:
            await yard.drop("a")
            await yard.lost("a", a)
        async with yard.connect("c", session_s=600, will=Will("w/c", "late", 1, properties=delayed)) as c:
            await yard.drop("c")
            await yard.lost("c", c)
        async with (
            yard.connect("d", session_s=600, will=Will("w/d", "late", 1, properties=delayed)) as d,
            yard.connect("a", session_s=600),
            yard.connect("c"),
            yard.connect("d"),
        ):
            await yard.lost("d", d)
            await yard.pass_seconds(3)
            await yard.all("sub", sub)
        async with yard.connect("b", will=Will("w/b", "no session", 1, properties=delayed)):
            await yard.drop("b")
            await yard.hear("sub", sub)


SCENARIOS_MQTT_5: Final[list[Scenario]] = [expires, carries_properties, follows_options, delays_wills]
