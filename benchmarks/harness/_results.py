"""What a run measured, as it is written to JSON and read again: every round raw, and the machine that it ran on."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import attrs
import cattrs

from benchmarks.harness._rows import METRICS, Bar, Measurement, Row


@attrs.define
class Stored:
    """An attrs class whose objects are kept as JSON; `of` is what they tell of."""

    of: ClassVar[str]

    def write(self, path: Path) -> None:
        """In a folder that is made for it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(cattrs.unstructure(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` wrote.

        Raises:
            ValueError: when the file holds no such record.
        """
        try:
            return cattrs.structure(json.loads(path.read_text()), cls)
        except (cattrs.BaseValidationError, ValueError) as error:
            raise ValueError(f"{path} holds no record of {cls.of}: {error}") from None


@attrs.define
class VariantResult:
    """Every round of one variant; `errors` are the rounds whose figure would mean nothing, by number."""

    name: str
    title: str
    rounds: list[dict[str, float]] = attrs.Factory(list)
    errors: list[str] = attrs.Factory(list)

    @property
    def ours(self) -> bool:
        return self.name.partition("-")[0] == "ours"

    def add(self, measurement: Measurement) -> None:
        self.rounds.append(dict(measurement.values))

    def figures(self, metric: str) -> list[float]:
        """The metric of each round that has it."""
        return [each[metric] for each in self.rounds if metric in each]

    def median(self, metric: str) -> float | None:
        figures = self.figures(metric)
        return statistics.median(figures) if figures else None

    def spread(self, metric: str) -> tuple[float, float] | None:
        """The least and the greatest of the rounds."""
        figures = self.figures(metric)
        return (min(figures), max(figures)) if figures else None


@attrs.frozen
class Verdict:
    """A bar and what the run says about it; `figure` is None where a side of it was not measured."""

    bar: Bar
    figure: float | None

    @property
    def subject(self) -> str:
        """The variant that ours is compared with; without a peer ours."""
        return self.bar.peer or self.bar.ours

    @property
    def reached(self) -> bool:
        return self.figure is not None and self.bar.reached(self.figure)


@attrs.define
class RowResult:
    """One row's variants with their rounds, and its bars."""

    name: str
    title: str
    section: str
    metrics: tuple[str, ...]
    bars: tuple[Bar, ...]
    variants: list[VariantResult]

    @classmethod
    def of(cls, row: Row, *, quick: bool) -> RowResult:
        """Nothing measured yet."""
        variants = [VariantResult(each.name, each.label) for each in row.variants if each.quick or not quick]
        return cls(row.name, row.title, row.section, row.metrics, row.bars, variants)

    def variant(self, name: str) -> VariantResult | None:
        return next((each for each in self.variants if each.name == name), None)

    @property
    def ours(self) -> VariantResult | None:
        """The first variant of ours: peers without a bar are compared with it."""
        return next((each for each in self.variants if each.ours), None)

    def ratio(self, ours: str, peer: str | None, metric: str) -> float | None:
        """The median of `ours` by the median of `peer`, or the median itself without one."""
        figures = [each.median(metric) if (each := self.variant(name)) else None for name in (ours, peer or ours)]
        if figures[0] is None or not figures[1]:
            return figures[0] if peer is None else None
        return figures[0] if peer is None else figures[0] / figures[1]

    def verdicts(self) -> Iterator[Verdict]:
        for bar in self.bars:
            yield Verdict(bar, self.ratio(bar.ours, bar.peer, bar.metric))


@attrs.define
class Record(Stored):
    """A whole run."""

    of = "a benchmark"

    command: str
    date: str
    rounds: int
    quick: bool
    machine: dict[str, str]
    versions: dict[str, str]
    rows: list[RowResult] = attrs.Factory(list)

    def sections(self) -> dict[str, list[RowResult]]:
        """The rows by section, both in the order in which they were measured."""
        sections: dict[str, list[RowResult]] = {}
        for row in self.rows:
            sections.setdefault(row.section, []).append(row)
        return sections


def shown(figure: float, metric: str) -> str:
    """With the metric's digits, thousands separated, and its unit: `35,900/s`, `24.9 µs`."""
    unit = METRICS[metric].unit
    return f"{bare(figure, metric)}{'' if unit.startswith('/') or not unit else ' '}{unit}"


def bare(figure: float, metric: str) -> str:
    """Without its unit."""
    return f"{figure:,.{METRICS[metric].digits}f}"
