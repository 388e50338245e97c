"""A cable is a TCP proxy to one broker that can be cut, mended or torn out: what a real network does to a connection.

It can also be slow, and turn a client away in the broker's stead.
"""

from __future__ import annotations

import math
import socket
import struct
from typing import Self

import attrs
import trio

__all__ = ["Cable"]

#: MQTT 5, section 3.2: a CONNACK that says "not authorized" and no more.
_NOT_AUTHORIZED = b"\x20\x03\x00\x87\x00"


@attrs.define(eq=False)
class _Strand:
    """One client's connection; `connect` is what it sent first, its CONNECT."""

    near: trio.SocketStream
    far: trio.SocketStream
    connect: bytes = b""

    def is_of(self, client_id: str | None) -> bool:
        """A string's length stands before it (MQTT 5, section 1.5.4), so no id is found at the beginning of a longer one."""
        if client_id is None:
            return True
        name = client_id.encode()
        return len(name).to_bytes(2, "big") + name in self.connect


class Cable:
    """Forwards bytes from `port` of 127.0.0.1 to the broker's; its tasks live in the nursery that `lay` was given."""

    def __init__(self, listener: trio.SocketListener, host: str, port: int) -> None:
        self.port: int = listener.socket.getsockname()[1]
        self._target = (host, port)
        self._listener = listener
        self._strands: list[_Strand] = []
        self._cuts: list[str | None] = []
        self._mended = trio.Event()
        self._refused: list[str] = []
        #: So many bytes a second pass either way, of each connection.
        self.bytes_per_s = math.inf

    @classmethod
    async def lay(cls, nursery: trio.Nursery, host: str, port: int) -> Self:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        cable = cls(listener, host, port)
        nursery.start_soon(trio.serve_listeners, cable._serve, [listener])
        return cable

    def cut(self, client_id: str | None = None) -> None:
        """Nothing passes any more, of new connections neither; both ends stay open. With `client_id`, only that client's."""
        self._cuts.append(client_id)

    def refuse(self, client_id: str) -> None:
        """Whoever comes with this id is not authorized: the broker never hears of it."""
        self._refused.append(client_id)

    def mend(self) -> None:
        """Everything passes again, what was sent meanwhile first, as TCP repeats it until it is through; nobody is refused."""
        self._refused.clear()
        self._cuts.clear()
        self._mended.set()
        self._mended = trio.Event()

    def reset(self, client_id: str | None = None) -> None:
        """Tear it out: both ends get a RST. With `client_id`, only that client's."""
        for strand in [strand for strand in self._strands if strand.is_of(client_id)]:
            self._strands.remove(strand)
            for stream in (strand.near, strand.far):
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stream.socket.close()

    async def _serve(self, near: trio.SocketStream) -> None:
        try:
            far = await trio.open_tcp_stream(*self._target)
        except OSError:
            await near.aclose()
            return  # nobody there: the client sees its connection end
        strand = _Strand(near, far)
        self._strands.append(strand)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._forward, strand, near, far, nursery.cancel_scope)
            nursery.start_soon(self._forward, strand, far, near, nursery.cancel_scope)
        if strand in self._strands:
            self._strands.remove(strand)

    async def _forward(
        self, strand: _Strand, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope
    ) -> None:
        try:
            while data := await source.receive_some(4_096):
                strand.connect = strand.connect or data  # a broker says nothing before it
                if any(strand.is_of(client_id) for client_id in self._refused):
                    await source.send_all(_NOT_AUTHORIZED)
                    break
                await self._pass(strand)
                await trio.sleep(len(data) / self.bytes_per_s)
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # that end is gone; so is the other, below
        await self._pass(strand)  # not even the end passes
        both.cancel()

    async def _pass(self, strand: _Strand) -> None:
        while any(strand.is_of(client_id) for client_id in self._cuts):
            await self._mended.wait()
