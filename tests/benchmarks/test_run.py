"""Variants take turns, each first once; a variant that fails is an error of its row, and no process outlives it."""

from __future__ import annotations

from pathlib import Path

import attrs
import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import pytest
import trio

from benchmarks.harness import Bench, Measurement, MeasurementError, Variant
from benchmarks.harness._run import Clock, Step, plan, run
from tests.benchmarks.records import ROW

PYTHON = Path(psutil.Process().exe())
SLEEP = ("-c", "import time; print('{\"ready\": 1}', flush=True); time.sleep(1000)")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(python=PYTHON, build=tmp_path)


def quiet(step: Step, clock: Clock) -> None:
    assert clock.remaining_s is None or clock.remaining_s >= 0


def test_each_variant_is_first_in_one_round() -> None:
    order = "".join(step.variant.name[0] for step in plan([ROW], rounds=3, quick=False))
    assert order == "pos" + "osp" + "spo"


def test_a_quick_run_leaves_out_what_no_bar_needs() -> None:
    order = "".join(step.variant.name[0] for step in plan([ROW], rounds=2, quick=True))
    assert order == "po" + "op"


async def test_a_failing_variant_is_an_error_and_the_others_go_on(bench: Bench) -> None:
    async def measure(bench: Bench, variant: Variant) -> Measurement:
        async with trio.open_nursery():
            if variant.name == "paho":
                raise MeasurementError("3 messages of 4")
            return Measurement({"rate": 1.0})

    [result] = await run([attrs.evolve(ROW, measure=measure)], bench, rounds=3, progress=quiet)
    assert [len(each.rounds) for each in result.variants] == [0, 3, 3]
    assert result.variants[0].errors == ["round 1: 3 messages of 4", "round 2: 3 messages of 4"]


async def test_a_measurement_that_takes_too_long_is_ended_with_its_process(bench: Bench) -> None:
    pids = []

    async def measure(bench: Bench, variant: Variant) -> Measurement:
        async with bench.child(bench.python, *SLEEP) as child:
            await child.expect("ready")
            pids.append(child.pid)
            await trio.sleep_forever()
        raise AssertionError

    row = attrs.evolve(ROW, measure=measure, limit_s=0.5, variants=ROW.variants[:2])
    [result] = await run([row], bench, rounds=1, progress=quiet)
    assert [each.errors for each in result.variants] == [["round 1: not done in 0.5 s"]] * 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_child_that_ends_early_says_why(bench: Bench) -> None:
    command = ("-c", "import sys; print('{\"ready\": 1}', flush=True); sys.exit('no broker')")
    with pytest.RaisesGroup(MeasurementError) as caught:
        async with bench.child(bench.python, *command) as child:
            await child.expect("ready")
            await child.expect("result")
    assert "ended with 1 before 'result': no broker" in str(caught.value.exceptions[0])


async def test_a_child_gets_lines_and_is_seen_to_use_the_machine(bench: Bench) -> None:
    echo = "import json, sys; print(json.dumps({'said': sys.stdin.readline().strip()}), flush=True); sys.stdin.read()"
    async with bench.child(bench.python, "-c", echo) as child:
        await child.tell("boo")
        assert await child.expect("said") == "boo"
        assert child.cpu_s() >= 0
        assert child.rss_kib() > 1000
    assert not psutil.pid_exists(child.pid)


async def test_a_message_count_follows_weight_and_haste(tmp_path: Path) -> None:
    full, quick = (Bench(python=PYTHON, build=tmp_path, quick=quick) for quick in (False, True))
    assert (full.count(10_000), full.count(10_000, 0.5)) == (10_000, 5_000)
    assert (quick.count(10_000), quick.count(10_000, quick=1 / 10)) == (2_000, 1_000)
