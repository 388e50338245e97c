"""A stranger is an MQTT client with our client id that comes back as often as it is thrown out."""

from __future__ import annotations

from types import TracebackType
from typing import Final

import trio

__all__ = ["Stranger"]

KEEPALIVE: Final = bytes([0, 60])


class Stranger:
    """Connects by MQTT 3.1.1 with `client_id` until left; `connections` counts its CONNACKs. Publishes and subscribes nothing."""

    def __init__(self, port: int, client_id: str) -> None:
        self.connections = 0
        self._port = port
        self._client_id = client_id.encode()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def __aenter__(self) -> Stranger:
        # No nursery: its groups would wrap every failed assertion.
        trio.lowlevel.spawn_system_task(self._insist)
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._scope.cancel()
        await self._ended.wait()

    async def _insist(self) -> None:
        with self._scope:
            while True:
                try:
                    await self._connect()
                except (OSError, trio.BrokenResourceError):
                    await trio.sleep(0.05)
        self._ended.set()

    async def _connect(self) -> None:
        """MQTT 3.1.1, section 3.1: protocol name and level 4, flags clean session, keep-alive, client id."""
        body = b"\x00\x04MQTT\x04\x02" + KEEPALIVE + len(self._client_id).to_bytes(2, "big") + self._client_id
        async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
            await stream.send_all(bytes([0x10, len(body)]) + body)
            while await stream.receive_some():
                self.connections += 1  # the CONNACK: nothing else comes to a client without a subscription
