"""Every bar that the project set for itself is in a row, and no name is there twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import ROWS

ROOT = Path(__file__).parents[2]

#: row, what ours is compared with, metric, limit: the table of the performance issue, word for word.
BARS = [
    ("receive-qos0-v311", "paho", "rate", "≥ 5×"),
    ("receive-qos0-v5", "paho", "rate", "≥ 5×"),
    ("receive-qos1-v311", "paho", "rate", "≥ 10×"),
    ("receive-qos1-v5", "paho", "rate", "≥ 10×"),
    *((f"receive-qos{qos}-v{version}", "gmqtt", "rate", "≥ 1.5×") for qos in (0, 1) for version in ("311", "5")),
    ("receive-mosquitto-qos0", "reader", "rate", "≥ 0.9×"),
    ("receive-mosquitto-qos1", "reader", "rate", "≥ 0.9×"),
    ("receive-tls", "paho", "rate", "≥ 2×"),
    ("full-path-qos0", "thread", "rate", "≥ 2.5×"),
    ("full-path-qos1", "thread", "rate", "≥ 2.5×"),
    ("full-path-qos0", "gmqtt", "rate", "≥ 1×"),
    ("full-path-qos1", "gmqtt", "rate", "≥ 1×"),
    ("full-path-qos0", "thread", "rate", "≥ 1.8×"),
    ("suspending", "thread", "rate", "≥ 1.5×"),
    ("round-trip", "thread", "p50_us", "≤ 0.8×"),
    ("round-trip", "thread", "p99_us", "≤ 1.2×"),
    ("round-trip-flooded", "thread", "p50_us", "≤ 0.5×"),
    ("round-trip-flooded", "thread", "p99_us", "≤ 0.5×"),
    ("telemetry", "thread", "rate", "≥ 2.5×"),
    ("telemetry", "c", "rate", "≥ 0.9×"),
    ("publish-qos1", "paho", "rate", "≥ 1.5×"),
    ("idle", "thread", "cpu_ms_per_s", "≤ 1×"),
    ("idle", "thread", "wakeups_per_s", "≤ 1×"),
    ("idle", "thread", "rss_mib", "≤ 1.7×"),
    ("scale-native", None, "online_s", "≤ 1.2 s"),
    ("scale-native", None, "offline_s", "≤ 0.6 s"),
    ("scale-native", None, "rss_kib_per_worker", "≤ 20 KiB"),
    ("scale-asyncio", None, "rss_kib_per_worker", "≤ 45 KiB"),
    ("scale-native", "10", "p50_us", "≤ 1.3×"),
]


@pytest.mark.parametrize(("row", "peer", "metric", "limit"), BARS)
def test_each_bar_of_the_issue_is_measured(row: str, peer: str | None, metric: str, limit: str) -> None:
    [found] = [each for each in ROWS if each.name == row]
    assert (peer, metric, limit) in [(bar.peer, bar.metric, bar.limit) for bar in found.bars]


def test_names_are_unique_and_no_section_is_called_like_another_ones_row() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    sections = {row.section for row in ROWS}
    assert all(row.section == row.name for row in ROWS if row.name in sections)


def test_a_quick_run_measures_every_bar_that_a_quick_row_has() -> None:
    for row in ROWS:
        quick = {each.name for each in row.variants if each.quick}
        if row.quick:
            assert {bar.ours for bar in row.bars} | {bar.peer for bar in row.bars if bar.peer} <= quick, row.name


def test_a_name_that_no_row_has_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "--list", "--only", "receive-tls,nothing"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr == "bench: no row or section is called nothing; --list shows them\n"


def test_rows_are_listed_by_name_or_section() -> None:
    command = [sys.executable, "-m", "benchmarks", "--list", "--only", "publish,receive-tls"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["receive-tls", "publish-qos1"]
