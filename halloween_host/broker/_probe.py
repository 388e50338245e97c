"""Whoever answers CONNECT with CONNACK is a broker, even when it refuses; an open port alone proves nothing."""

from __future__ import annotations

import secrets
from typing import Literal

import attrs
import trio

__all__ = ["PROBE_S", "Answer", "connect_packet", "probe"]

PROBE_S = 2.0
_CONNACK = 0x20
_DISCONNECT = b"\xe0\x00"
_MAX_CONNACK_BYTES = 127  # a longer one would need a second byte of length; none that we could get comes near


@attrs.frozen
class Answer:
    """Who is there: nobody (`free`), a `broker`, or a `stranger`; `detail` says for people what a stranger did."""

    kind: Literal["free", "broker", "stranger"]
    detail: str = ""


def connect_packet(client_id: str) -> bytes:
    """A CONNECT of MQTT 3.1.1 with a clean session, no will and no user (MQTT 3.1.1, section 3.1)."""
    name = client_id.encode()
    keepalive_s = 10
    body = b"\x00\x04MQTT\x04\x02" + keepalive_s.to_bytes(2, "big") + len(name).to_bytes(2, "big") + name
    return bytes([0x10, len(body)]) + body


async def probe(host: str, port: int) -> Answer:
    """Ask in `PROBE_S` seconds at most. Where no connection can be made it is `free`: starting there tells the rest."""
    with trio.move_on_after(PROBE_S):
        try:
            stream = await trio.open_tcp_stream(host, port)
        except OSError:
            return Answer("free")
        async with stream:
            return await _ask(stream)
    return Answer("stranger", f"it gave no answer to an MQTT CONNECT in {PROBE_S:g} s")


async def _ask(stream: trio.SocketStream) -> Answer:
    received = b""
    try:
        # up to 23 letters and digits are an id that every broker takes (MQTT 3.1.1, section 3.1.3.1)
        await stream.send_all(connect_packet(f"probe{secrets.token_hex(8)}"))
        while len(received) < 4 and received[:1] in (b"", bytes([_CONNACK])):
            more = await stream.receive_some(64)
            if not more:
                break
            received += more
        if len(received) >= 4 and received[0] == _CONNACK and 2 <= received[1] <= _MAX_CONNACK_BYTES:
            await stream.send_all(_DISCONNECT)
            return Answer("broker")
    except trio.BrokenResourceError:
        pass  # it hung up on us: what came until then is judged below
    if len(received) >= 4 and received[0] == _CONNACK and received[1] >= 2:
        return Answer("broker")  # it refused us, and was gone before our DISCONNECT
    return Answer("stranger", f"it answered {received[:16]!r}" if received else "it closed the connection")
