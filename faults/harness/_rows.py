"""A fault is done to real parts many times over; each promise about it is held against all that was seen.

FAULTS = (Fault("host-killed", title="host SIGKILLed", times=100, measure=measure),)

async def measure(scene: Scene) -> list[Finding]:
    seen: list[float] = []
    for _ in scene.counted(100):
        seen.append(await offline_after_a_kill(scene.folder()))
    return [Finding("every prop's `offline` seen", seen, unit="s", limits=(Limit("max", 1.0),))]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from faults.harness._scene import Scene

#: What a limit holds against: a percentile of all values (nearest rank), the largest, their number or their sum.
Figure: TypeAlias = Literal["p50", "p99", "max", "sum"]


class FaultError(Exception):
    """The fault could not be done or its end not seen: what a finding would say means nothing."""


@attrs.frozen
class Limit:
    """What a figure of a finding may be at most."""

    figure: Figure
    at_most: float


@attrs.frozen
class Finding:
    """One promise about a fault, and every value that was seen of it.

    `unit` is "ms", "s", "MiB" or what was counted ("commands", "lines"; then the promise is on the `sum`). A promise that is
    kept or not (`recovers`, `named`) counts what broke it: 0 for each time that it held, 1 for each that it did not.
    """

    promise: str
    seen: Sequence[float]
    unit: str
    limits: tuple[Limit, ...]


@attrs.frozen
class Fault:
    """One row of the issue's table: what is done, how often, and how it is measured.

    `times` is what the table shows beside `title`; `quick_times` is for `--quick`, which CI runs through pytest.
    """

    name: str
    title: str
    times: int
    quick_times: int
    measure: Callable[[Scene], Awaitable[list[Finding]]]
    #: How long it may take, in seconds, before it is an error: a hang guard.
    limit_s: float = 1_800.0
