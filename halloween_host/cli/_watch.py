"""`watch`: what goes over the broker, as it goes, over every reconnect."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import structlog
from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._client import client_id_for
from halloween_host.cli._environment import reachable
from halloween_host.cli._lines import Lines, RawLines
from halloween_host.cli._options import BrokerOption
from halloween_host.cli._preparing import prepare
from halloween_host.cli._reading import Reading
from halloween_host.dial import open_dial
from halloween_host.link import Link
from halloween_host.mqtt import AnyClient, Message

__all__ = ["watch_"]

_log: Final = structlog.stdlib.get_logger()


async def watch_(
    prop: Annotated[str | None, Parameter(help="Show the messages of this prop alone.")] = None,
    /,
    *,
    raw: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Write topic, tab and payload byte for byte.")
    ] = False,
    broker: BrokerOption = None,
) -> int:
    """Show the messages on the broker as they come, until Ctrl-C.

    What the broker has retained comes first. On a terminal in colours, with
    health, acks and panics in words; piped, a line for each message: time,
    topic and payload with tabs between them. Control characters, and bytes that
    are no UTF-8, are shown as escapes such as \\x1b. When the broker goes away,
    a line on stderr says so, and another one when it is back.

    With --raw nothing is escaped, cut or coloured: what is sent by whoever may
    publish can then repaint the terminal, so pipe it.

    Exit status: 130 after Ctrl-C; 0 when the reader of the pipe has gone; 2 for
    wrong variables, options or prop ids.
    """
    settings = prepare(broker)
    filters = [f"{topics.PREFIX}/#"]
    if prop is not None:
        filters = [f"{topics.PREFIX}/{prop if prop == topics.HOST else topics.check_prop_id(prop)}/#"]
        filters += [topics.HOST_AVAILABILITY] if prop != topics.HOST else []
    lines = RawLines(sys.stdout.buffer) if raw else Lines(sys.stdout)

    async def session(client: AnyClient) -> None:
        reading = Reading()
        await client.subscribe([(each, 1) for each in filters])
        while True:
            _show(lines, reading, await client.messages.batch(), prop)

    client_id = client_id_for("watch")
    reached = reachable(settings.broker)
    await Link(reached, open_dial(reached), session, client_id=client_id, taken_over=_log.error).run()
    return 0


def _show(lines: Lines | RawLines, reading: Reading, batch: Sequence[Message], prop: str | None) -> None:
    for message in batch:
        topic = str(message.topic)
        words = reading.take(topic, message.payload)
        # The host's availability is heard for what it means to a prop that has no connection of its own.
        if prop in (None, topics.HOST) or topic != topics.HOST_AVAILABILITY:
            lines.write(topic, message.payload, retained=message.retain, words=words)
    sys.stdout.flush()
