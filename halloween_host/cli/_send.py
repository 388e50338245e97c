"""`send`: one command to one prop, and a word about whether anybody is there to hear it, or what became of it."""

from __future__ import annotations

import json as json_module
import time
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._client import connected
from halloween_host.cli._complaints import complain
from halloween_host.cli._environment import address_of
from halloween_host.cli._exchange import TTL_S, Answer
from halloween_host.cli._options import BrokerOption
from halloween_host.cli._orders import ask, silence_of
from halloween_host.cli._outcomes import DONE, SILENT, tell
from halloween_host.cli._preparing import check_seconds, prepare
from halloween_host.cli._printing import put
from halloween_host.cli._sightings import Sightings
from halloween_host.commands import encode_command
from halloween_host.errors import CommandError, InvalidSettings, SettingsError, did_you_mean
from halloween_host.mqtt import Client, MqttCodeError
from halloween_host.settings import BrokerSettings

__all__ = ["send_"]

#: Seconds in which a broker hands out what is retained; only a prop that it does not know is waited for as long.
_RETAINED_S: Final = 0.5
#: Seconds that --wait waits.
_TIMEOUT_S: Final = 10.0


async def send_(
    prop: Annotated[str, Parameter(help="The prop's id.")],
    action: Annotated[str, Parameter(help="What it shall do, such as ping for do_ping.")],
    /,
    *arg: Annotated[str, Parameter(help="The argument: text, several words are joined.")],
    json: Annotated[
        bool, Parameter(negative=(), show_default=False, help="ARG is JSON: 500, true, [1, 2], {...}.")
    ] = False,
    wait: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Wait for the outcome, and print it.")
    ] = False,
    timeout: Annotated[
        float | None, Parameter(show_default=False, help="With --wait: seconds to wait at most. [default: 10]")
    ] = None,
    ttl: Annotated[
        float | None,
        Parameter(show_default=False, help="Seconds after which it is refused as too old. [default with --wait: 5]"),
    ] = None,
    broker: BrokerOption = None,
) -> int:
    """Send a command to a prop.

    The command goes to halloween/PROP/cmd as {"action": ACTION, "args": ARG},
    with QoS 1. For a prop that is offline, or that the broker does not know, it
    is sent all the same, with a warning. Write -- before an argument that
    starts with -.

    With --wait it carries an id, and its outcome comes back: stdout gets what
    the prop's handler returned ("done" for nothing), stderr why it was not done.

    Exit status: 0 once the broker has the command, with --wait once it is done;
    1 when the broker cannot be reached or refuses it, with --wait also when it
    failed or was cancelled; 2 for what is no prop id, no action or no JSON;
    with --wait 3 when it was refused, 4 without an answer in time.
    """
    settings = prepare(broker)
    topics.check_prop_id(prop)
    if timeout is not None and not wait:
        raise InvalidSettings((SettingsError("--timeout", f"{timeout:g}", "only --wait waits"),))
    if ttl is not None:
        check_seconds("--ttl", ttl)
    text = " ".join(arg) if arg else None
    args = _read_json(action, text) if json else text
    if wait:
        timeout_s = check_seconds("--timeout", _TIMEOUT_S if timeout is None else timeout)
        return await _send_and_wait(settings.broker, prop, action, args, timeout_s=timeout_s, ttl_s=ttl or TTL_S)
    ts = None if ttl is None else round(time.time(), 3)
    await _send(settings.broker, prop, encode_command(action, args, ts=ts, ttl=ttl))
    return DONE


async def _send_and_wait(
    broker: BrokerSettings, prop: str, action: str, args: object, *, timeout_s: float, ttl_s: float
) -> int:
    encode_command(action, args)  # what cannot be sent is said before anybody is asked for a connection
    sightings = Sightings()
    answer = await ask(broker, prop, action, args, timeout_s=timeout_s, ttl_s=ttl_s, sightings=sightings)
    if isinstance(answer, Answer):
        return tell(answer.ack, prop)
    complain(silence_of(prop, answer, sightings, broker, timeout_s))
    return SILENT


async def _send(broker: BrokerSettings, prop: str, payload: bytes) -> None:
    topic = topics.command(prop)
    async with connected(broker, "send") as client:
        known: dict[str, str] | None = {}
        try:
            await client.subscribe(topics.availability("+"), qos=1)
        except MqttCodeError:  # this user may not hear it: then we know nothing
            known = None
        await client.publish(topic, payload, qos=1)
        put(f"sent {payload.decode()} to {topic} on {address_of(broker)}")
        if known is not None:
            with trio.move_on_after(_RETAINED_S):
                await _collect_until(client, prop, known)
    if known is not None and known.get(prop) != "online":
        _warn(prop, known)


def _read_json(action: str, text: str | None) -> object:
    if text is None:
        raise CommandError("--json without an argument", action=action)
    try:
        return json_module.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"the argument is no JSON: {error}", action=action) from None


async def _collect_until(client: Client, prop: str, known: dict[str, str]) -> None:
    """Fill `known` with what the broker has retained of all props, up to the one that is looked for."""
    while prop not in known:
        for message in await client.messages.batch():
            parsed = topics.parse_topic(str(message.topic))
            if parsed is not None:
                known[parsed.prop_id] = message.payload.decode(errors="backslashreplace")


def _warn(prop: str, known: dict[str, str]) -> None:
    if prop in known:
        complain(f"{prop} is {known[prop]}: a worker that is not online hears no command")
    else:
        near = did_you_mean(prop, known.keys() - {topics.HOST})
        complain(f"no prop {prop!r} was ever online on this broker{near}")
