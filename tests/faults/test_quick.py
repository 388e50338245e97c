"""Every fault can be done and seen, a few times, to a real host on a real mosquitto.

Whether its times are kept is for `just faults` to say, on a machine that has nothing else to do.
"""

from __future__ import annotations

import math

import pytest

from faults.harness import Fault
from faults.harness._results import Run
from faults.harness._run import Reach, done
from faults.rows import FAULTS

#: Over four seconds, however few times they are done: `just faults --quick` does them.
SLOW = {
    "blocked-gil",
    "blocked-isolated",
    "blocked-sleep",
    "broker-acl",
    "broker-acl-start",
    "broker-crowded",
    "broker-full",
    "broker-password",
    "broker-slow",
    "cable",
    "cancellation",
    "clock",
    "night",
    "no-descriptors",
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", [pytest.param(each, id=each.name) for each in FAULTS if each.name not in SLOW])
async def test_a_fault_is_done_and_seen(fault: Fault) -> None:
    """Each promise has values that are numbers, and the progress reached its end."""
    reached: list[Reach] = []
    result = await done(fault, Run("just test", "", {}, {}), quick=True, progress=reached.append)
    assert result.error is None, result.error
    assert result.findings
    for finding in result.findings:
        assert finding.seen, finding.promise
        assert all(map(math.isfinite, finding.seen)), finding.promise
    assert reached[-1].done == reached[-1].times
