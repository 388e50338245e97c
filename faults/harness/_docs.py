"""docs/reliability.md's table stands between markers and comes from a record, with the machine that it was made on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.harness._docs import MACHINE, listed, rewritten
from faults.harness._results import Record, RowResult
from faults.harness._tables import markdown

#: The block of the table.
TABLE: Final = "table"
#: What differs from run to run on the same machine.
_PASSING: Final = "load before"


def write_docs(record: Record, page: Path) -> None:
    """Rewrite the page's two blocks from the record.

    Raises:
        ValueError: when the page lacks the markers of one.
    """
    page.write_text(rewritten(page.read_text(), {TABLE: markdown(record.rows), MACHINE: machines(record.rows)}))


def machines(rows: Iterable[RowResult]) -> str:
    """Each machine with its versions once, below it the commands that measured there, with date and load."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        machine = {name: value for name, value in row.run.machine.items() if name != _PASSING}
        commands = groups.setdefault(f"{listed(machine)}\n{listed(row.run.versions)}", [])
        load = row.run.machine.get(_PASSING, "unknown")
        command = f"- `{row.run.command}`, {row.run.date[:10]}, load before {load}"
        if command not in commands:
            commands.append(command)
    return "\n".join("\n".join([*commands, about]) for about, commands in groups.items())
