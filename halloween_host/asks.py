"""Questions that wait for an ack: the topic they are answered on is subscribed to before the command goes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
import trio

from halloween_host import topics
from halloween_host.acks import Ack, parse_ack
from halloween_host.errors import HalloweenHostError
from halloween_host.mqtt import AnyClient, Message, MqttCodeError
from halloween_host.worker import Question

__all__ = ["Asks"]

#: Props whose acks we hear at most; beyond it the one that was asked longest ago is heard no more.
TARGETS: Final = 1_000

_log: Final = structlog.stdlib.get_logger()


class Asks:
    """`ask` and `forget` may be called from any thread; the rest is Trio's."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._targets: dict[str, None] = {}
        self._heard: set[str] = set()
        self._pending: dict[tuple[str, str], Question] = {}
        self._unsent: dict[tuple[str, str], Question] = {}
        self._wanted = trio.Event()

    def ask(self, question: Question) -> None:
        """Let its command go once its answer can be heard, and hand it the final ack."""
        self._soon(self._ask, question)

    def forget(self, question: Question) -> None:
        """Nobody waits for it any more."""
        self._soon(self._forget, question)

    async def serve(self, client: AnyClient) -> None:
        """Subscribe to the acks of whoever was asked, on this connection, until it is lost."""
        self._heard.clear()
        while True:
            self._wanted = trio.Event()
            for prop_id in [each for each in self._targets if each not in self._heard]:
                await self._subscribe(client, prop_id)
            await self._wanted.wait()

    def hear(self, prop_id: str, message: Message) -> None:
        """A message on an `ack` topic; what answers none of our questions is somebody else's."""
        try:
            ack = parse_ack(bytes(message.payload))
        except HalloweenHostError:
            return  # firmware may say what it likes there
        if ack.outcome == "accepted":
            return
        question = self._pending.pop((prop_id, str(ack.id)), None)
        if question is not None:
            question.answer(ack)

    async def _subscribe(self, client: AnyClient, prop_id: str) -> None:
        try:
            await client.subscribe(topics.ack(prop_id), 1)
        except MqttCodeError as error:
            if not client.connected:
                raise
            _log.error(f"the broker does not let us hear the acks of {prop_id}: {error}")
            del self._targets[prop_id]
            for key in [key for key in self._unsent if key[0] == prop_id]:
                question = self._unsent.pop(key)
                question.answer(Ack(question.id, None, "refused", error=f"its acks cannot be heard: {error}"))
            return
        self._heard.add(prop_id)
        for key in [key for key in self._unsent if key[0] == prop_id]:
            self._post(key, self._unsent.pop(key))

    def _ask(self, question: Question) -> None:
        key = (question.prop_id, question.id)
        self._targets.pop(question.prop_id, None)
        self._targets[question.prop_id] = None
        if len(self._targets) > TARGETS:
            oldest = next(iter(self._targets))
            del self._targets[oldest]
            self._heard.discard(oldest)  # the subscription stays until the next connection; its acks are ignored
        if question.prop_id in self._heard:
            self._post(key, question)
        else:
            self._unsent[key] = question
            self._wanted.set()

    def _post(self, key: tuple[str, str], question: Question) -> None:
        self._pending[key] = question
        question.post()

    def _forget(self, question: Question) -> None:
        key = (question.prop_id, question.id)
        self._unsent.pop(key, None)
        self._pending.pop(key, None)

    def _soon(self, function: Callable[[Question], None], question: Question) -> None:
        try:
            self._token.run_sync_soon(function, question)
        except trio.RunFinishedError:  # a thread that outlived the host: nobody is left to ask
            return
