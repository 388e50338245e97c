"""A bridge without a host: on a connection of its own, between an owner and a router that note what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from halloween_host.asks import Asks
from halloween_host.bridge import Bridge, Routes
from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.mqtt import Client, Message, ProtocolVersion
from halloween_host.outbox import Kind, Outbox, Post
from halloween_host.sign import Signature
from tests.mosquitto import Listener, Mosquitto

__all__ = ["Fogger", "Nobody", "bridged", "say"]


class Nobody:
    """The `Owner` of a bridge without a host: it notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._news = trio.Event()

    def link_up(self) -> None:
        self._note("up")

    def link_down(self) -> None:
        self._note("down")

    def hear_availability(self, prop_id: str, word: str) -> None:
        self._note(f"{prop_id} is {word}")

    def hear_host_command(self, message: Message) -> None:
        self._note(f"host command {bytes(message.payload).decode()}")

    def taken_over(self, evidence: str) -> None:
        self._note(f"taken over: {evidence}")

    async def expect(self, text: str) -> None:
        """Wait until it was told this."""
        with trio.fail_after(10):
            while text not in self.told:
                await self._news.wait()

    def _note(self, text: str) -> None:
        self.told.append(text)
        self._news.set()
        self._news = trio.Event()


class Fogger:
    """A router of one prop: it notes what it is given, and who is a stranger."""

    def __init__(self) -> None:
        self.routed: list[Message] = []
        self.strangers: list[str] = []
        self.news = trio.Event()

    def route(self, message: Message) -> bool:
        if message.topic != "halloween/fogger/cmd":
            return False
        self.routed.append(message)
        self.news.set()
        return True

    def mention_stranger(self, topic: str) -> None:
        self.strangers.append(topic)


@asynccontextmanager
async def bridged(
    broker: Mosquitto,
    owner: Nobody | None = None,
    router: Routes | None = None,
    asks: Asks | None = None,
    *,
    stepwise: bool = False,
) -> AsyncIterator[tuple[Bridge, Client, Listener]]:
    """A bridge without workers on a connection of its own, and what a stranger hears of it."""
    doorbell = Doorbell()
    doorbell.stepwise = stepwise
    outbox = Outbox(wake=doorbell.ring, clock=trio.current_time, dropped=lambda prop_id, text: None)
    signature = Signature("nonce", "here")
    bridge = Bridge(
        outbox,
        router or Fogger(),
        doorbell,
        owner or Nobody(),
        asks or Asks(),
        Express(doorbell),
        client_id="host",
        signature=signature,
    )
    async with (
        broker.listen("halloween/#") as listener,
        Client(broker.host, broker.port, protocol=ProtocolVersion.V5) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(bridge.serve, client)
        yield bridge, client, listener
        nursery.cancel_scope.cancel()


def say(bridge: Bridge, topic: str, payload: bytes, kind: Kind = "telemetry", qos: int = 1) -> None:
    bridge.outbox.post(Post("fogger", topic, payload, kind, qos, False, bridge.outbox.now()))
