"""A worker that waits for its first command takes a known number of memory blocks, from its module to its task."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Final

import trio
import trio.testing

from tests.counts.meters import blocks, say
from tests.counts.wire import Phone
from tests.mosquitto import Mosquitto
from tests.test_host import running_host, write_prop

FEW: Final = 5
MANY: Final = 105

SOURCE: Final = """
    from halloween_host import BaseWorker

    class Worker(BaseWorker):
        async def do_ping(self, arg: str | None) -> None:
            self.telemetry("pong", arg)
"""


async def held(broker: Mosquitto, folder: Path, workers: int) -> int:
    """The blocks that a host with so many holds while nothing happens."""
    names = [f"coffin-{number}" for number in range(workers)]
    for name in names:
        write_prop(folder, name, SOURCE)
    with Phone(broker.port, "halloween/+/status/availability") as usher, blocks() as more:
        async with running_host(broker, folder, PRESENCE_MAX="0", MQTT_KEEPALIVE="600") as host:
            await trio.to_thread.run_sync(usher.wait_for_online, workers + 1)  # the host itself is one
            assert host._tree is not None
            await host._tree.bridge.flush()
            await trio.testing.wait_all_tasks_blocked()
            gc.collect()
            return more()


async def test_a_worker(broker: Mosquitto, tmp_path: Path, fast_path: None) -> None:
    """Whoever adds an object to each of them makes a thousand of it."""
    for warm_up in ("first", "second"):  # what is made once for all is made
        few = await held(broker, tmp_path / warm_up, FEW)
    many = await held(broker, tmp_path / "many", MANY)
    each = (many - few) / (MANY - FEW)
    say(f"{each:.1f} blocks a worker")
    assert each < 167
