"""What the host needs of a client: the real one, or the rehearsal stage's, which has no socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ._errors import MqttError
from ._messages import Messages
from ._options import PayloadType, ProtocolVersion
from ._outgoing import Receipt


class AnyClient(Protocol):
    """The part of `Client` that link, bridge, presence and ears use; see there for what each call does and raises."""

    @property
    def protocol(self) -> ProtocolVersion: ...

    @property
    def messages(self) -> Messages: ...

    @property
    def connected(self) -> bool: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def subscribe(
        self,
        topic: Any,
        qos: int = 0,
        options: SubscribeOptions | None = None,
        properties: Properties | None = None,
    ) -> tuple[int, ...]: ...

    async def unsubscribe(self, topic: str | Sequence[str], properties: Properties | None = None) -> None: ...

    async def publish(
        self,
        topic: str,
        payload: PayloadType = None,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None: ...

    def publish_nowait(
        self,
        topic: str,
        payload: PayloadType = None,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
        *,
        on_done: Callable[[Receipt], None] | None = None,
    ) -> Receipt: ...

    def send(self, topic: str, payload: bytes, retain: bool = False) -> None: ...

    def corked(self) -> AbstractContextManager[None]: ...

    @property
    def has_room(self) -> bool: ...

    async def room(self) -> None: ...

    async def wait_disconnected(self) -> MqttError: ...
