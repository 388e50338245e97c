"""`list`: who is there, what they do and where they come from; with --live, how they are by what the broker has."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter

from halloween_host.cli._catalog import load_catalog, place_and_reason
from halloween_host.cli._client import connected
from halloween_host.cli._complaints import complain
from halloween_host.cli._environment import address_of
from halloween_host.cli._exchange import Exchange
from halloween_host.cli._options import BrokerOption, BuiltinsOption, PropsOption
from halloween_host.cli._preparing import prepare
from halloween_host.cli._printing import is_terminal, put
from halloween_host.cli._sightings import FILTERS, Sightings, collect
from halloween_host.cli._status import show_props
from halloween_host.cli._tables import show
from halloween_host.cli._words import panic_in_words
from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.loader import WorkerSpec
from halloween_host.settings import BrokerSettings
from halloween_host.worker import shown_path

__all__ = ["list_"]

_HEADS: Final = ("prop", "dialect", "commands", "config", "source")
_STYLES: Final = ("bold cyan", "", "green", "", "dim")


async def list_(
    *,
    props: PropsOption = None,
    builtins: BuiltinsOption = None,
    live: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Show how the props on the broker are instead.")
    ] = False,
    broker: BrokerOption = None,
) -> int:
    """Show the workers with their commands and files.

    A table on a terminal. Piped, a line for each worker: prop, dialect (and
    whether it is isolated), commands, config file, source file, with tabs between them and "-" for none.
    Workers that do not load stand below, each with file, line and what is wrong.

    With --live it is what the broker has of every prop, whether a host runs or
    not: prop, availability, state, since, restarts, dialect, whether it has a
    connection of its own (yes, no), refused commands and reason. Where state
    and availability differ, availability is right and the state is "stale"; of
    a prop without a connection of its own, online counts while the host is.

    Exit status: 0; 1 when --live finds no broker; 2 for wrong variables or
    options.
    """
    if live:
        given = [option for option, folders in (("--props", props), ("--builtins", builtins)) if folders]
        if given:
            raise InvalidSettings(tuple(SettingsError(each, None, "--live asks the broker alone") for each in given))
        await _show_live(prepare(broker).broker)
        return 0
    if broker is not None:
        raise InvalidSettings((SettingsError("--broker", None, "only --live asks a broker"),))
    catalog = load_catalog(props, builtins)
    show(_HEADS, map(_row, catalog.workers), _STYLES)
    for error in catalog.errors:
        put(f"does not load: {place_and_reason(error)}")
    return 0


def _row(spec: WorkerSpec) -> tuple[str, ...]:
    config = shown_path(spec.config.path) if spec.config.path else ""
    return spec.prop_id, spec.kind, " ".join(spec.actions), config, shown_path(spec.path)


async def _show_live(broker: BrokerSettings) -> None:
    sightings = Sightings()
    async with connected(broker, "list") as client:
        await client.subscribe([(each, 1) for each in FILTERS])
        await collect(Exchange(client, sightings.hear).read)
    host = "no host was ever online" if sightings.host == "unknown" else f"the host is {sightings.host}"
    panic = panic_in_words(sightings.panic) if sightings.panic.get("active") else ""
    if is_terminal():
        put(f"{host} on {address_of(broker)}", "" if sightings.host == "online" else "bold red")
        if panic:
            put(panic, "bold red")
    else:
        for line in (*([host] if sightings.host != "online" else []), *([panic] if panic else [])):
            complain(line)
    show_props(sightings.props())
