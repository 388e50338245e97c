"""What a broker does, as short stories: each runs on the stage and on mosquitto and must read the same.

A story waits for events only; where time itself is told of (expiry), seconds are short because mosquitto's are real.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from halloween_host.mqtt import MqttError, Will
from tests.testing.yards import Yard

__all__ = ["SCENARIOS", "Scenario"]

Scenario = Callable[[Yard], Awaitable[None]]


async def connects(yard: Yard) -> None:
    """Messages pass at the lower of both QoS, in order; a will is not sent after DISCONNECT."""
    async with yard.connect("sub") as sub:
        granted = await sub.subscribe([("a", 0), ("b", 1), ("c", 2), ("will", 1)])
        yard.note(f"granted {granted}")
        async with yard.connect("pub", will=Will("will", b"gone", 1)) as pub:
            for topic in "abc":
                for qos in (0, 1, 2):
                    await pub.publish(topic, f"{topic}{qos}", qos)
        await yard.all("sub", sub)


async def subscribes(yard: Yard) -> None:
    """Wildcards match; overlapping filters double a message, most exact filter first; a filter again changes its QoS."""
    async with yard.connect("sub") as sub, yard.connect("pub") as pub:
        await sub.subscribe([("#", 0), ("x/+", 1), ("x/#", 1), ("x/y/#", 0), ("x/y", 1), ("+/y", 0), ("/x", 1)])
        for topic in ("x", "x/y", "x/y/z", "/x", "y", "$odd/x"):
            await pub.publish(topic, "1", 1)
        await yard.all("sub", sub)
        await sub.subscribe("x/+", 0)
        await sub.unsubscribe(["#", "never/was", "x/#"])
        for topic in ("x", "x/y", "x/y/z", "/x", "y"):
            await pub.publish(topic, "2", 1)
        await yard.all("sub", sub)


async def retains(yard: Yard) -> None:
    """Kept, replaced, deleted by an empty payload; flagged to who subscribes later, not to who is there."""
    async with yard.connect("early") as early, yard.connect("pub") as pub:
        await early.subscribe("r/#", 1)
        for topic, payload, qos in [
            ("r/b/1", "one", 1),
            ("r/a", "two", 0),
            ("r/b", "three", 2),
            ("r/b/2", "four", 1),
            ("r/a", "five", 1),
            ("r/c", "six", 1),
            ("r/c", "", 1),
            ("r/none", "", 1),
            ("r/b/0", "deleted", 1),
            ("r/b/0", "", 1),
            ("r/b/3", "seven", 1),
            ("r/b/0", "again", 1),
            ("r/b/1", "live", 1),
        ]:
            await pub.publish(topic, payload, qos, retain=payload != "live")
        await yard.all("early", early)
        async with yard.connect("late") as late:
            await late.subscribe([("r/+", 1), ("r/b/#", 0)])
            await yard.all("late", late)
            await late.subscribe("r/#", 1)
            await yard.all("late", late)
            await late.subscribe("r/a", 1)
            await yard.all("late", late)
            await late.subscribe([("#", 1), ("+/+/+", 1), ("r/b/1/#", 1)])
            await yard.all("late", late)


async def wills(yard: Yard) -> None:
    """Sent when the connection is reset, once, retained as asked."""
    async with yard.connect("sub") as sub:
        await sub.subscribe("w/#", 1)
        async with yard.connect("a", will=Will("w/a", "gone", 1, retain=True)) as a:
            await yard.drop("a")
            await yard.hear("sub", sub)
            await yard.lost("a", a)
        async with yard.connect("a", will=Will("w/a", "gone again", 0)):
            pass
        await yard.all("sub", sub)
        async with yard.connect("late") as late:
            await late.subscribe("w/#", 1)
            await yard.all("late", late)
            await late.publish("w/a", "", 1, retain=True)


async def takes_over(yard: Yard) -> None:
    """The same client id again: the old connection ends, its will goes before anything of the new one."""
    async with yard.connect("sub") as sub:
        await sub.subscribe("t/#", 1)
        async with yard.connect("twin", will=Will("t/will", "first is gone", 1)) as first:
            await first.subscribe("to/twin", 1)
            async with yard.connect("twin", will=Will("t/will", "second is gone", 1)) as second:
                await yard.lost("twin", first)
                await second.publish("t/birth", "second", 1)
                await second.publish("to/twin", "nobody subscribed", 1)
                await yard.all("twin", second)
                await yard.all("sub", sub)
        await yard.all("sub", sub)


async def takes_a_session_over(yard: Yard) -> None:
    """A session that goes on keeps its subscriptions, and the old connection's will is not sent; a clean start ends it."""
    async with yard.connect("sub") as sub:
        await sub.subscribe("t/#", 1)
        async with yard.connect("twin", session_s=600, will=Will("t/will", "one", 1)) as first:
            await first.subscribe("to/twin", 1)
            async with yard.connect("twin", session_s=600, will=Will("t/will", "two", 1)) as second:
                await yard.lost("twin", first)
                await sub.publish("to/twin", "still subscribed", 1)
                await yard.hear("twin", second)
                async with yard.connect("twin", clean_start=True, will=Will("t/will", "three", 1)) as third:
                    await yard.lost("twin", second)
                    await sub.publish("to/twin", "nobody", 1)
                    await yard.all("twin", third)
        await yard.all("sub", sub)


