"""A finding's figures: percentiles are values that were seen (nearest rank), and nothing seen keeps no promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from faults.harness._rows import Figure, Finding

#: Units of what is measured; all others count.
MEASURED: Final = {"ms": 1, "s": 3, "MiB": 1}
_PERCENT: Final = {"p50": 50, "p99": 99}


def percentile(seen: Sequence[float], percent: int) -> float:
    """The least value that so many percent of all do not exceed.

    Source: nearest-rank method; of 100 values p99 is the second largest.
    """
    return sorted(seen)[max(0, math.ceil(percent * len(seen) / 100) - 1)]


def figure(finding: Finding, name: Figure) -> float | None:
    """None when nothing was seen."""
    if not finding.seen:
        return None
    if name == "sum":
        return sum(finding.seen)
    return max(finding.seen) if name == "max" else percentile(finding.seen, _PERCENT[name])


def kept(finding: Finding) -> bool:
    """Whether every limit holds; never of a finding that saw nothing or something that is no number."""
    if not finding.seen or any(math.isnan(each) for each in finding.seen):
        return False
    figures = [(figure(finding, each.figure), each.at_most) for each in finding.limits]
    return all(value is not None and value <= at_most for value, at_most in figures)


def shown(value: float | None, unit: str) -> str:
    """`12.3 ms`, `1.250 s`; a count as it is, and `–` for nothing."""
    if value is None:
        return "–"
    digits = MEASURED.get(unit)
    return f"{value:,.{digits}f} {unit}" if digits is not None else f"{value:,g}"


def promised(finding: Finding) -> str:
    """`offline seen: p50 ≤ 50 ms, p99 ≤ 250 ms`."""
    limits = [
        f"{each.figure} ≤ {each.at_most:g} {finding.unit}"
        if finding.unit in MEASURED
        else f"{_in_all(each.figure)}{each.at_most:g} {finding.unit}"
        for each in finding.limits
    ]
    return f"{finding.promise}: {', '.join(limits)}" if limits else finding.promise


def _in_all(name: Figure) -> str:
    return "" if name == "sum" else f"{name} "
