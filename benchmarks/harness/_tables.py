"""The same lines for the terminal and for a page of docs: a variant's figure, what ours is to it, and the bar."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.harness._results import Record, RowResult, VariantResult, Verdict, bare, shown
from benchmarks.harness._rows import METRICS

REACHED: Final = "reached"
MISSED: Final = "missed"
COLOURS: Final = {True: "green", False: "red", None: ""}
HEAD: Final = ("row", "variant", "median (least–greatest)", "beside it", "ours ÷ it", "bar")
RIGHT: Final = ("median (least–greatest)", "beside it", "ours ÷ it")


@attrs.frozen
class Line:
    """One variant in one metric; `title` is what the line's row is called, empty but for the first line of a metric."""

    title: str
    variant: VariantResult
    metric: str
    #: The metrics without a bar, on the variant's first line.
    beside: str
    #: Ours by this variant; or the figure itself where a bar stands on its own.
    ratios: list[str]
    #: What the bars say of each ratio.
    bars: list[str]
    #: None without a bar.
    reached: bool | None

    @property
    def figure(self) -> str:
        """The median, and the least and the greatest of all rounds."""
        median, spread = self.variant.median(self.metric), self.variant.spread(self.metric)
        if median is None or spread is None:
            return "failed"
        return f"{shown(median, self.metric)} ({'–'.join(bare(each, self.metric) for each in spread)})"


def lines(row: RowResult, title: str) -> Iterator[Line]:
    """Metric by metric those that a bar names, at least the first; ours before its peers."""
    barred = {bar.metric for bar in row.bars}
    main = [each for each in row.metrics if each in barred] or list(row.metrics[:1])
    rest = [each for each in row.metrics if each not in main]
    variants = sorted(row.variants, key=lambda each: not each.ours)
    for metric in main:
        name = f"{title}: {METRICS[metric].title}" if len(main) > 1 else title
        for variant in variants:
            if variant.rounds and variant.median(metric) is None:
                continue
            beside = [named(median, each) for each in rest if (median := variant.median(each)) is not None]
            verdicts = tuple(
                each for each in row.verdicts() if (each.bar.metric, each.subject) == (metric, variant.name)
            )
            yield Line(
                name,
                variant,
                metric,
                ", ".join(beside) if metric == main[0] else "",
                [ratio_text(each) for each in verdicts] or compared(row, variant, metric),
                [bar_text(row, each) for each in verdicts],
                all(each.reached for each in verdicts) if verdicts else None,
            )
            name = ""


def named(figure: float, metric: str) -> str:
    return f"{METRICS[metric].title} {shown(figure, metric)}"


def compared(row: RowResult, variant: VariantResult, metric: str) -> list[str]:
    """How the row's first variant of ours compares with a peer that has no bar."""
    ours = row.ours
    ratio = None if variant.ours or ours is None else row.ratio(ours.name, variant.name, metric)
    return [] if ratio is None else [f"{ratio:.2f}×"]


def ratio_text(verdict: Verdict) -> str:
    if verdict.figure is None:
        return "–"
    return f"{verdict.figure:.2f}×" if verdict.bar.peer else shown(verdict.figure, verdict.bar.metric)


def bar_text(row: RowResult, verdict: Verdict) -> str:
    """The bar, whether it was reached, and of which variant of ours it is said unless that is the first."""
    ours = row.variant(verdict.bar.ours)
    of = f" ({ours.title})" if verdict.bar.peer and ours and ours is not row.ours and row.ours else ""
    return f"{verdict.bar.limit} {REACHED if verdict.reached else MISSED}{of}"


def print_table(record: Record, console: Console) -> None:
    """All rows of the run, with the errors of those that failed below."""
    table = headed(HEAD, RIGHT)
    for row in record.rows:
        for line in lines(row, row.name):
            cells = (line.title, line.variant.title, line.figure, line.beside, "\n".join(line.ratios))
            table.add_row(*map(Text, cells), Text("\n".join(line.bars), style=COLOURS[line.reached]))
        table.add_section()
    console.print(table)
    for row in record.rows:
        for variant in row.variants:
            for error in variant.errors:
                console.print(f"{row.name}, {variant.title}, {error}", style="red", markup=False)
    verdicts = [each for row in record.rows for each in row.verdicts()]
    console.print(f"{sum(each.reached for each in verdicts)} of {len(verdicts)} bars reached", style="bold")


def markdown(rows: Iterable[RowResult]) -> str:
    """The rows of one section as a Markdown table."""
    out = []
    for row in rows:
        for line in lines(row, row.title):
            cells = (
                line.title,
                line.variant.title,
                line.figure,
                line.beside,
                "<br>".join(line.ratios),
                "<br>".join(line.bars),
            )
            out.append(cells)
    return markdown_table(HEAD, RIGHT, out)


def headed(head: Sequence[str], right: Collection[str]) -> Table:
    """An empty table for the terminal, the columns named in `right` adjusted that way."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold", justify="right" if name in right else "left")
    return table


def markdown_table(head: Sequence[str], right: Collection[str], rows: Iterable[Sequence[str]]) -> str:
    """The same for a page."""
    out = ["| " + " | ".join(head) + " |", "|" + "|".join("--:" if name in right else "---" for name in head) + "|"]
    out += ["| " + " | ".join(cells).strip() + " |" for cells in rows]
    return "\n".join(out)
