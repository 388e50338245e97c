"""A yard is a broker and its clients behind one small face: the stage's in virtual time, or mosquitto behind a cable.

Scenarios are written against `Yard` alone, and what they note is the transcript that both must share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import trio

from halloween_host.mqtt import AnyClient, Client, Message, MqttCodeError, MqttError, PacketTypes, Properties
from halloween_host.mqtt import ProtocolVersion as Version
from halloween_host.testing._broker import StageBroker
from halloween_host.testing._client import StageClient
from tests.mosquitto import Mosquitto
from tests.testing.cable import Cable

__all__ = ["MosquittoYard", "StageYard", "Yard", "line", "properties"]

DEADLINE_S = 20.0


def properties(packet: int = PacketTypes.PUBLISH, **values: object) -> Properties:
    """MQTT 5 properties of a packet."""
    made = Properties(packet)  # type: ignore[no-untyped-call] # paho's
    for name, value in values.items():
        setattr(made, name, value)
    return made


def line(message: Message) -> str:
    """A message as a subscriber sees it, but for what brokers may choose (packet identifiers)."""
    told = [f"{message.topic} {message.payload.decode()!r} q{message.qos}"]
    told += ["retained"] if message.retain else []
    for name in ("MessageExpiryInterval", "ContentType", "ResponseTopic", "CorrelationData", "UserProperty"):
        value = getattr(message.properties, name, None)
        told += [] if value is None else [f"{name}={value!r}"]
    return " ".join(told)


class Yard(ABC):
    """Clients go by their client id, which is also how the transcript calls them."""

    def __init__(self, protocol: Version) -> None:
        self.protocol = protocol
        self.transcript: list[str] = []
        self._fences = 0

    def note(self, text: str) -> None:
        self.transcript.append(text)

    @asynccontextmanager
    async def connect(self, name: str, **options: Any) -> AsyncIterator[AnyClient]:
        """A connected client; `session_s` makes its session outlive the connection. A lost connection ends the block well."""
        async with self._client(name, options.pop("session_s", 0), options) as client:
            self.note(f"{name} connected")
            yield client
        self.note(f"{name} left")

    async def hear(self, name: str, client: AnyClient, count: int = 1) -> None:
        """Note the next `count` messages."""
        for _ in range(count):
            with trio.fail_after(DEADLINE_S):
                self.note(f"{name} <- {line(await anext(client.messages))}")

    async def all(self, name: str, client: AnyClient) -> None:
        """Note every message that was on its way: a fence, published behind them all, ends the list."""
        self._fences += 1
        fence = f"fence/{name}/{self._fences}"
        with trio.fail_after(DEADLINE_S):
            await client.subscribe(fence, 1)
            await client.publish(fence, "", 1)
            async for message in client.messages:
                if message.topic == fence:
                    break
                self.note(f"{name} <- {line(message)}")
            await client.unsubscribe(fence)
        self.note(f"{name} heard all")

    async def lost(self, name: str, client: AnyClient) -> None:
        """Note how the client saw its connection end."""
        with trio.fail_after(DEADLINE_S):
            error = await client.wait_disconnected()
        code = f" {error.reason_code}" if isinstance(error, MqttCodeError) else ""
        self.note(f"{name} lost: {type(error).__name__}{code}")

    async def refused(self, name: str, **options: Any) -> None:
        """Note that no connection is to be had."""
        try:
            async with self._client(name, 0, options):
                self.note(f"{name} connected")
        except MqttError as error:
            self.note(f"{name} not connected: {type(error).__name__}")

    async def pass_seconds(self, seconds: float) -> None:
        """Time itself is the story here: there is no event to wait for."""
        await trio.sleep(seconds)

    @abstractmethod
    def _client(self, name: str, session_s: int, options: dict[str, Any]) -> Any: ...

    @abstractmethod
    async def drop(self, name: str) -> None:
        """The client's connection is reset."""

    @abstractmethod
    async def cut(self, name: str) -> None:
        """Nothing passes on the client's connection any more."""

    @abstractmethod
    def stalled(self) -> AbstractAsyncContextManager[None]:
        """The broker does nothing while the block runs."""

    @abstractmethod
    async def kill(self) -> None:
        """The broker is killed, and has no memory."""

    @abstractmethod
    async def revive(self) -> None:
        """The broker comes up again."""


class StageYard(Yard):
    def __init__(self, protocol: Version, broker: StageBroker) -> None:
        super().__init__(protocol)
        self._broker = broker

    def _client(self, name: str, session_s: int, options: dict[str, Any]) -> Any:
        return StageClient(
            self._broker,
            identifier=name,
            protocol=self.protocol,
            session_expiry_s=session_s,
            **_clean(options, session_s),
        )

    async def drop(self, name: str) -> None:
        self._broker.drop(name)

    async def cut(self, name: str) -> None:
        self._broker.cut(name)

    @asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        until = trio.current_time() + 1
        self._broker.stall(for_s=1)
        yield
        await trio.sleep_until(until)

    async def kill(self) -> None:
        self._broker.down(forget=True)

    async def revive(self) -> None:
        self._broker.up()


class MosquittoYard(Yard):
    """Every connection goes through a cable of its own."""

    def __init__(self, protocol: Version, broker: Mosquitto, nursery: trio.Nursery) -> None:
        super().__init__(protocol)
        self._broker = broker
        self._nursery = nursery
        self._cables: dict[str, Cable] = {}

    @asynccontextmanager
    async def _client(self, name: str, session_s: int, options: dict[str, Any]) -> AsyncIterator[Client]:
        cable = self._cables[name] = await Cable.lay(self._nursery, self._broker.host, self._broker.port)
        options = {"keepalive": 10, **_clean(options, session_s)}
        if self.protocol is Version.V5:
            options["properties"] = properties(PacketTypes.CONNECT, SessionExpiryInterval=session_s)
        else:
            options["clean_session"] = options.pop("clean_start")
        async with Client("127.0.0.1", cable.port, identifier=name, protocol=self.protocol, **options) as client:
            yield client

    async def drop(self, name: str) -> None:
        self._cables[name].reset()

    async def cut(self, name: str) -> None:
        self._cables[name].cut()

    @asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        self._broker.freeze()
        yield
        self._broker.thaw()

    async def kill(self) -> None:
        self._broker.kill()

    async def revive(self) -> None:
        self._broker.start()


def _clean(options: dict[str, Any], session_s: int) -> dict[str, Any]:
    return {"clean_start": not session_s, **options}
