"""A section's rows as an SVG of horizontal bars: one group a row and metric, each on a scale of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from benchmarks.harness._results import RowResult, shown
from benchmarks.harness._rows import METRICS
from benchmarks.harness._tables import Line, lines

WIDTH: Final = 760
LABEL: Final = 190
BAR: Final = 400
STEP: Final = 20
#: Ours stands out; text and lines follow the reader's light or dark page.
STYLE: Final = """\
text { font: 12px system-ui, sans-serif; fill: #222 } .title { font-weight: 600 }
.ours { fill: #e8701a } .peer { fill: #8a94a6 } .spread { stroke: #222; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .spread { stroke: #ddd } }"""


def svg(rows: Iterable[RowResult]) -> str:
    """One image for one section."""
    body, y = [], 8
    for row in rows:
        for title, group in _groups(row):
            body.append(f'<text class="title" x="8" y="{y + 14}">{escape(title)}</text>')
            y += STEP + 4
            most = max((spread[1] for line in group if (spread := line.variant.spread(line.metric))), default=0.0)
            for line in group:
                body += _bar(line, y, most)
                y += STEP
            y += 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">'
    return "\n".join((head, f"<style>{STYLE}</style>", *body, "</svg>")) + "\n"


def _groups(row: RowResult) -> Iterator[tuple[str, list[Line]]]:
    groups: dict[str, list[Line]] = {}
    for line in lines(row, row.title):
        groups.setdefault(line.metric, []).append(line)
    for metric, group in groups.items():
        kind = METRICS[metric]
        yield f"{row.title}: {kind.title} ({'more' if kind.more_is_better else 'less'} is better)", group


def _bar(line: Line, y: int, most: float) -> Iterator[str]:
    """Label, bar of the median, line from the least to the greatest round, and the median in figures."""
    middle = y + STEP / 2
    yield f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(line.variant.title)}</text>'
    median, spread = line.variant.median(line.metric), line.variant.spread(line.metric)
    if median is None or spread is None or most <= 0:
        yield f'<text x="{LABEL}" y="{middle + 4}">failed</text>'
        return
    kind = "ours" if line.variant.ours else "peer"
    scale = BAR / most
    yield f'<rect class="{kind}" x="{LABEL}" y="{y + 3}" width="{max(median * scale, 1):.1f}" height="{STEP - 6}"/>'
    low, high = (LABEL + figure * scale for figure in spread)
    yield f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
    yield f'<text x="{high + 6:.1f}" y="{middle + 4}">{escape(shown(median, line.metric))}</text>'
