"""What the end of a host costs grows with its workers and with nothing else: a few task steps for each, no look at every object."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest
import trio

from tests.counts.meters import Cost, counting, say
from tests.counts.wire import Phone
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto
from tests.test_host import running_host, write_prop

FEW: Final = 5
MANY: Final = 65
RESTARTS: Final = 20

NATIVE: Final = """
    from halloween_host import BaseWorker

    class Worker(BaseWorker):
        pass
"""
ASYNCIO: Final = """
    from worker_host.base import BaseWorker

    class Worker(BaseWorker):
        pass
"""
#: Tells what the collector does, at the start, at its end, and what it left of earlier instances.
COUNTING: Final = """
    import gc
    import weakref
    from {base} import BaseWorker

    passes = []
    gc.callbacks.append(lambda phase, info: passes.append(phase))
    instances = weakref.WeakSet()

    class Worker(BaseWorker):
        async def start(self):
            await super().start()
            instances.add(self)
            self.buffer = [self]  # only the collector frees it
            seen = gc.get_objects()
            self.status("sees", f"{{any(each is self for each in seen)}} {{any(each is Worker for each in seen)}}", qos=1)

        async def do_count(self, arg):
            gc.collect()
            self.status("alive", len(instances), qos=1)

        async def stop(self):
            passes.clear()
            kept = [[each] for each in range(5000)]  # a pass is due whenever there are 700 more
            self.status("passes", len(passes), qos=1)
            await super().stop()
"""
DIALECTS: Final = {"native": "halloween_host", "legacy": "worker_host.base"}


async def cost_of_the_end(broker: Mosquitto, folder: Path, source: str, workers: int) -> Cost:
    for number in range(workers):
        write_prop(folder, f"coffin-{number}", source)
    with ExitStack() as stack:  # counts to the end of the host
        usher = stack.enter_context(Phone(broker.port, "halloween/+/status/availability"))
        async with running_host(broker, folder, PRESENCE_MAX="0", MQTT_KEEPALIVE="600"):
            await trio.to_thread.run_sync(usher.wait_for_online, workers + 1)  # the host itself is one
            meter = stack.enter_context(counting(calls=False))
    return meter


@pytest.mark.parametrize(
    ("source", "most"),
    [
        # the supervisor is asked, its stop() ran as a task of its own, the home closes
        pytest.param(NATIVE, 3.9, id="native"),
        # the supervisor is asked and turns the loop itself; then the drive ends, and the home closes
        pytest.param(ASYNCIO, 5.9, id="asyncio"),
    ],
)
@pytest.mark.usefixtures("fast_path")
async def test_steps(broker: Mosquitto, tmp_path: Path, source: str, most: float) -> None:
    """A worker without anything to wait for ends in so many task steps."""
    few = await cost_of_the_end(broker, tmp_path / "few", source, FEW)
    many = await cost_of_the_end(broker, tmp_path / "many", source, MANY)
    each = (many.steps - few.steps) / (MANY - FEW)
    say(f"{each:.2f} steps a worker: {few.steps} with {FEW}, {many.steps} with {MANY}")
    assert each <= most


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_collector(broker: Mosquitto, tmp_path: Path, dialect: str) -> None:
    """It sees instances and not what was loaded, frees those that were restarted, and makes no pass while the host ends."""
    haunt = Haunt(tmp_path)
    haunt.prop("coffin", dedent(COUNTING).format(base=DIALECTS[dialect]))
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        sees = await listener.expect(lambda line: line.startswith("halloween/coffin/status/sees "), within_s=30)
        assert sees == "halloween/coffin/status/sees True False"
        await listener.expect("halloween/coffin/status/availability online", within_s=30)
        for _ in range(RESTARTS):
            await broker.publish("halloween/worker_host/cmd", "restart coffin")
            await listener.expect("halloween/coffin/status/sees True False", within_s=30)
            await listener.expect("halloween/coffin/status/availability online", within_s=30)
        await broker.publish("halloween/coffin/cmd", "count")
        await listener.expect("halloween/coffin/status/alive 1", within_s=30)
        await host.stop()
        await listener.expect("halloween/coffin/status/passes 0", within_s=30)
        restarts = [line for line in listener.lines if line.startswith("halloween/coffin/status/passes ")][:-1]
        assert len(restarts) == RESTARTS
        assert "halloween/coffin/status/passes 0" not in restarts
