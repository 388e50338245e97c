"""`status`: what the host says of itself and of every worker, now."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from halloween_host import topics
from halloween_host.cli._complaints import complain
from halloween_host.cli._exchange import Answer
from halloween_host.cli._options import BrokerOption, TimeoutOption
from halloween_host.cli._orders import ask, silence_of, tell_host
from halloween_host.cli._outcomes import DONE, FAILED, SILENT
from halloween_host.cli._preparing import check_seconds, prepare
from halloween_host.cli._printing import is_terminal, put
from halloween_host.cli._sightings import Sighting, Sightings
from halloween_host.cli._tables import show
from halloween_host.cli._words import ago, panic_in_words, shown_duration, stale_in_words

__all__ = ["read_workers", "show_props", "status_"]


async def status_(
    *,
    json: Annotated[bool, Parameter(negative=(), show_default=False, help="Print the host's answer as JSON.")] = False,
    timeout: TimeoutOption = 5.0,
    broker: BrokerOption = None,
) -> int:
    """Ask the host how it and its workers are.

    A table on a terminal. Piped, a line for each worker: prop, availability,
    state, since (Unix s), restarts, dialect, whether it has a connection of its
    own (yes, no), refused commands and reason, with tabs between them and "-"
    for none. A panic that stands is said on stderr then.

    Exit status: 0 answered, whatever the answer; 1 no broker, or no status; 2
    wrong use; 3 refused; 4 no answer in time.
    """
    settings = prepare(broker)
    check_seconds("--timeout", timeout)
    sightings = Sightings()
    answer = await ask(settings.broker, topics.HOST, "status", timeout_s=timeout, ttl_s=timeout, sightings=sightings)
    if not isinstance(answer, Answer):
        complain(silence_of(topics.HOST, answer, sightings, settings.broker, timeout))
        return SILENT
    result = answer.ack.result
    if answer.ack.outcome != "done":
        return tell_host(answer.ack)
    if not isinstance(result, dict):
        complain(f"the host's status is none: {answer.ack.error or result!r}")
        return FAILED
    if json:
        put(json_module.dumps(result))  # ASCII: what it escapes is still JSON, what `put` would escape is not
        return DONE
    _tell_house(result)
    show_props(_sighting(prop_id, facts) for prop_id, facts in read_workers(result).items())
    return DONE


def read_workers(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The workers of a `status` result, by name."""
    workers = result.get("workers")
    found = workers.items() if isinstance(workers, dict) else ()
    return {prop_id: facts for prop_id, facts in sorted(found) if isinstance(facts, dict)}


def show_props(sightings: Iterable[Sighting]) -> None:
    """A row for each prop: what matters at night for a person, all there is for a program."""
    if is_terminal():
        show(
            ("prop", "is", "for", "restarts", "refused", "why"),
            map(_for_a_person, sightings),
            ("bold cyan",),
            fold=(5,),
        )
    else:
        show((), map(_for_a_program, sightings))


def _for_a_person(seen: Sighting) -> tuple[str, ...]:
    """Health's word where it goes with availability, which it may make finer: degraded, starting, stopped."""
    facts = seen.health
    fits = bool(facts) and not seen.stale
    why = [stale_in_words(seen)] if seen.stale or seen.note else [shown(facts.get("reason"))]
    if facts.get("presence") is False and not seen.note:
        why.append("online only while the host is")
    if facts.get("pid") is not None and not seen.stale:
        why.append(f"process {facts['pid']}")
    return (
        seen.prop_id,
        shown(facts.get("state")) if fits else seen.availability,
        ago(facts.get("since")) if fits else "",
        shown(facts.get("restarts") or None),
        shown(facts.get("refused") or None),
        "; ".join(filter(None, why)),
    )


def _for_a_program(seen: Sighting) -> tuple[str, ...]:
    facts = seen.health
    presence = facts.get("presence")
    return (
        seen.prop_id,
        seen.availability,
        "stale" if seen.stale else shown(facts.get("state")),
        shown(facts.get("since")),
        shown(facts.get("restarts")),
        _kind(facts),
        {True: "yes", False: "no"}[presence] if isinstance(presence, bool) else "",
        shown(facts.get("refused")),
        stale_in_words(seen) or shown(facts.get("reason")),
    )


def _kind(facts: Mapping[str, Any]) -> str:
    """``native``, or ``native, isolated``, or ``native, isolated, pid 4711``."""
    words = [shown(facts.get("dialect"))]
    if facts.get("isolated") is True:
        words.append("isolated")
        words += [f"pid {facts['pid']}"] if facts.get("pid") is not None else []
    return ", ".join(filter(None, words))


def _sighting(prop_id: str, facts: dict[str, Any]) -> Sighting:
    """What the host says of a worker; it knows better than what the broker has, so nothing of it is stale."""
    return Sighting(prop_id, shown(facts.get("availability")) or "unknown", facts)


def shown(value: object) -> str:
    """Text for a cell, ``""`` for None."""
    return "" if value is None else str(value)


def _tell_house(result: Mapping[str, Any]) -> None:
    panic = result.get("panic")
    latched = isinstance(panic, dict) and panic.get("active")
    words = panic_in_words(panic) if isinstance(panic, dict) and latched else ""
    if not is_terminal():
        if words:
            complain(words)
        return
    uptime_s = result.get("uptime_s")
    up = f"up for {shown_duration(uptime_s)}" if isinstance(uptime_s, int | float) else "up"
    put(f"the host is {up}, {len(read_workers(result))} workers")
    if words:
        put(words, "bold red")
