"""The router takes batches of messages and puts each command into its worker's mailbox; it never waits for a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import structlog
import trio

from halloween_host import topics
from halloween_host.commands import Command, parse_command
from halloween_host.errors import CommandError, did_you_mean
from halloween_host.mqtt import Message
from halloween_host.worker import Arrival

__all__ = ["BATCHES", "Recipient", "Router", "arrival_of"]

#: Batches that wait for the router at most; when it is full the reader of the socket waits, and the broker with it.
BATCHES: Final = 16
#: Messages routed before other tasks get their turn.
TURN: Final = 200
#: Names of strangers remembered, so that each is mentioned once.
STRANGERS: Final = 1_000

_log: Final = structlog.stdlib.get_logger()


class Recipient(Protocol):
    """Who gets the commands of one prop."""

    def deliver(self, arrival: Arrival) -> None:
        """Take it or refuse it; plain, never blocks."""


def arrival_of(message: Message, command: Command | CommandError | None) -> Arrival:
    """A message of the client as what a worker's home takes."""
    payload = message.payload
    body = payload if isinstance(payload, bytes) else bytes(payload or b"")
    properties = message.properties
    if properties is None or command is None:
        return Arrival(str(message.topic), body, message.qos, bool(message.retain), command)
    # paho's properties are attributes that are only there when they came
    reply_to, correlation = getattr(properties, "ResponseTopic", None), getattr(properties, "CorrelationData", None)
    return Arrival(str(message.topic), body, message.qos, bool(message.retain), command, reply_to, correlation)


class Router:
    """`recipients` maps each worker's prop id to where its commands go."""

    def __init__(self, recipients: Mapping[str, Recipient]) -> None:
        self._recipients = {topics.command(prop_id): recipient for prop_id, recipient in recipients.items()}
        self._prop_ids = tuple(recipients)
        self._strangers: set[str] = set()

    async def run(self, batches: trio.MemoryReceiveChannel[Sequence[Message]]) -> None:
        """Route until the channel's other end is closed."""
        async for batch in batches:
            for count, message in enumerate(batch, 1):
                self._route(message)
                if count % TURN == 0:
                    await trio.lowlevel.checkpoint()

    def _route(self, message: Message) -> None:
        topic = str(message.topic)
        recipient = self._recipients.get(topic)
        if recipient is None:
            self._mention_stranger(topic)
            return
        if message.retain and not message.payload:
            return  # somebody deletes a retained command, as its refusal advises
        command: Command | CommandError
        try:
            command = parse_command(bytes(message.payload))
        except CommandError as error:
            command = error
        recipient.deliver(arrival_of(message, command))

    def _mention_stranger(self, topic: str) -> None:
        """A command for somebody else: a prop with firmware alone, or a typo; said once a name."""
        if topic in self._strangers or len(self._strangers) >= STRANGERS:
            return
        self._strangers.add(topic)
        parsed = topics.parse_topic(topic)
        if parsed is None or parsed.kind != "cmd":
            _log.warning("a message on a topic that is nobody's was ignored", topic=topic)
        else:
            hint = did_you_mean(parsed.prop_id, self._prop_ids)
            _log.info(f"a command for {parsed.prop_id!r}, which has no worker here{hint}", topic=topic)