async def redelivers(yard: Yard) -> None:
    """A session hears at its return what it missed at QoS 1, also what was on a cut cable; a clean start hears nothing."""
    async with yard.connect("pub") as pub:
        async with yard.connect("sub", session_s=600) as sub:
            await sub.subscribe([("q/#", 1), ("also/q", 0)])
        for topic, qos in (("q/1", 1), ("q/2", 0), ("also/q", 1), ("q/3", 2)):
            await pub.publish(topic, "missed", qos)
        async with yard.connect("sub", session_s=600) as sub:
            await yard.all("sub", sub)
            await yard.cut("sub")
            await pub.publish("q/4", "on a cut cable", 0)
            await pub.publish("q/5", "on a cut cable", 1)  # its acknowledgement: the broker has both
            await yard.drop("sub")
            await yard.lost("sub", sub)
        async with yard.connect("sub", session_s=600) as sub:
            await yard.all("sub", sub)
        await pub.publish("q/6", "for nobody", 1)
        async with yard.connect("sub") as sub:
            await yard.all("sub", sub)


async def unsubscribes(yard: Yard) -> None:
    """Nothing comes after UNSUBACK, and what is retained comes again with the next SUBSCRIBE."""
    async with yard.connect("sub") as sub:
        await sub.publish("u/r", "kept", 1, retain=True)
        for _ in range(2):
            await sub.subscribe("u/#", 1)
            await sub.publish("u/live", "1", 1)
            await yard.all("sub", sub)
            await sub.unsubscribe("u/#")
            await sub.publish("u/live", "2", 1)
            await yard.all("sub", sub)
        await sub.publish("u/r", "", 1, retain=True)


async def drops(yard: Yard) -> None:
    """After a reset every call raises, what was unacknowledged fails, and the next connection starts from nothing."""
    async with yard.connect("a") as a:
        await a.subscribe("d/#", 1)
        await a.publish("d/1", "heard", 1)
        await yard.hear("a", a)
        await yard.cut("a")
        receipt = a.publish_nowait("d/2", "never acknowledged", 1)
        await yard.drop("a")
        await yard.lost("a", a)
        calls: list[Callable[[], Awaitable[object]]] = [
            receipt.wait,
            lambda: a.publish("d/3"),
            lambda: a.subscribe("e"),
            a.messages.batch,
            a.room,
        ]
        for number, call in enumerate(calls):
            try:
                await call()
            except MqttError as error:
                yard.note(f"call {number}: {type(error).__name__}")
        yard.note(f"refused {receipt.refused}, connected {a.connected}")
    async with yard.connect("a") as a:
        await a.publish("d/4", "nobody", 1)
        await yard.all("a", a)


async def half_opens(yard: Yard) -> None:
    """Nothing passes: the broker sends the will, the client notices by itself, and neither has told the other.

    Which comes first is not told of: mosquitto 2.0.11 looks every 5 s only for clients that are silent too long.
    """
    async with yard.connect("sub") as sub:
        await sub.subscribe("h/#", 1)
        async with yard.connect("a", keepalive=2, will=Will("h/will", "gone", 1)) as a:
            await yard.cut("a")
            await yard.hear("sub", sub)
            await yard.lost("a", a)
        async with yard.connect("a") as a:
            await a.publish("h/back", "1", 1)
            await yard.all("sub", sub)


async def stalls(yard: Yard) -> None:
    """A slow broker is late and loses nothing; order stays."""
    async with yard.connect("sub") as sub, yard.connect("pub") as pub:
        await sub.subscribe("s/#", 1)
        async with yard.stalled():
            receipts = [pub.publish_nowait("s/x", str(number), 1) for number in range(50)]
            await yard.pass_seconds(0.2)
            yard.note(f"acknowledged {sum(each.done for each in receipts)}")
        for each in receipts:
            await each.wait()
        await yard.all("sub", sub)


async def forgets(yard: Yard) -> None:
    """Killed and without memory: no will, nothing retained, no session; all are told, and none connects meanwhile."""
    async with yard.connect("pub", will=Will("k/will", "dead", 1, retain=True)) as pub:
        await pub.publish("k/r", "kept", 1, retain=True)
        async with yard.connect("sub", session_s=600) as sub:
            await sub.subscribe("k/#", 1)
            await yard.hear("sub", sub)
            await yard.kill()
            await yard.lost("pub", pub)
            await yard.lost("sub", sub)
    await yard.refused("sub")
    await yard.revive()
    async with yard.connect("sub", session_s=600) as sub:
        await yard.all("sub", sub)
        await sub.publish("k/live", "no subscription left", 1)
        await sub.subscribe("k/#", 1)
        await yard.all("sub", sub)


SCENARIOS: Final[list[Scenario]] = [
    connects,
    subscribes,
    retains,
    wills,
    takes_over,
    takes_a_session_over,
    redelivers,
    unsubscribes,
    drops,
    half_opens,
    stalls,
    forgets,
]
