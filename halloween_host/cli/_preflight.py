"""`preflight`: what would go wrong tonight, before it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from halloween_host.cli._catalog import load_catalog, place_and_reason
from halloween_host.cli._environment import read_environment, read_settings
from halloween_host.cli._inspection import Finding, Inspection, delete_retained
from halloween_host.cli._options import BrokerOption, BuiltinsOption, PropsOption, TimeoutOption
from halloween_host.cli._preparing import check_seconds
from halloween_host.cli._printing import is_terminal, put
from halloween_host.cli._tables import show

__all__ = ["preflight_"]


async def preflight_(
    *,
    yes: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Delete retained commands without asking.")
    ] = False,
    props: PropsOption = None,
    builtins: BuiltinsOption = None,
    timeout: TimeoutOption = 3.0,
    broker: BrokerOption = None,
) -> int:
    """Look at host, broker, props and configs before the show.

    Pings every prop; looks for a panic that stands, clocks that differ, hosts
    that share a client id, commands that the broker has retained (they would
    fire a prop at every connect), and for workers that do not load and config
    keys that they do not know. On a terminal a table, and a question before
    anything is deleted; piped, a line for each finding: what, "well" or
    "found", and details, with tabs between them.

    Exit status: 0 all is well; 1 something was found, or no broker; 2 for wrong
    variables or options.
    """
    check_seconds("--timeout", timeout)
    settings = read_settings(read_environment(), broker=broker)
    configs = list(_look_at_configs(props, builtins))
    inspection = Inspection(settings.broker, timeout_s=timeout)
    findings = [*await inspection.run(), *configs]
    show(("what", "", "seen"), ((each.what, each.verdict, each.seen) for each in findings), ("bold cyan",))
    if inspection.retained and (yes or _agrees(len(inspection.retained))):
        await delete_retained(settings.broker, inspection.retained)
        put(f"deleted: {', '.join(sorted(inspection.retained))}")
    return 1 if any(each.well is False for each in findings) else 0


def _look_at_configs(props: Path | None, builtins: list[Path] | None) -> Iterator[Finding]:
    if props is None and not Path("props").is_dir():
        yield Finding("configs", None, "not looked at: there is no ./props here, name it with --props")
        return
    catalog = load_catalog(props, builtins)
    for error in catalog.errors:
        yield Finding(error.prop_id, False, f"does not load: {place_and_reason(error)}")
    for warning in catalog.warnings:
        yield Finding("configs", False, warning)
    if not catalog.errors and not catalog.warnings:
        yield Finding("configs", True, f"{len(catalog.workers)} workers load, and every config fits")


def _agrees(count: int) -> bool:
    """Ask, where somebody can answer. No connection is open meanwhile: a person may take their time."""
    if not (is_terminal() and sys.stdin.isatty()):
        return False
    print(f"delete {count} retained command{'' if count == 1 else 's'}? [y/N] ", end="", flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in ("y", "yes")
