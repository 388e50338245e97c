"""`health`: a host is alive when the broker says so and the host itself does, too."""

from __future__ import annotations

from typing import Annotated, Final

import trio
from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._client import connected
from halloween_host.cli._complaints import complain
from halloween_host.cli._environment import address_of
from halloween_host.cli._lines import shown_payload
from halloween_host.cli._options import BrokerOption
from halloween_host.cli._preparing import check_seconds, prepare
from halloween_host.cli._printing import put
from halloween_host.mqtt import Client

__all__ = ["health_"]

#: Seconds: the host tells its uptime every ten.
_TIMEOUT_S: Final = 12.0


async def health_(
    *,
    timeout: Annotated[float, Parameter(help="Seconds to wait at most.")] = _TIMEOUT_S,
    broker: BrokerOption = None,
) -> int:
    """Tell by the exit status whether the host is alive and has its broker.

    Made for a container's HEALTHCHECK. Asks the broker of this environment: it
    must have the host as online (halloween/worker_host/status/availability),
    and the host must tell its uptime (halloween/worker_host/uptime) in time.

    Exit status: 0 alive; 1 not, with a line that says why; 2 for wrong
    variables or options.
    """
    settings = prepare(broker)
    check_seconds("--timeout", timeout)
    signs: dict[str, str] = {}
    with trio.move_on_after(timeout):
        async with connected(settings.broker, "health", timeout_s=timeout) as client:
            await client.subscribe([(topics.HOST_AVAILABILITY, 1), (topics.HOST_UPTIME, 0)])
            await _collect(client, signs)
    availability, uptime = signs.get(topics.HOST_AVAILABILITY), signs.get(topics.HOST_UPTIME)
    if availability == "online" and uptime is not None:
        put(f"alive for {uptime} s, on {address_of(settings.broker)}")
        return 0
    said = "knows no host" if availability is None else f"has the host as {availability}"
    silence = "" if uptime else f", and no uptime came in {timeout:g} s"
    complain(f"not healthy: the broker on {address_of(settings.broker)} {said}{silence}")
    return 1


async def _collect(client: Client, signs: dict[str, str]) -> None:
    """Fill `signs` until the host is online and speaks; a retained uptime is no sign of life."""
    while signs.get(topics.HOST_AVAILABILITY) != "online" or topics.HOST_UPTIME not in signs:
        for message in await client.messages.batch():
            topic = str(message.topic)
            if topic == topics.HOST_AVAILABILITY or not message.retain:
                signs[topic] = shown_payload(message.payload)
