"""`ping`: does the host, or a prop's worker, still answer, and how fast?"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._complaints import complain
from halloween_host.cli._exchange import Answer
from halloween_host.cli._options import BrokerOption, TimeoutOption
from halloween_host.cli._orders import ask, silence_of, tell_host
from halloween_host.cli._outcomes import DONE, SILENT, tell
from halloween_host.cli._preparing import check_seconds, prepare
from halloween_host.cli._printing import put
from halloween_host.cli._sightings import Sightings
from halloween_host.payloads import as_text

__all__ = ["ping_"]


async def ping_(
    prop: Annotated[str | None, Parameter(help="The prop's id; the host itself without one.")] = None,
    /,
    *,
    timeout: TimeoutOption = 5.0,
    broker: BrokerOption = None,
) -> int:
    """Ping the host, or a prop's worker through it.

    A prop is sent the command ping, which its worker answers by its do_ping; a
    worker without one refuses.

    Exit status: 0 answered; 1 failed, or no broker; 2 wrong use; 3 refused; 4
    no answer in time.
    """
    settings = prepare(broker)
    check_seconds("--timeout", timeout)
    who = topics.HOST if prop is None else topics.check_prop_id(prop)
    sightings = Sightings()
    answer = await ask(settings.broker, who, "ping", timeout_s=timeout, ttl_s=timeout, sightings=sightings)
    if not isinstance(answer, Answer):
        complain(silence_of(who, answer, sightings, settings.broker, timeout))
        return SILENT
    if answer.ack.outcome != "done":
        return tell_host(answer.ack) if prop is None else tell(answer.ack, who)
    said = f" ({as_text(answer.ack.result)})" if answer.ack.result not in (None, "pong") else ""
    put(f"{who} answered in {answer.round_trip_s * 1000:.1f} ms{said}")
    return DONE
