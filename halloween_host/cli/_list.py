"""`list`: who is there, what they do and where they come from."""

from __future__ import annotations

from collections.abc import Iterable

from halloween_host.cli._catalog import load_catalog, place_and_reason
from halloween_host.cli._places import BuiltinsOption, PropsOption
from halloween_host.cli._printing import is_terminal, put, put_cells
from halloween_host.loader import WorkerSpec
from halloween_host.logs import escape
from halloween_host.worker import shown_path

__all__ = ["list_"]

_HEADS = ("prop", "dialect", "commands", "config", "source")


async def list_(*, props: PropsOption = None, builtins: BuiltinsOption = None) -> int:
    """Show the workers with their commands and files.

    A table on a terminal. Piped, a line for each worker: prop, dialect,
    commands, config file, source file, with tabs between them and "-" for none.
    Workers that do not load stand below, each with file, line and what is wrong.

    Exit status: 0; 2 for wrong variables or options.
    """
    catalog = load_catalog(props, builtins)
    if is_terminal():
        _draw(map(_row, catalog.workers))
    else:
        for spec in catalog.workers:
            put_cells(*_row(spec))
    for error in catalog.errors:
        put(f"does not load: {place_and_reason(error)}")
    return 0


def _row(spec: WorkerSpec) -> tuple[str, ...]:
    config = shown_path(spec.config.path) if spec.config.path else "-"
    return spec.prop_id, spec.dialect, " ".join(spec.actions) or "-", config, shown_path(spec.path)


def _draw(rows: Iterable[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for head, style in zip(_HEADS, ("bold cyan", "", "green", "", "dim"), strict=True):
        table.add_column(head, style=style, overflow="fold")
    for row in rows:
        table.add_row(*(Text(escape(cell)) for cell in row))
    Console().print(table)
