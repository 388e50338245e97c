"""A row is one question put to several variants in turn; its bars are ratios within the same run.

Row("receive-qos0-v311", title="Receive at QoS 0, MQTT 3.1.1", section="receive", measure=measure,
    variants=(Variant("ours"), Variant("paho", "paho's thread")),
    bars=(Bar("ours", "paho", "rate", at_least=5.0),))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from benchmarks.harness._bench import Bench


class MeasurementError(Exception):
    """A variant lost messages, ended early or took too long: its figure would mean nothing."""


@attrs.frozen
class Metric:
    """One figure of a measurement, and how it is shown."""

    title: str
    unit: str
    more_is_better: bool = False
    digits: int = 1


#: By the name that `Measurement.values` gives it.
METRICS: Final[Mapping[str, Metric]] = {
    "rate": Metric("throughput", "/s", more_is_better=True, digits=0),
    "cpu_us": Metric("CPU a message", "µs"),
    "broker_percent": Metric("the broker's CPU", "%", digits=0),
    "instructions": Metric("instructions a message", "", digits=0),
    "p50_us": Metric("latency p50", "µs", digits=0),
    "p99_us": Metric("latency p99", "µs", digits=0),
    "cpu_ms_per_s": Metric("CPU", "ms/s", digits=2),
    "wakeups_per_s": Metric("wake-ups", "/s"),
    "rss_mib": Metric("resident memory", "MiB"),
    "rss_kib_per_worker": Metric("memory a worker", "KiB"),
    "seconds": Metric("time", "s", digits=3),
    "online_s": Metric("all online after", "s", digits=2),
    "offline_s": Metric("all offline after", "s", digits=2),
    "lost": Metric("lost", "", digits=0),
}


@attrs.frozen
class Measurement:
    """What one variant did in one round, by metric."""

    values: Mapping[str, float]

    def __attrs_post_init__(self) -> None:
        unknown = self.values.keys() - METRICS.keys()
        if unknown:
            raise ValueError(f"not in METRICS: {', '.join(sorted(unknown))}")


@attrs.frozen
class Variant:
    """One way to do what the row asks.

    `weight` scales the row's message count, so that a slow peer's round does not last ten times as long as the others'.
    """

    name: str
    title: str = ""
    weight: float = 1.0
    #: Also measured with `--quick`; those that no bar needs may be left out there.
    quick: bool = True

    @property
    def label(self) -> str:
        return self.title or self.name


@attrs.frozen
class Bar:
    """What `ours` must reach in `metric`: a ratio to `peer` in the same run, or without a peer the figure itself."""

    ours: str
    peer: str | None
    metric: str
    at_least: float | None = attrs.field(default=None, kw_only=True)
    at_most: float | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a bar has either at_least or at_most")
        if self.metric not in METRICS:
            raise ValueError(f"not in METRICS: {self.metric}")

    def reached(self, figure: float) -> bool:
        """Whether this ratio (or figure, when there is no peer) is good enough."""
        if self.at_least is not None:
            return figure >= self.at_least
        assert self.at_most is not None
        return figure <= self.at_most

    @property
    def limit(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {bound:g}{'×' if self.peer else ' ' + METRICS[self.metric].unit}".rstrip()


#: One round of one variant; raises MeasurementError when its figure would mean nothing.
Measure: TypeAlias = Callable[["Bench", Variant], Awaitable[Measurement]]


@attrs.frozen
class Row:
    """One line of the question, its variants and bars; rows of one `section` share a table in docs/performance.md."""

    name: str
    title: str = attrs.field(kw_only=True)
    section: str = attrs.field(kw_only=True)
    variants: tuple[Variant, ...] = attrs.field(kw_only=True)
    bars: tuple[Bar, ...] = attrs.field(kw_only=True)
    measure: Measure = attrs.field(kw_only=True)
    #: Shown in this order; the first is the one that is plotted.
    metrics: tuple[str, ...] = attrs.field(default=("rate", "cpu_us"), kw_only=True)
    #: Whether `--quick` measures it too.
    quick: bool = attrs.field(default=True, kw_only=True)
    #: How long one measurement may take before it is an error.
    limit_s: float = attrs.field(default=120.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        names = {each.name for each in self.variants}
        if len(names) != len(self.variants):
            raise ValueError(f"{self.name}: two variants of one name")
        for bar in self.bars:
            if not {bar.ours, bar.peer or bar.ours} <= names:
                raise ValueError(f"{self.name}: a bar names a variant that the row has not")
