"""Cancellation injected at every checkpoint of every public operation."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio
from trio.testing import MockClock

from faults.harness._rows import Fault, FaultError, Finding
from faults.harness._scene import Scene
from faults.rows._client_operations import SURROUNDINGS
from faults.rows._client_trials import SETTINGS, cancel_client_operations
from faults.rows._show_operations import ACTS, PROPS, cancel_acts, cancel_deeds, cancel_own_stop
from faults.rows._verdicts import Verdicts

__all__ = ["FAULTS"]

#: Injections at least: the number of steps differs a little from run to run where a real broker answers.
TIMES: Final = 14_000
QUICK_TIMES: Final = 500
#: In so many orders of what is due at the same moment.
SEEDS: Final = 4
#: Of a quick run, only each so-many-th step is cancelled.
QUICK_STRIDE: Final = 9

Part = Callable[[], Awaitable[None]]


async def measure(scene: Scene) -> list[Finding]:
    """Each operation again and again, cancelled one step later each time, until it ends before."""
    verdicts = Verdicts()
    stride = QUICK_STRIDE if scene.quick else 1
    parts: list[Part] = []
    for seed in range(1 if scene.quick else SEEDS):
        for cancel in (cancel_deeds, cancel_own_stop):
            parts += [partial(cancel, prop_id, scene.folder, verdicts, stride, seed) for prop_id in PROPS]
        parts += [partial(cancel_acts, act, scene.folder, verdicts, stride, seed) for act in ACTS]
    for part in parts:
        await trio.to_thread.run_sync(partial(trio.run, part, clock=MockClock()))
        _say(scene, verdicts)
    for setting, surroundings in itertools.product(SETTINGS, SURROUNDINGS):
        say = partial(_say, scene, verdicts)
        await cancel_client_operations(setting, surroundings, scene.folder(), verdicts, stride, say)
    if len(verdicts) < scene.times:
        raise FaultError(f"{len(verdicts)} injections, {scene.times} are promised: an operation has lost its steps")
    return verdicts.findings()


def _say(scene: Scene, verdicts: Verdicts) -> None:
    verdicts.say()
    scene.progress(min(len(verdicts), scene.times), scene.times)


FAULTS: Final = (
    Fault(
        "cancellation",
        title="cancellation injected at every checkpoint of every public operation",
        times=TIMES,
        quick_times=QUICK_TIMES,
        measure=measure,
    ),
)
