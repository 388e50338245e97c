"""All faults, in the order of the table that names them."""

from __future__ import annotations

from typing import Final

from faults.harness import Fault
from faults.rows import (
    blocking,
    broker_killed,
    broker_trouble,
    cable,
    cancellation,
    clock,
    crashes,
    disk,
    floods,
    host_killed,
    night,
)

FAULTS: Final[tuple[Fault, ...]] = (
    *crashes.FAULTS,
    *host_killed.FAULTS,
    *cable.FAULTS,
    *broker_killed.FAULTS,
    *broker_trouble.FAULTS,
    *floods.FAULTS,
    *blocking.FAULTS,
    *clock.FAULTS,
    *disk.FAULTS,
    *cancellation.FAULTS,
    *night.FAULTS,
)
