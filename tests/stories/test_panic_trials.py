"""Panic trials: whatever a worker is in the middle of, a panic leaves nothing running, and `safe()` has the last word."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import pytest
import trio
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from halloween_host import topics
from halloween_host.latch import LATCH_FILE
from halloween_host.testing import BrokerEvent, Show, rehearse
from tests.stories.programs import Book, Plan, plans, worker_of
from tests.stories.scratch import scratch

#: `just stories` makes it 10,000.
TRIALS: Final = int(os.environ.get("TRIALS", "100"))
#: Virtual seconds after which a report is late, and after which the last shielded block is over.
REPORT_S: Final = 1.2
AFTERMATH_S: Final = 30.0
#: Trials between two lines that tell how far it is, where there are many.
TOLD_EVERY: Final = 500

_done = 0


@pytest.mark.timeout(0 if TRIALS > 1_000 else 120)
@settings(
    max_examples=TRIALS,
    derandomize="TRIALS" not in os.environ,  # the same each time, but where new ones are looked for
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    cast=st.lists(plans, min_size=1, max_size=3),
    panic_at=st.sampled_from((0.0, 0.005, 0.01, 0.3, 0.5, 1.0, 1.2, 2.5)),
    commands_at=st.lists(
        st.tuples(st.sampled_from((0.0, 0.01, 0.5, 1.0, 2.5, 2.6, 4.0)), st.integers(0, 2)), max_size=6
    ),
    seed=st.integers(0, 3),
)
def test_a_panic_stops_everything(
    cast: list[Plan], panic_at: float, commands_at: list[tuple[float, int]], seed: int
) -> None:
    """No command is accepted, no task is alive that the report does not name, no `safe()` is skipped, nobody else is heard."""
    global _done
    lies = trio.run(_trial, cast, panic_at, sorted(commands_at), seed, clock=MockClock())
    note("\n".join(("the lies:", *lies)))
    assert not lies
    _done += 1
    if TRIALS > TOLD_EVERY and _done % TOLD_EVERY == 0:
        sys.__stderr__ and print(f"{_done:,} of {TRIALS:,} panic trials", file=sys.__stderr__, flush=True)


async def _trial(
    cast: Sequence[Plan], panic_at: float, commands_at: Sequence[tuple[float, int]], seed: int
) -> list[str]:
    with scratch() as folder:
        book = Book((folder / LATCH_FILE).exists)
        workers = {f"prop{number}": worker_of(plan, book) for number, plan in enumerate(cast)}
        async with rehearse(workers, state=folder, seed=seed) as show:
            trial = _Trial(show, cast, book)
            moments = [(at, f"prop{number % len(cast)}") for at, number in commands_at]
            for at, prop_id in sorted([*moments, (panic_at, "")]):
                await trio.sleep(max(0.0, at - show.now))
                show.send(prop_id, "go") if prop_id else show.panic()
            with trio.move_on_after(REPORT_S):
                await trial.reported.wait()
            trial.judge()
            await trio.sleep(AFTERMATH_S)
            trial.judge_aftermath()
    return book.lies


class _Trial:
    def __init__(self, show: Show, cast: Sequence[Plan], book: Book) -> None:
        self.reported = trio.Event()
        self._show = show
        self._plans = {f"prop{number}": plan for number, plan in enumerate(cast)}
        self._book = book
        self._latched_at: float | None = None
        show.broker.observers.append(self._hear)

    def judge(self) -> None:
        """Once the report is there."""
        if not self.reported.is_set():
            self._book.lies.append(f"no report within {REPORT_S} s")

    def judge_aftermath(self) -> None:
        """Long after it."""
        for prop_id, alive in self._book.alive.items():
            if alive:
                self._book.lies.append(f"{alive} blocks of {prop_id} are alive long after the panic")
        for prop_id in self._plans:
            if self._show.broker.retained.get(topics.availability(prop_id)) != b"offline":
                self._book.lies.append(f"{prop_id} is not offline after the panic")

    def _hear(self, event: BrokerEvent) -> None:
        if event.kind != "publish":
            return
        if event.topic == topics.HOST_PANIC:
            report = json.loads(event.payload)
            if report["took_ms"] is not None and not self.reported.is_set():
                self.reported.set()
                self._judge_report(report)
        elif b"latched" in event.payload and not event.topic.endswith(
            ("telemetry/safe", "status/health", "status/error")
        ):
            self._book.lies.append(f"said while latched, and it left: {event.topic} {event.payload.decode()}")

    def _judge_report(self, report: dict[str, Any]) -> None:
        lies = self._book.lies
        for prop_id, plan in self._plans.items():
            where = [key for key in ("safe", "no_safe", "unsafe") if prop_id in report[key]]
            if len(where) != 1:
                lies.append(f"{prop_id} stands in {where} of the report")
                continue
            alive = self._book.alive.get(prop_id, 0)
            if alive and "hung in" not in report["unsafe"].get(prop_id, ""):
                lies.append(
                    f"{alive} blocks of {prop_id} are alive after the report, which calls it {where[0]}: {report}"
                )
            safes = self._book.safes.get(prop_id, 0)
            if not safes and plan.safe != "none":  # a crash's, cut off by the panic, may have begun before
                lies.append(f"safe() of {prop_id} was skipped")
            if plan.safe in ("fails", "hangs") and where != ["unsafe"]:
                lies.append(f"safe() of {prop_id} {plan.safe}, and the report calls it {where[0]}")
