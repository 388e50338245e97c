"""Rows are a table in colours for a person, and lines with tabs between the cells for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from halloween_host.cli._printing import is_terminal, put_cells
from halloween_host.logs import escape

__all__ = ["colour_of", "show"]

_COLOURS = {
    "online": "green",
    "well": "green",
    "degraded": "yellow",
    "starting": "yellow",
    "stopped": "yellow",
    "stale": "yellow",
    "offline": "red",
    "found": "bold red",
}


def colour_of(word: str) -> str:
    """The colour for a state's word, ``""`` for any other."""
    return _COLOURS.get(word, "")


def show(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    styles: Sequence[str] = (),
    *,
    fold: Sequence[int] | None = None,
) -> None:
    """Print `rows` below `heads`; piped, without heads and with "-" for an empty cell. A state's word has its colour.

    `fold` are the columns that take several lines when the terminal is narrow, None for all.
    """
    if not is_terminal():
        for row in rows:
            put_cells(*(cell or "-" for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for index, (head, style) in enumerate(zip(heads, (*styles, *[""] * len(heads)), strict=False)):
        table.add_column(head, style=style, overflow="fold", no_wrap=fold is not None and index not in fold)
    for row in rows:
        table.add_row(*(Text(escape(cell).replace("\t", " "), colour_of(cell)) for cell in row))
    Console().print(table)
