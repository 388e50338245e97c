"""`watch`: what goes over the broker, as it goes, over every reconnect."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import structlog
from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._client import client_id_for
from halloween_host.cli._environment import BrokerOption, reachable, read_environment, read_settings, tls_of
from halloween_host.cli._lines import Lines
from halloween_host.link import Link
from halloween_host.logs import configure_logging
from halloween_host.mqtt import Client, Message

__all__ = ["watch_"]

_log: Final = structlog.stdlib.get_logger()


async def watch_(
    prop: Annotated[str | None, Parameter(help="Show the messages of this prop alone.")] = None,
    /,
    *,
    broker: BrokerOption = None,
) -> int:
    """Show the messages on the broker as they come, until Ctrl-C.

    What the broker has retained comes first. On a terminal in colours; piped, a
    line for each message: time, topic and payload with tabs between them.
    Control characters, and bytes that are no UTF-8, are shown as escapes such
    as \\x1b. When the broker goes away, a line on stderr says so, and another
    one when it is back.

    Exit status: 130 after Ctrl-C; 0 when the reader of the pipe has gone; 2 for
    wrong variables, options or prop ids.
    """
    environ = read_environment()
    settings = read_settings(environ, broker=broker)
    configure_logging(settings.log_level, settings.log_format)
    for warning in settings.warnings:
        _log.warning(warning)
    topic_filter = f"{topics.PREFIX}/#"
    if prop is not None:
        topic_filter = f"{topics.PREFIX}/{prop if prop == topics.HOST else topics.check_prop_id(prop)}/#"
    lines = Lines(sys.stdout)

    async def session(client: Client) -> None:
        await client.subscribe(topic_filter, qos=1)
        while True:
            _show(lines, await client.messages.batch())

    client_id = client_id_for("watch")
    await Link(reachable(settings.broker), session, client_id=client_id, tls=tls_of(settings.broker)).run()
    return 0


def _show(lines: Lines, batch: Sequence[Message]) -> None:
    for message in batch:
        lines.write(str(message.topic), message.payload, retained=message.retain)
    sys.stdout.flush()
