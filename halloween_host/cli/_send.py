"""`send`: one command to one prop, and a word about whether anybody is there to hear it."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Final

import structlog
import trio
from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._client import connected
from halloween_host.cli._complaints import complain
from halloween_host.cli._environment import BrokerOption, address_of, read_environment, read_settings
from halloween_host.cli._printing import put
from halloween_host.commands import encode_command
from halloween_host.errors import CommandError, did_you_mean
from halloween_host.logs import configure_logging
from halloween_host.mqtt import Client, MqttCodeError

__all__ = ["send_"]

#: Seconds in which a broker hands out what is retained; only a prop that it does not know is waited for as long.
_RETAINED_S: Final = 0.5

_log: Final = structlog.stdlib.get_logger()


async def send_(
    prop: Annotated[str, Parameter(help="The prop's id.")],
    action: Annotated[str, Parameter(help="What it shall do, such as ping for do_ping.")],
    /,
    *arg: Annotated[str, Parameter(help="The argument: text, several words are joined.")],
    json: Annotated[
        bool, Parameter(negative=(), show_default=False, help="ARG is JSON: 500, true, [1, 2], {...}.")
    ] = False,
    broker: BrokerOption = None,
) -> int:
    """Send a command to a prop.

    The command goes to halloween/PROP/cmd as {"action": ACTION, "args": ARG},
    with QoS 1. For a prop that is offline, or that the broker does not know, it
    is sent all the same, with a warning. Write -- before an argument that
    starts with -.

    Exit status: 0 once the broker has the command; 1 when it cannot be reached
    or refuses it; 2 for what is no prop id, no action or no JSON.
    """
    environ = read_environment()
    settings = read_settings(environ, broker=broker)
    configure_logging(settings.log_level, settings.log_format)
    for warning in settings.warnings:
        _log.warning(warning)
    topics.check_prop_id(prop)
    text = " ".join(arg) if arg else None
    payload = encode_command(action, _read_json(action, text) if json else text)
    topic = topics.command(prop)
    async with connected(settings.broker, "send") as client:
        known: dict[str, str] | None = {}
        try:
            await client.subscribe(topics.availability("+"), qos=1)
        except MqttCodeError:  # this user may not hear it: then we know nothing
            known = None
        await client.publish(topic, payload, qos=1)
        put(f"sent {payload.decode()} to {topic} on {address_of(settings.broker)}")
        if known is not None:
            with trio.move_on_after(_RETAINED_S):
                await _collect_until(client, prop, known)
    if known is not None and known.get(prop) != "online":
        _warn(prop, known)
    return 0


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
