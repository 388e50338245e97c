"""Of numbered commands at full speed, over a broker that stops and comes back, each is acknowledged or its drop is said."""

from __future__ import annotations

from collections import Counter

import trio

from halloween_host.asks import Asks
from halloween_host.bridge import Bridge, expire_commands
from halloween_host.dial import open_dial
from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.link import Link
from halloween_host.outbox import CAPACITY, Outbox, Post
from halloween_host.settings import BrokerSettings
from halloween_host.sign import Signature
from tests.bridging import Fogger, Nobody
from tests.conftest import MakeMosquitto
from tests.mqtt.night import Ear

#: A command's life, shorter than the five seconds of the host's so that the night is.
TTL_S = 0.5


class Ledger:
    """Where each number ended."""

    def __init__(self) -> None:
        self.posted = 0
        self.acknowledged: Counter[int] = Counter()
        self.dropped: Counter[int] = Counter()
        self.sentences: Counter[str] = Counter()
        self._news = trio.Event()

    def acknowledge(self, number: int) -> None:
        self.acknowledged[number] += 1
        self._tell()

    def drop(self, prop_id: str, text: str) -> None:
        self.dropped[int(prop_id)] += 1
        self.sentences["too old" if "s old and the broker did not take it" in text else "full"] += 1
        assert prop_id in text
        self._tell()

    async def until_acknowledged(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        while len(self.acknowledged) < wanted:
            await self._news.wait()

    async def until_settled(self) -> None:
        """Wait until nothing is on its way."""
        while len(self.acknowledged) + len(self.dropped) < self.posted:
            await self._news.wait()

    async def until_dropped(self, sentence: str) -> None:
        while not self.sentences[sentence]:
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


async def test_every_command_is_acknowledged_or_its_drop_is_said(make_mosquitto: MakeMosquitto) -> None:
    """Too old or one too many, while the broker is away: one sentence for each. What was acknowledged is heard by a subscriber with a
    persistent session; and no command is both."""
    broker = make_mosquitto(persistent=True)
    ledger, doorbell = Ledger(), Doorbell()
    outbox = Outbox(wake=doorbell.ring, clock=trio.current_time, dropped=ledger.drop)
    signature = Signature("nonce", "here")
    bridge = Bridge(
        outbox, Fogger(), doorbell, Nobody(), Asks(), Express(doorbell), client_id="host", signature=signature
    )
    reached = BrokerSettings(broker.host, port=broker.port, protocol="3.1.1")
    link = Link(
        reached,
        open_dial(reached),
        bridge.serve,
        client_id="host",
        taken_over=lambda evidence: None,
        random_=lambda: 0.02,
    )
    ear = Ear(broker, "numbered/+")

    def post() -> None:
        number = ledger.posted
        ledger.posted += 1

        def out() -> None:
            ledger.acknowledge(number)

        topic, payload = f"numbered/{number}", f"{number}.0".encode()
        outbox.post(Post(str(number), topic, payload, "command", 1, posted_at=outbox.now(), ttl_s=TTL_S, out=out))

    async def post_for_ever() -> None:
        while True:
            for _ in range(20):
                post()
            await trio.sleep(0.005)

    with trio.fail_after(50):
        async with trio.open_nursery() as night:
            night.start_soon(ear.run)
            await ear.subscribed.wait()
            night.start_soon(link.run)
            night.start_soon(expire_commands, outbox)
            async with trio.open_nursery() as posting:
                posting.start_soon(post_for_ever)
                await ledger.until_acknowledged(1_000)
                broker.restart()  # away for a moment: what was in flight goes again
                await ledger.until_acknowledged(1_000)
                broker.stop()
                await ledger.until_dropped("too old")
                for _ in range(CAPACITY + 500):
                    post()
                await ledger.until_dropped("full")
                broker.start()
                await ledger.until_acknowledged(1_000)
                posting.cancel_scope.cancel()
            await ledger.until_settled()
            await ear.expect(ledger.acknowledged)
            night.cancel_scope.cancel()
    assert not set(ledger.acknowledged) & set(ledger.dropped)
    assert set(ledger.acknowledged) | set(ledger.dropped) == set(range(ledger.posted))
    assert set(ledger.acknowledged.values()) == set(ledger.dropped.values()) == {1}
    assert ledger.sentences["too old"] + ledger.sentences["full"] == len(ledger.dropped)
    for sound in ear.sounds:
        assert sound.topic == f"numbered/{sound.number}"
