"""Ctrl-C and SIGTERM end a run with every process that it started."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import pytest
import trio

from benchmarks.harness import Bench
from benchmarks.harness._interrupts import run_interruptible


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_its_processes(signum: signal.Signals, tmp_path: Path) -> None:
    bench = Bench(python=Path(psutil.Process().exe()), build=tmp_path)
    pids = []

    async def measure() -> None:
        async with bench.child(bench.python, "-c", "print('{\"ready\": 1}', flush=True); input()") as child:
            await child.expect("ready")
            pids.append(child.pid)
            os.kill(os.getpid(), signum)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(measure)
    assert len(pids) == 1
    assert not psutil.pid_exists(pids[0])


def test_a_run_that_is_left_alone_has_its_result() -> None:
    async def measure() -> int:
        await trio.lowlevel.checkpoint()
        return 42

    assert run_interruptible(measure) == 42
