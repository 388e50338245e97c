"""What is not as it should be before the show, found over the broker: one look, a list of findings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import attrs
import trio

from halloween_host import topics
from halloween_host.cli._client import connected
from halloween_host.cli._environment import address_of
from halloween_host.cli._exchange import Answer, Exchange
from halloween_host.cli._lines import shown_payload
from halloween_host.cli._sightings import FILTERS, Sightings, collect
from halloween_host.cli._status import read_workers
from halloween_host.cli._words import panic_in_words
from halloween_host.mqtt import Client, Message
from halloween_host.payloads import read_json
from halloween_host.settings import BrokerSettings

__all__ = ["Finding", "Inspection", "delete_retained"]

#: Seconds that two clocks may be apart: a command is worth obeying for five.
SKEW_S: Final = 2.0
#: Seconds in which a second host answers the same question, or takes the first one's connection over.
RIVAL_S: Final = 1.0

_NONCES: Final = topics.nonce("+").replace("%2B", "+")


@attrs.frozen
class Finding:
    """One line: what was looked at, whether it is well (None: not looked at), and what was seen."""

    what: str
    well: bool | None
    seen: str

    @property
    def verdict(self) -> str:
        return {True: "well", False: "found", None: ""}[self.well]


class Inspection:
    """`run` it once. `retained` are the commands that the broker would hand to everybody who connects, by topic."""

    def __init__(self, broker: BrokerSettings, *, timeout_s: float) -> None:
        self.retained: dict[str, bytes] = {}
        self._broker = broker
        self._timeout_s = timeout_s
        self._sightings = Sightings()
        self._nonces: dict[str, set[str]] = {}

    async def run(self) -> list[Finding]:
        """The findings, in the order in which somebody mends them.

        Raises:
            MqttError: when the broker cannot be reached, or refuses us.
        """
        async with connected(self._broker, "preflight") as client:
            exchange = Exchange(client, self._hear)
            filters = (*FILTERS, topics.ALL_COMMANDS, topics.ack("+"), _NONCES)
            await client.subscribe([(each, 1) for each in filters])
            await collect(exchange.read)
            asked_at = time.time()
            asked = exchange.post(topics.HOST, "status", ttl_s=self._timeout_s)
            with trio.move_on_after(self._timeout_s):
                await exchange.answer(asked)
            status = _status_in(exchange.answers.get(asked))
            pings = {prop_id: exchange.post(prop_id, "ping", ttl_s=self._timeout_s) for prop_id in read_workers(status)}
            with trio.move_on_after(self._timeout_s):
                while pings.values() - exchange.answers.keys():
                    await exchange.read()
            with trio.move_on_after(RIVAL_S):
                while True:
                    await exchange.read()
        return [
            self._host(status, exchange.answers.get(asked)),
            *self._clock(status, exchange.answers.get(asked), asked_at),
            *self._panic(),
            self._rivals(exchange.counts.get(asked, 0)),
            *self._commands(),
            *self._props(status, {prop_id: exchange.answers.get(id_) for prop_id, id_ in pings.items()}),
            *self._twice({prop_id: exchange.counts.get(id_, 0) for prop_id, id_ in pings.items()}),
        ]

    def _hear(self, message: Message) -> None:
        topic = str(message.topic)
        parsed = topics.parse_topic(topic)
        if parsed is not None and parsed.kind == "cmd":
            if message.retain and message.payload:
                self.retained[topic] = message.payload
        elif topic.startswith(_NONCES[:-1]):
            self._nonces.setdefault(topic[len(_NONCES) - 1 :], set()).add(_nonce_in(message.payload))
        else:
            self._sightings.hear(message)

    def _host(self, status: dict[str, Any], answer: Answer | None) -> Finding:
        where = address_of(self._broker)
        if answer is None:
            known = {"unknown": "no host was ever online"}.get(self._sightings.host, f"it is {self._sightings.host}")
            return Finding("host", False, f"no answer in {self._timeout_s:g} s; on {where}, {known}")
        if not status:
            return Finding("host", False, f"no status: {answer.ack.error or answer.ack.outcome}")
        return Finding("host", True, f"answered in {answer.round_trip_s * 1000:.1f} ms on {where}")

    def _clock(self, status: dict[str, Any], answer: Answer | None, asked_at: float) -> Iterator[Finding]:
        now = status.get("now")
        if answer is None or not isinstance(now, int | float):
            return
        # The host read its clock somewhere within the round trip.
        behind, ahead = asked_at - now, now - (asked_at + answer.round_trip_s)
        apart, word = max(behind, ahead, 0.0), "behind" if behind > ahead else "ahead of"
        yield Finding(
            "clock",
            apart <= SKEW_S,
            f"the host's clock is {apart:,.1f} s {word} this one: commands with a ttl may be refused"
            if apart > SKEW_S
            else "the host's clock and this one agree",
        )

    def _panic(self) -> Iterator[Finding]:
        if self._sightings.panic.get("active"):
            yield Finding("panic", False, panic_in_words(self._sightings.panic))

    def _rivals(self, hosts: int) -> Finding:
        seen = [f"{hosts} hosts answer on this broker"] if hosts > 1 else []
        seen += [
            f"{client_id} was taken over while we looked: two hosts share that client id"
            for client_id, nonces in sorted(self._nonces.items())
            if len(nonces) > 1
        ]
        return Finding("client ids", not seen, "; ".join(seen) or "no second host was seen")

    def _commands(self) -> Iterator[Finding]:
        for topic, payload in sorted(self.retained.items()):
            yield Finding("retained", False, f"a command waits on {topic} for everybody: {shown_payload(payload)[:80]}")
        if not self.retained:
            yield Finding("retained", True, "no command is retained")

    def _props(self, status: dict[str, Any], pings: dict[str, Answer | None]) -> Iterator[Finding]:
        workers = read_workers(status)
        for seen in self._sightings.props() if not status else ():
            yield Finding(seen.prop_id, False, f"{seen.availability}; nobody answers for it")
        for prop_id, facts in workers.items():
            yield Finding(prop_id, *self._prop(facts, self._sightings.of(prop_id).availability, pings[prop_id]))

    def _prop(self, facts: dict[str, Any], on_broker: str, answer: Answer | None) -> tuple[bool, str]:
        reason = f": {facts['reason']}" if facts.get("reason") else ""
        if facts.get("availability") != "online":
            return False, f"{facts.get('state') or 'offline'}{reason}"
        if on_broker != "online":
            return False, f"the host has it as online, the broker as {on_broker}"
        if answer is None:
            return False, f"no answer to ping in {self._timeout_s:g} s"
        in_time = f"in {answer.round_trip_s * 1000:.1f} ms"
        if answer.ack.outcome in ("failed", "cancelled"):
            return False, f"ping {answer.ack.outcome} {in_time}: {answer.ack.error}"
        if facts.get("state") == "degraded":
            return False, f"degraded{reason}; answered {in_time}"
        # A worker need not have a ping; that it says so is an answer, too.
        return True, f"answered {in_time}" + (f" ({answer.ack.error})" if answer.ack.outcome == "refused" else "")

    def _twice(self, counts: dict[str, int]) -> Iterator[Finding]:
        for prop_id, count in counts.items():
            if count > 1:
                yield Finding(prop_id, False, f"{count} workers answer for it: it runs on two hosts")


async def delete_retained(broker: BrokerSettings, retained: dict[str, bytes]) -> None:
    """Delete these retained messages; MqttError when the broker cannot be reached, or refuses us."""
    async with connected(broker, "preflight") as client:
        await _delete(client, retained)


async def _delete(client: Client, retained: dict[str, bytes]) -> None:
    for topic in sorted(retained):
        await client.publish(topic, b"", qos=1, retain=True)


def _status_in(answer: Answer | None) -> dict[str, Any]:
    result = answer.ack.result if answer is not None and answer.ack.outcome == "done" else None
    return result if isinstance(result, dict) else {}


def _nonce_in(payload: bytes) -> str:
    try:
        return str(read_json(payload.decode())["nonce"])
    except (ValueError, KeyError, TypeError):
        return ""
