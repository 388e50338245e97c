"""What was seen of each fault, as it is written to JSON the moment it is known; records of several runs make one."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from benchmarks.harness._results import Stored
from faults.harness._figures import kept
from faults.harness._rows import Fault, Finding


@attrs.frozen
class Run:
    """Where and when rows were measured. `date` is ISO 8601 with seconds and offset."""

    command: str
    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    quick: bool = False


@attrs.define
class RowResult:
    """One fault's findings, or the `error` that makes them mean nothing. `times` is how often it was done this time."""

    name: str
    title: str
    times: int
    took_s: float
    run: Run
    findings: list[Finding] = attrs.Factory(list)
    error: str | None = None

    @property
    def kept(self) -> bool:
        """Whether every promise was; a fault of which nothing is said kept none."""
        return self.error is None and bool(self.findings) and all(map(kept, self.findings))

    @property
    def label(self) -> str:
        return f"{self.title} × {self.times:,}" if self.times > 1 else self.title


@attrs.define
class Record(Stored):
    """The rows of one run or of several."""

    of = "faults"

    rows: list[RowResult] = attrs.Factory(list)

    @property
    def kept(self) -> bool:
        return bool(self.rows) and all(each.kept for each in self.rows)


def merged(records: Iterable[Record], order: Iterable[Fault]) -> Record:
    """The newest row of each fault, a quick run's only where there is no other; in this order, and what is not in it comes last."""
    newest: dict[str, RowResult] = {}
    rows = (row for record in records for row in record.rows)
    for row in sorted(rows, key=lambda row: (not row.run.quick, row.run.date)):
        newest[row.name] = row
    names = [each.name for each in order]
    ranked = sorted(newest.values(), key=lambda row: names.index(row.name) if row.name in names else len(names))
    return Record(ranked)
