"""Rows of variants, measured interleaved in one run, each beside the bar that the project set for itself."""

from benchmarks.harness._bench import Bench
from benchmarks.harness._child import Child
from benchmarks.harness._rows import METRICS, Bar, Measure, Measurement, MeasurementError, Metric, Row, Variant

__all__ = [
    "METRICS",
    "Bar",
    "Bench",
    "Child",
    "Measure",
    "Measurement",
    "MeasurementError",
    "Metric",
    "Row",
    "Variant",
]
