"""The answers to a worker's commands: acks to whoever asked, and the first one's again for a command that comes twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from halloween_host.acks import Ack, Outcome, encode_ack
from halloween_host.outbox import Post
from halloween_host.supervisor._requests import Id, Request

__all__ = ["Answers"]

#: Ids remembered for a prop, over its instances: a command with one of them runs once, however often it comes.
IDS_KEPT: Final = 10_000
#: Bytes of an ack that is remembered with its result.
ACK_KEPT_BYTES: Final = 16_384


class Answers:
    """`clock` returns monotonic seconds, `post` takes the acks."""

    def __init__(self, prop_id: str, clock: Callable[[], float], post: Callable[[Post], None]) -> None:
        self._prop_id = prop_id
        self._clock = clock
        self._post = post
        self._first: dict[Id, Request | bytes] = {}

    def again(self, request: Request) -> bool:
        """Whether a command with its id came before: then the first one's outcome goes to its sender, now or once there is one."""
        first = None if request.id is None else self._first.get(request.id)
        if isinstance(first, Request):
            for address in request.addresses or ():
                first.answer_to(address)
            self._send_all(request, self._encode(first, "accepted", None, None))
        elif first is not None:
            self._send_all(request, first)
        return first is not None

    def remember(self, request: Request) -> None:
        """This request is the first with its id; the oldest of too many is forgotten."""
        if request.id is not None:
            self._first[request.id] = request
            if len(self._first) > IDS_KEPT:
                del self._first[next(iter(self._first))]

    def accepted(self, request: Request) -> None:
        """The mailbox has it."""
        self._send_all(request, self._encode(request, "accepted", None, None))

    def ended(self, request: Request, outcome: Outcome, value: object, error: str | None) -> None:
        """It came to this."""
        ack = self._encode(request, outcome, value, error)
        self._send_all(request, ack)
        if request.id is not None and self._first.get(request.id) is request:
            if len(ack) > ACK_KEPT_BYTES:  # ten thousand photographs are too much to remember
                ack = self._encode(request, outcome, None, error or "its result was too long to be kept")
            self._first[request.id] = ack

    def _encode(self, request: Request, outcome: Outcome, value: object, error: str | None) -> bytes:
        took_ms = None
        if request.began_at is not None and outcome not in ("accepted", "refused"):
            took_ms = round((self._clock() - request.began_at) * 1000)
        return encode_ack(Ack(request.id, request.action, outcome, error, value, took_ms))

    def _send_all(self, request: Request, ack: bytes) -> None:
        now = self._clock()
        for address in request.addresses or ():
            self._post(Post(self._prop_id, address.topic, ack, "ack", 1, False, now, address.correlation))
