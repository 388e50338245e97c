"""A slow way to a broker is a proxy in front of it, that lets so many bytes a second through in each direction."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from tests.mosquitto import Mosquitto

__all__ = ["SlowWay", "slow_way"]

#: Bytes that the kernel keeps for us on each side: a deep buffer would hide for long that nothing gets on.
KERNEL_BYTES: Final = 16_384
#: Pieces a second in which a slow way carries.
PIECES_A_SECOND: Final = 10


class SlowWay:
    """A TCP proxy on `port` to the broker's; all its connections together carry `bytes_per_s` each way."""

    host = "127.0.0.1"

    def __init__(self, broker_port: int) -> None:
        self.bytes_per_s = math.inf
        self.port = 0
        self._broker_port = broker_port
        self._turns = {way: trio.Lock() for way in ("up", "down")}
        self._shut = False
        self._open: set[trio.CancelScope] = set()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `port` is known once it has started."""
        (listener,) = await trio.open_tcp_listeners(0, host=self.host)
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        self.port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve, [listener])
            task_status.started()

    async def cut(self, for_s: float) -> None:
        """End all connections, and take no new one for so long."""
        self._shut = True
        for connection in self._open:
            connection.cancel()
        await trio.sleep(for_s)
        self._shut = False

    async def _serve(self, client: trio.SocketStream) -> None:
        with suppress(OSError), trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                async with client:
                    if not self._shut:
                        await self._connect(client)
            finally:
                self._open.remove(scope)

    async def _connect(self, client: trio.SocketStream) -> None:
        async with await trio.open_tcp_stream(self.host, self._broker_port) as broker, trio.open_nursery() as nursery:
            for source, sink, way in ((client, broker, "up"), (broker, client, "down")):
                nursery.start_soon(self._carry, source, sink, way, nursery.cancel_scope)

    async def _carry(
        self, source: trio.SocketStream, sink: trio.SocketStream, way: str, over: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError):
            while piece := await source.receive_some(self._piece_bytes()):
                async with self._turns[way]:
                    await trio.sleep(len(piece) / self.bytes_per_s)
                await sink.send_all(piece)
        over.cancel()

    def _piece_bytes(self) -> int:
        return 65_536 if self.bytes_per_s == math.inf else max(1, int(self.bytes_per_s) // PIECES_A_SECOND)


@asynccontextmanager
async def slow_way(broker: Mosquitto) -> AsyncIterator[SlowWay]:
    """One that is quick as yet, for the length of the block."""
    async with trio.open_nursery() as nursery:
        way = SlowWay(broker.port)
        await nursery.start(way.run)
        yield way
        nursery.cancel_scope.cancel()
