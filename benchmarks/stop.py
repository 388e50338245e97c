"""How fast everything stops: a real host with 50 workers of both dialects, on a mosquitto of its own, seen by a subscriber.

    python -m benchmarks.stop [--workers 50] [--panics 10] [--crashes 20] [--kills 5]

Every worker ticks and has a handler that runs when the panic comes; two of them heed no cancellation. A panic counts from
just before its PUBLISH is sent, a crash from where it is raised, a kill from the signal; all clocks are this machine's
monotonic one. It prints median and worst beside the bar that is set for them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import attrs
import trio

from halloween_host import topics
from tests.audience import Audience, Seen, attending
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto

#: A handler and a spawned task run until they are cancelled, which they note; `sink` is nobody of ours.
NATIVE: Final = """\
import time

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    ended = 0.0

    async def start(self):
        await super().start()
        self.spawn(self._tick)

    async def _tick(self):
        try:
            while True:
                self.telemetry("tick", 1)
                await anyio.sleep(1)
        finally:
            self.ended = max(self.ended, time.monotonic())

    async def do_hold(self, arg):
        try:
            self.telemetry("hold", "begins")
            await anyio.sleep(3600)
        finally:
            self.ended = max(self.ended, time.monotonic())

    async def do_crash(self, arg):
        self.spawn(self._crash)

    async def _crash(self):
        raise RuntimeError(f"crashed at {time.monotonic():.6f}")

    async def safe(self):
        self.command("sink", "close", {"prop": self.prop_id, "ended": self.ended})
