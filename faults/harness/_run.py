"""Fault after fault; one that could not be done or seen is an error in its row, and the run goes on."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from benchmarks.harness._run import first_of
from faults.harness._results import Record, RowResult, Run
from faults.harness._rows import Fault, FaultError, Finding
from faults.harness._scene import Scene

#: Characters of an error that its row keeps.
ERROR_CHARS: Final = 8_000


@attrs.frozen
class Reach:
    """How far a run is: `done` of so many times of a fault, after so many seconds of it."""

    fault: Fault
    done: int
    times: int
    elapsed_s: float


async def run(
    faults: Sequence[Fault],
    about: Run,
    *,
    quick: bool,
    progress: Callable[[Reach], None],
    measured: Callable[[Record], None],
) -> Record:
    """Do all of them; `measured` is told of the record after each."""
    record = Record()
    for fault in faults:
        record.rows.append(await done(fault, about, quick=quick, progress=progress))
        measured(record)
    return record


async def done(fault: Fault, about: Run, *, quick: bool, progress: Callable[[Reach], None]) -> RowResult:
    """One fault, in a scratch folder that is removed afterwards."""
    began = time.monotonic()
    times = fault.quick_times if quick else fault.times

    def moved(number: int, of: int) -> None:
        progress(Reach(fault, number, of, time.monotonic() - began))

    result = RowResult(fault.name, fault.title, times, 0.0, about)
    with tempfile.TemporaryDirectory(prefix="halloween-faults-", ignore_cleanup_errors=True) as root:
        moved(0, times)
        try:
            result.findings = await _measured(fault, Scene(Path(root), times, quick, moved))
        except FaultError as error:
            result.error = str(error)
    result.took_s = round(time.monotonic() - began, 1)
    return result


async def _measured(fault: Fault, scene: Scene) -> list[Finding]:
    """
    Raises:
        FaultError: also for what the parts raise when something was not seen in time, a host wrote of a defect, a broker did not come
            up or a command failed; all else is a defect of the row's.
    """
    try:
        with trio.fail_after(fault.limit_s):
            return [attrs.evolve(each, seen=tuple(each.seen)) for each in await fault.measure(scene)]
    except trio.TooSlowError as error:
        raise FaultError(f"not done in {fault.limit_s:g} s") from error
    except (FaultError, AssertionError, RuntimeError, OSError) as error:
        raise FaultError(_text(error)) from error
    except BaseExceptionGroup as group:
        expected, others = group.split((FaultError, AssertionError, RuntimeError, OSError))
        if others is not None or expected is None:
            raise
        raise FaultError(_text(first_of(expected))) from group


def _text(error: BaseException) -> str:
    """Its type, text and notes (a host's log), cut at the front: what came last tells most."""
    kind = "" if isinstance(error, FaultError) else f"{type(error).__name__}: "
    return f"{kind}{error}"[:ERROR_CHARS] + "".join(
        f"\n{note}"[-ERROR_CHARS:] for note in getattr(error, "__notes__", [])
    )
