"""The same lines for the terminal and for docs/reliability.md: a promise, what was seen of it, and whether it was kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs
from rich.console import Console
from rich.text import Text

from benchmarks.harness._tables import COLOURS, headed, markdown_table
from faults.harness._figures import figure, kept, promised, shown
from faults.harness._results import Record, RowResult

HEAD: Final = ("fault", "promised", "seen", "p50", "p99", "max", "kept")
RIGHT: Final = ("seen", "p50", "p99", "max")
WORDS: Final = {True: "yes", False: "NO", None: ""}


@attrs.frozen
class Line:
    """One promise; `fault` is empty but for the first line of a fault."""

    fault: str
    promised: str
    #: How many values, then their figures; where the promise is on the sum, that alone.
    figures: tuple[str, str, str, str]
    #: None where nothing was promised.
    kept: bool | None

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.fault, self.promised, *self.figures, WORDS[self.kept])


def lines(row: RowResult) -> Iterator[Line]:
    """A line for each promise; one that says why where the fault could not be done."""
    if row.error is not None or not row.findings:
        why = (row.error or "no findings").splitlines()[0]
        yield Line(row.label, f"failed: {why}", ("0", "–", "–", "–"), False)
        return
    label = row.label
    for finding in row.findings:
        count = f"{len(finding.seen):,}"
        if finding.limits and all(limit.figure == "sum" for limit in finding.limits):
            p50, p99, most = "", "", f"{shown(figure(finding, 'sum'), finding.unit)} in all"
        else:
            p50, p99, most = (shown(figure(finding, name), finding.unit) for name in ("p50", "p99", "max"))
        verdict = kept(finding)
        yield Line(
            label, promised(finding), (count, p50, p99, most), verdict if finding.limits or not verdict else None
        )
        label = ""


def print_table(record: Record, console: Console) -> None:
    """All rows, with the whole errors of those that failed below."""
    table = headed(HEAD, RIGHT)
    for row in record.rows:
        for line in lines(row):
            table.add_row(*map(Text, line.cells[:-1]), Text(line.cells[-1], style=COLOURS[line.kept]))
        table.add_section()
    console.print(table)
    for row in record.rows:
        if row.error is not None:
            console.print(f"{row.name}: {row.error}", style="red", markup=False, highlight=False)
    verdicts = [line.kept for row in record.rows for line in lines(row) if line.kept is not None]
    console.print(f"{sum(verdicts)} of {len(verdicts)} promises kept", style="bold")


def markdown(rows: Iterable[RowResult]) -> str:
    """All rows as a Markdown table."""
    return markdown_table(HEAD, RIGHT, ([_plain(cell) for cell in line.cells] for row in rows for line in lines(row)))


def _plain(cell: str) -> str:
    """A cell that does not end before its end."""
    return cell.replace("|", "\\|")
