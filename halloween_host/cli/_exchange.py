"""A command with an id is answered: it goes out on one connection, and its ack comes back on the same.

No task of its own: whoever waits for an answer reads, and hands on what is no ack.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import attrs
import trio

from halloween_host import topics
from halloween_host.acks import Ack, parse_ack
from halloween_host.commands import encode_command
from halloween_host.errors import PayloadError
from halloween_host.mqtt import Client, Message, Receipt

__all__ = ["TTL_S", "Answer", "Exchange"]

#: Seconds for which a command of ours is worth obeying, when nobody said otherwise.
TTL_S: Final = 5.0
#: They move nothing, however late; and a host whose clock is wrong must be able to say what it shows.
_QUESTIONS: Final = ("ping", "status")


@attrs.frozen
class Answer:
    """The last word on a command. `round_trip_s` counts from its publish to this ack."""

    ack: Ack
    round_trip_s: float


class Exchange:
    """Sends and reads; `hear` is given every message that answers nothing of ours. The caller subscribes."""

    def __init__(self, client: Client, hear: Callable[[Message], None] = lambda message: None) -> None:
        #: Ids that somebody has taken, and the last word on those that ended.
        self.accepted: set[str] = set()
        self.answers: dict[str, Answer] = {}
        #: How often each id was answered for good: two answers come from two hosts.
        self.counts: dict[str, int] = {}
        self._client = client
        self._hear = hear
        self._sent: dict[str, float] = {}

    async def send(self, prop_id: str, action: str, args: object = None, *, ttl_s: float = TTL_S) -> str:
        """Send a command and return its id, once the broker has it.

        Raises:
            CommandError, PayloadError: as `encode_command`.
            MqttError: when the connection is gone, or the broker refused it.
        """
        id_, receipt = self._post(prop_id, action, args, ttl_s)
        await receipt.wait()
        return id_

    def post(self, prop_id: str, action: str, args: object = None, *, ttl_s: float = TTL_S) -> str:
        """Let a command go and return its id at once. Raises as `send`; whether the broker took it, its answer tells."""
        return self._post(prop_id, action, args, ttl_s)[0]

    async def answer(self, id_: str) -> Answer:
        """Read until the command has ended; its deadline is the caller's.

        Raises:
            MqttError: when the connection is gone.
        """
        while id_ not in self.answers:
            await self.read()
        return self.answers[id_]

    async def read(self) -> None:
        """Take what has come, at least one message.

        Raises:
            MqttError: when the connection is gone.
        """
        for message in await self._client.messages.batch():
            parsed = topics.parse_topic(str(message.topic))
            if parsed is not None and parsed.kind == "ack":
                self._take(message.payload)
            else:
                self._hear(message)

    def _post(self, prop_id: str, action: str, args: object, ttl_s: float) -> tuple[str, Receipt]:
        id_ = secrets.token_hex(8)
        ts = None if action in _QUESTIONS else round(time.time(), 3)
        payload = encode_command(action, args, id=id_, ts=ts, ttl=ttl_s)
        receipt = self._client.publish_nowait(topics.command(prop_id), payload, 1)
        self._sent[id_] = trio.current_time()
        return id_, receipt

    def _take(self, payload: bytes) -> None:
        try:
            ack = parse_ack(payload)
        except PayloadError:
            return  # not the host's: anybody may publish there
        id_ = ack.id if isinstance(ack.id, str) else ""
        if id_ not in self._sent:
            return
        if ack.outcome == "accepted":
            self.accepted.add(id_)
            return
        self.counts[id_] = self.counts.get(id_, 0) + 1
        self.answers.setdefault(id_, Answer(ack, trio.current_time() - self._sent[id_]))
