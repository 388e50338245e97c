"""A process believes the clock that it is given, its monotonic clock stays ours, and a span is found in a line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from faults.harness import FaultError
from faults.rows import _faked_clock
from faults.rows._clock_props import names
from faults.rows._faked_clock import FakedClock

#: Tells both clocks for each line that it reads.
CHILD = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), time.strftime('%Z'), flush=True)"


def test_a_clock_jumps_under_a_process_that_runs(tmp_path: Path) -> None:
    clock = FakedClock(tmp_path / "clock")
    clock.set(0)
    try:
        environ = clock.environ("Europe/Berlin")
    except FaultError as missing:
        pytest.skip(str(missing))
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for ahead_s in (0.0, 3_600.0, -3_600.0, 30 - time.time(), 0.0):
            clock.set(ahead_s)
            child.stdin.write("\n")
            child.stdin.flush()
            wall, ticks, zone = child.stdout.readline().split()
            assert abs(float(wall) - ahead_s - time.time()) < 10
            assert abs(float(ticks) - time.monotonic()) < 10
            assert zone in ("CET", "CEST")
        child.stdin.close()


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_faked_clock, "_PLACES", (str(tmp_path),))
    with pytest.raises(FaultError, match="apt-get install faketime"):
        FakedClock(tmp_path / "clock").environ("UTC")


@pytest.mark.parametrize(
    ("line", "seconds", "told"),
    [
        ("fire: refused, clock skew: its ts is 3,600 s ahead of this host's clock (at most 30 s)", -3_600, True),
        ("fire: refused, it is 3,600.1 s old and was worth 5 s", 3_600, True),
        ("clock\tfound\tthe host's clock is 1,796,079,797.5 s behind this one", -1_796_079_798.0, True),
        ("fire: refused, it is 7.0 s old and was worth 5 s", 3_600, False),
        ("fire: refused, the worker is offline", 0, False),
    ],
)
def test_a_span_is_found_in_a_line(line: str, seconds: float, told: bool) -> None:
    assert names(line, seconds) is told