"""
#: Goes on for 1.5 s after its cancellation, so that `safe()` and the report do not wait for its end.
HUNG_NATIVE: Final = NATIVE.replace(
    '            self.telemetry("hold", "begins")\n            await anyio.sleep(3600)\n',
    '            self.telemetry("hold", "begins")\n            await anyio.sleep(3600)\n'
    "        except BaseException:\n"
    "            with anyio.CancelScope(shield=True):\n"
    "                await anyio.sleep(1.5)\n",
)
_TO_LEGACY: Final = {
    "import anyio": "import asyncio",
    "anyio.sleep": "asyncio.sleep",
    "with anyio.CancelScope(shield=True):": "if True:",
    "from halloween_host import": "from worker_host.base import",
    "self.spawn(self._tick)": "self.spawn(self._tick())",
    "self.spawn(self._crash)": "self.spawn(self._crash())",
}
SINK: Final = topics.command("sink")


def legacy(source: str) -> str:
    """The same worker as an author of 2025 writes it."""
    for native, old in _TO_LEGACY.items():
        source = source.replace(native, old)
    return source


@attrs.define
class Figures:
    """What was measured, in seconds by name, and the bars."""

    taken: dict[str, list[float]] = attrs.Factory(dict)
    bars_ms: dict[str, float] = attrs.Factory(dict)

    def add(self, name: str, bar_ms: float, seconds: float) -> None:
        self.taken.setdefault(name, []).append(seconds)
        self.bars_ms[name] = bar_ms

    def show(self) -> None:
        print(f"{'':44}{'rounds':>7}{'median':>10}{'worst':>10}{'bar':>10}")
        for name, taken in self.taken.items():
            median, worst = statistics.median(taken) * 1000, max(taken) * 1000
            over = "  OVER" if worst > self.bars_ms[name] else ""
            print(f"{name:44}{len(taken):7}{median:7.1f} ms{worst:7.1f} ms{self.bars_ms[name]:7.0f} ms{over}")


async def stop_by_panic(audience: Audience, props: list[str], figures: Figures) -> None:
    """One panic while every worker has something to do, and the rearm after it."""
    audience.seen.clear()
    for prop in props:
        await audience.client.publish(topics.command(prop), "hold", qos=1)
    await audience.until(lambda: sum(each.topic.endswith("/hold") for each in audience.seen) == len(props), "hold")
    audience.seen.clear()

    def reports() -> list[Seen]:
        said = [(each, json.loads(each.payload)) for each in audience.on(topics.HOST_PANIC)]
        return [each for each, panic in said if panic["active"] and panic["took_ms"] is not None]

    began = time.monotonic()
    await audience.client.publish(topics.HOST_COMMAND, "panic benchmark", qos=1)
    await audience.until(lambda: bool(reports()), "report")
    report = json.loads(reports()[0].payload)
    assert len(report["unsafe"]) == 2, report["unsafe"]
    closed = {
        (args := json.loads(each.payload)["args"])["prop"]: (each.at, args["ended"]) for each in audience.on(SINK)
    }
    assert set(closed) == set(props)
    well = [closed[prop] for prop in props if prop not in report["unsafe"]]
    figures.add("panic: last task cancelled", 50, max(ended for _, ended in well) - began)
    figures.add("panic: last command of a safe() seen", 100, max(at for at, _ in well) - began)
    figures.add("panic: report seen, two workers hung", 1200, reports()[0].at - began)
    await audience.client.publish(topics.HOST_COMMAND, "rearm", qos=1)
    await audience.all_say("online", props)


async def stop_by_crash(audience: Audience, prop: str, figures: Figures) -> None:
    """One crash, until its restart."""
    audience.seen.clear()
    await audience.client.publish(topics.command(prop), "crash", qos=1)
    seen_at = await audience.all_say("offline", [prop])
    crashed: list[float] = []

    def told() -> bool:
        texts = [each.payload for each in audience.on(topics.status(prop, "error"))]
        crashed[:] = [float(match[1]) for text in texts if (match := re.search(r"crashed at ([\d.]+\d)", text))]
        return bool(crashed)

    await audience.until(told, "the crash")
    figures.add("crash: offline seen", 50, seen_at - crashed[0])


async def stop_by_kill(audience: Audience, props: list[str], haunt: Haunt, broker: Mosquitto, figures: Figures) -> None:
    """A host that comes up and is killed."""
    audience.seen.clear()
    async with haunt.host(broker) as host:
        await audience.all_say("online", props)
        audience.seen.clear()
        began = time.monotonic()
        host.signal(signal.SIGKILL)
        figures.add("SIGKILL: last offline seen", 1000, await audience.all_say("offline", props) - began)


async def run_host(
    audience: Audience, host: HostProcess, props: list[str], figures: Figures, rounds: argparse.Namespace
) -> None:
    await audience.all_say("online", props)
    for _ in range(rounds.panics):
        await stop_by_panic(audience, props, figures)
    crashing = [prop for prop in props if not prop.startswith("hung")]
    for number in range(rounds.crashes):
        await stop_by_crash(audience, crashing[number % len(crashing)], figures)
    await host.stop()


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    """All rounds."""
    haunt = Haunt(folder)
    figures = Figures()
    for number in range(options.workers - 2):
        haunt.prop(f"prop{number:03}", NATIVE if number % 2 else legacy(NATIVE))
    haunt.prop("hung_native", HUNG_NATIVE)
    haunt.prop("hung_legacy", legacy(HUNG_NATIVE))
    props = [path.name for path in sorted(haunt.props.iterdir())]
    broker = Mosquitto(folder=folder)
    broker.start()
    try:
        async with attending(broker) as audience:
            async with haunt.host(broker) as host:
                await run_host(audience, host, props, figures, options)
            for _ in range(options.kills):
                await stop_by_kill(audience, props, haunt, broker, figures)
    finally:
        broker.stop()
    return figures


def main() -> None:
    """Read the options, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--panics", type=int, default=10)
    parser.add_argument("--crashes", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="halloween-") as folder:
        figures = trio.run(measure, Path(folder), options)
    figures.show()
    load = max(before, os.getloadavg()[0])
    print(
        f"{options.workers} workers. {os.cpu_count()} cores, load {load:.1f}: host, broker and subscriber share them with all "
        "that runs here; on a machine that is busy otherwise these figures say little"
    )


if __name__ == "__main__":
    main()
