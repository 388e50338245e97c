"""The processes of an isolated worker, as the kernel shows them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs

from tests.end_to_end.haunt import telling
from tests.end_to_end.process import HostProcess, until
from tests.mosquitto import Line, Listener, Mosquitto

__all__ = ["all_gone", "command", "command_lines", "done", "family_of", "health_where", "runs", "terminate"]


def family_of(host: HostProcess) -> list[psutil.Process]:
    """What the host has started: leashes and workers."""
    family: list[psutil.Process] = psutil.Process(host.pid).children(recursive=True)
    return family


async def all_gone(family: list[psutil.Process]) -> None:
    """Wait until the kernel has none of them; a defect that leaves some leaves none to the next test."""
    assert family
    try:
        await until(lambda: not any(map(runs, family)), f"the end of {family}")
    finally:
        for process in filter(runs, family):
            process.kill()


def terminate(family: list[psutil.Process]) -> None:
    """SIGTERM to each that is still there."""
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()


def runs(process: psutil.Process) -> bool:
    """Whether the kernel has it, and not as a zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


async def health_where(listener: Listener, prop_id: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first `status/health` of a prop that fits, now or as soon as it comes."""

    def is_it(line: Line) -> bool:
        return line.topic == f"halloween/{prop_id}/status/health" and fits(json.loads(line.payload))

    line = await listener.expect(is_it, within_s=30)
    health: dict[str, Any] = json.loads(line.payload)
    return health


async def command(broker: Mosquitto, prop_id: str, action: str, args: object = None, *, id: str | None = None) -> None:
    """Send a command."""
    payload = json.dumps({"action": action, "args": args, "id": id} if id else {"action": action, "args": args})
    await broker.publish(f"halloween/{prop_id}/cmd", payload)


async def done(
    broker: Mosquitto, listener: Listener, prop_id: str, action: str, args: object = None, **facts: Any
) -> None:
    """Send a command with an id of its own, and hear that it is done (or what `facts` say of its ack)."""
    id_ = f"{prop_id}-{action}-{args}-{len(listener.lines)}"
    await command(broker, prop_id, action, args, id=id_)
    expected = {"outcome": "done"} | facts
    await listener.expect(telling(f"halloween/{prop_id}/ack", id=id_, **expected), within_s=30)


def command_lines() -> list[str]:
    """Of every process of this machine: the command line."""
    lines = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(each.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
