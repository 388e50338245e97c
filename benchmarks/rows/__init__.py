"""All rows, in the order in which they are measured and shown; a module of rows has a tuple ROWS."""

from __future__ import annotations

from benchmarks.harness import Row
from benchmarks.rows import codec, full_path, hops, publish, receive, rest, round_trip, scale, telemetry

ROWS: tuple[Row, ...] = (
    *receive.ROWS,
    *full_path.ROWS,
    *hops.ROWS,
    *round_trip.ROWS,
    *telemetry.ROWS,
    *publish.ROWS,
    *rest.ROWS,
    *scale.ROWS,
    *codec.ROWS,
)
