"""An order to the host itself: sent, answered on `worker_host/ack`, told, and made into the exit status."""

from __future__ import annotations

import trio

from halloween_host import topics
from halloween_host.acks import Ack
from halloween_host.cli._client import connected
from halloween_host.cli._complaints import complain
from halloween_host.cli._environment import address_of
from halloween_host.cli._exchange import TTL_S, Answer, Exchange
from halloween_host.cli._outcomes import SILENT, tell
from halloween_host.cli._preparing import check_seconds, prepare
from halloween_host.cli._sightings import Sightings
from halloween_host.settings import BrokerSettings

__all__ = ["ask", "order", "silence_of", "tell_host"]


async def order(action: str, prop: str | None, *, done: str, timeout_s: float, broker: str | None) -> int:
    """Have the host do `action` (to `prop`); the exit status. `done` is said when it has nothing to say itself.

    Raises:
        InvalidSettings: for wrong variables or options.
        TopicError: when `prop` is no prop id.
        MqttError: when the broker cannot be reached, or refuses us.
    """
    settings = prepare(broker)
    check_seconds("--timeout", timeout_s)
    if prop is not None:
        topics.check_prop_id(prop)
    sightings = Sightings()
    answer = await ask(settings.broker, topics.HOST, action, prop, timeout_s=timeout_s, sightings=sightings)
    if isinstance(answer, Answer):
        return tell_host(answer.ack, done=done)
    complain(silence_of(topics.HOST, answer, sightings, settings.broker, timeout_s))
    return SILENT


async def ask(
    broker: BrokerSettings,
    prop_id: str,
    action: str,
    args: object = None,
    *,
    timeout_s: float,
    sightings: Sightings,
    ttl_s: float = TTL_S,
) -> Answer | bool:
    """The answer to one command; without one in time, whether it was accepted. What is seen meanwhile is noted.

    Raises:
        CommandError, PayloadError: as `encode_command`.
        MqttError: when the broker cannot be reached, or refuses us.
    """
    async with connected(broker, "ask") as client:
        wanted = dict.fromkeys((topics.HOST_AVAILABILITY, topics.availability(prop_id), topics.ack(prop_id)))
        await client.subscribe([(each, 1) for each in wanted])
        exchange = Exchange(client, sightings.hear)
        id_ = await exchange.send(prop_id, action, args, ttl_s=ttl_s)
        with trio.move_on_after(timeout_s):
            return await exchange.answer(id_)
        return id_ in exchange.accepted


def tell_host(ack: Ack, *, done: str = "done") -> int:
    """Say the host's last word; the exit status."""
    return tell(ack, "the host", done=done)


def silence_of(prop_id: str, accepted: bool, sightings: Sightings, broker: BrokerSettings, timeout_s: float) -> str:
    """Why no answer came, as far as the broker knows."""
    who = "the host" if prop_id == topics.HOST else prop_id
    if accepted:
        return f"{who} took it and has not finished in {timeout_s:g} s"
    host = sightings.host
    state = host if prop_id == topics.HOST else sightings.of(prop_id).availability
    known = "no host was ever online there" if host == "unknown" else f"the host is {host} there"
    if prop_id != topics.HOST:
        known = f"{prop_id} is {state} and {known}" if state != "unknown" else f"{prop_id} was never online there"
    return f"no answer from {who} in {timeout_s:g} s on {address_of(broker)}: {known}"
