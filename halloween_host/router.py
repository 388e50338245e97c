"""The router takes messages one after another and puts each command into its worker's mailbox; it never waits for a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from halloween_host import topics
from halloween_host.commands import Command, parse_command
from halloween_host.errors import CommandError, did_you_mean
from halloween_host.mqtt import Message
from halloween_host.worker import Arrival

__all__ = ["Recipient", "Router", "arrival_of"]

#: Names of strangers remembered, so that each is mentioned once.
STRANGERS: Final = 1_000

_log: Final = structlog.stdlib.get_logger()


class Recipient(Protocol):
    """Who gets the commands of one prop."""

    def deliver(self, arrival: Arrival) -> None:
        """Take it or refuse it; plain, never blocks."""


def arrival_of(message: Message, command: Command | CommandError | None) -> Arrival:
    """A message of the client as what a worker's home takes."""
    properties = message.properties
    if properties is None or command is None:
        return Arrival(message.topic, message.payload, message.qos, message.retain, command)
    # paho's properties are attributes that are only there when they came
    reply_to, correlation = getattr(properties, "ResponseTopic", None), getattr(properties, "CorrelationData", None)
    return Arrival(message.topic, message.payload, message.qos, message.retain, command, reply_to, correlation)


class Router:
    """`recipients` maps each worker's prop id to where its commands go; plain calls, made in Trio's thread."""

    def __init__(self, recipients: Mapping[str, Recipient]) -> None:
        self._recipients = {topics.command(prop_id): recipient for prop_id, recipient in recipients.items()}
        self._prop_ids = list(recipients)
        self._strangers: set[str] = set()
        self._closed = False

    def add(self, prop_id: str, recipient: Recipient) -> None:
        """Commands of one more prop go there."""
        self._recipients[topics.command(prop_id)] = recipient
        self._prop_ids.append(prop_id)

    def route(self, message: Message) -> bool:
        """Whether it was for a worker, which has it now."""
        recipient = self._recipients.get(message.topic)
        if recipient is None:
            return False
        payload = message.payload
        if self._closed or (message.retain and not payload):
            return True  # somebody deletes a retained command, as its refusal advises
        command: Command | CommandError
        try:
            command = parse_command(payload)
        except CommandError as error:
            command = error
        recipient.deliver(arrival_of(message, command))
        return True

    def close(self) -> None:
        """The host stops: commands for its workers are dropped from here on."""
        self._closed = True

    def mention_stranger(self, topic: str) -> None:
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
