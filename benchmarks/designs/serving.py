"""A host of any design, started on a broker and seen to be online, and what it uses of the machine."""

from __future__ import annotations

import math
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import trio

from benchmarks.harness import Bench, Child, MeasurementError
from tests.mosquitto import Mosquitto

__all__ = ["ASYNCIO", "HOPS", "OURS", "TASKS", "THREAD", "C", "Served", "Usage", "now", "serving"]

OURS: Final = "ours"
ASYNCIO: Final = "ours-asyncio"
THREAD: Final = "thread"
TASKS: Final = "gmqtt"
C: Final = "c"
HOPS: Final = "hops"

#: Seconds, a hang guard: five thousand workers come up in a few.
PATIENCE_S: Final = 30.0
_WORKERS: Final = {OURS: "native_worker.py", ASYNCIO: "asyncio_worker.py", HOPS: "native_worker.py"}
_MODULES: Final = {THREAD: "benchmarks.designs.thread", TASKS: "benchmarks.designs.tasks"}


def now() -> float:
    """Seconds on the clock that the C programs read too."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@attrs.frozen
class Usage:
    """What a process has used so far: seconds of CPU, and by thread how often it went to sleep."""

    cpu_s: float
    sleeps: Mapping[int, int]

    @classmethod
    def of(cls, pid: int) -> Usage:
        process = psutil.Process(pid)
        if not sys.platform.startswith("linux"):
            times = process.cpu_times()
            return cls(times.user + times.system, {pid: process.num_ctx_switches().voluntary})
        # psutil counts hundredths of a second, and the sleeps of the first thread alone; the clock is clock_getcpuclockid(3)'s
        sleeps = {}
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends now
                _, _, rest = status.read_text().partition("\nvoluntary_ctxt_switches:")
                sleeps[int(status.parent.name)] = int(rest.split()[0])
        return cls(time.clock_gettime(~pid << 3 | 2), sleeps)

    def sleeps_since(self, earlier: Usage) -> int:
        """Those of threads that live still; what an ended one slept last is unknown."""
        return sum(count - earlier.sleeps.get(thread, 0) for thread, count in self.sleeps.items())


@attrs.frozen
class Served:
    """A host whose props are all online."""

    child: Child
    witness: Child | None
    online_s: float

    def usage(self) -> Usage:
        return Usage.of(self.child.pid)

    async def stop(self) -> float:
        """SIGTERM; how many seconds later the last `offline` was seen."""
        assert self.witness is not None
        began = now()
        self.child.signal(signal.SIGTERM)
        with trio.move_on_after(PATIENCE_S):
            offline_at: float = await self.witness.expect("offline")
            await self.child.wait()
            return offline_at - began
        raise MeasurementError(f"not all offline {PATIENCE_S:g} s after SIGTERM: {self.child.errors()}")


@asynccontextmanager
async def serving(
    bench: Bench, design: str, broker: Mosquitto, *, workers: int = 8, presence_max: int = 0
) -> AsyncIterator[Served]:
    """Run a host of this design with props w0, w1, … for the length of the block, which begins when all are online.

    `presence_max` is ours alone: the other designs have one connection.
    """
    if design == C:
        command = (str(broker.port), "halloween/+/cmd", "telemetry/blink", "1")
        async with bench.child(bench.c("echo"), *command) as child:
            await child.expect("ready")
            yield Served(child, None, 0.0)
        return
    async with bench.child(bench.c("witness"), str(broker.port), str(workers)) as witness:
        await witness.expect("ready")
        with TemporaryDirectory(prefix="halloween-bench-") as folder:
            host = (
                _ours(bench, design, broker, Path(folder), workers, presence_max)
                if design in _WORKERS
                else bench.module(_MODULES[design], "--port", broker.port, "--workers", workers)
            )
            began = now()
            async with host as child:
                online_at = math.inf
                with trio.move_on_after(PATIENCE_S):
                    online_at = await witness.expect("online")
                if online_at == math.inf:
                    raise MeasurementError(f"not all online in {PATIENCE_S:g} s: {child.errors()}")
                yield Served(child, witness, online_at - began)


def _ours(
    bench: Bench, design: str, broker: Mosquitto, folder: Path, workers: int, presence_max: int
) -> AbstractAsyncContextManager[Child]:
    source = Path(__file__).parent / _WORKERS[design]
    (folder / "builtins").mkdir()
    for number in range(workers):
        backend = folder / "props" / f"w{number}" / "backend"
        backend.mkdir(parents=True)
        shutil.copy(source, backend / "worker.py")
    places = ("--props", str(folder / "props"), "--builtins", str(folder / "builtins"))
    settings = {
        "MQTT_HOST": broker.host,
        "MQTT_PORT": str(broker.port),
        "PRESENCE_MAX": str(presence_max),
        "STATE_DIR": str(folder / "state"),
    }
    module = "benchmarks.designs.hops" if design == HOPS else "halloween_host"
    return bench.module(module, "run", *places, env=settings)
