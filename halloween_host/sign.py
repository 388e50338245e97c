"""A host leaves its sign under its client id and reads what others leave there: the broker lets only one of them have that id."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import attrs
import structlog

from halloween_host import topics
from halloween_host.mqtt import AnyClient, Message, MqttCodeError

__all__ = ["Sign", "Signature"]

_log: Final = structlog.stdlib.get_logger()


@attrs.frozen
class Signature:
    """What a host leaves, retained, under its client id: `nonce` is this run's alone, `host` names the machine."""

    nonce: str
    host: str


class Sign:
    """Watched on each connection before anything is routed, left after that; `taken_over` is told of another host's."""

    def __init__(self, client_id: str, signature: Signature, taken_over: Callable[[str], None]) -> None:
        self.topic: Final = topics.nonce(client_id)
        self._signature = signature
        self._taken_over = taken_over
        self._signed = False
        self._is_ours = False

    def begin(self) -> None:
        """A connection begins: what is retained there now is ours, if we signed on an earlier one."""
        self._is_ours = self._signed

    async def watch(self, client: AnyClient) -> None:
        """Hear what is left there."""
        try:
            await client.subscribe(self.topic, 1)
        except MqttCodeError as error:
            self._go_unwatched(client, error)

    async def leave(self, client: AnyClient) -> None:
        """Publish our nonce: whoever else connects with our client id reads it, as we read theirs."""
        signature = json.dumps(attrs.asdict(self._signature))
        try:
            await client.publish(self.topic, signature, qos=1, retain=True)
            self._signed = True
        except MqttCodeError as error:
            self._go_unwatched(client, error)

    def read(self, message: Message) -> None:
        """Another's nonce under our client id is proof that somebody took it over.

        But for a retained one on our first connection: an earlier run of ours left it.
        """
        if message.retain and not self._is_ours:
            return
        try:
            signature = json.loads(message.payload)
            theirs, where = str(signature["nonce"]), str(signature["host"])
        except (ValueError, KeyError, TypeError):
            return  # not written by a host: no proof of anything
        if theirs != self._signature.nonce:
            self._taken_over(f"a host on {where!r:.80} published its sign after ours")

    def _go_unwatched(self, client: AnyClient, error: MqttCodeError) -> None:
        """A broker that forbids us the nonce is no reason to do without the broker."""
        if not client.connected:
            raise error
        _log.warning(f"a second host with our client id would not be noticed: {error}")
