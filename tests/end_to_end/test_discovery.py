"""Workers are found where they lie, with whatever modules stand beside them, and two props never collide."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.haunt import Haunt, heard_of, holding, words_of
from tests.mosquitto import Mosquitto

RELATIVE = """\
from halloween_host import BaseWorker

from .api import *
from .hardware.relay import Relay
from . import relay


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("says", [greeting, Relay().pin, relay.pin, __name__])
"""

ABSOLUTE = """\
from worker_host.base import BaseWorker

from props.absolute.backend.relay import pin


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("says", pin)
"""

RENAMED = """\
from halloween_host import BaseWorker

PROP_ID = "skull 2"


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", self.prop_id)
"""

INHERITED = """\
from .base import Worker
"""

BASE = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", self.prop_id)
"""


async def test_packages_names_and_folders(haunt: Haunt, broker: Mosquitto) -> None:
    """Relative imports, `from .api import *`, subpackages, `props.<prop>.backend.<module>`, with and without `__init__.py`;
    two props' `relay.py` are two modules; `PROP_ID` overrides the folder's name; names with `_` are skipped and so are folders
    without a `worker.py`."""
    haunt.prop("relative", RELATIVE, api__py='greeting = "boo"\n', relay__py="pin = 1\n", ____init____py="")
    hardware = haunt.props / "relative" / "backend" / "hardware"
    hardware.mkdir()
    (hardware / "relay.py").write_text("class Relay:\n    pin = 2\n")
    haunt.prop("absolute", ABSOLUTE, relay__py="pin = 3\n")
    haunt.prop("folder_name", RENAMED)
    haunt.prop("inherited", INHERITED, base__py=BASE)
    haunt.prop("_draft", BASE)
    haunt.builtin("_half_done", "this is no Python")
    (haunt.props / "firmware_only" / "firmware").mkdir(parents=True)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect(
            'halloween/relative/telemetry/says ["boo",2,1,"props.relative.backend.worker"]', within_s=30
        )
        await listener.expect("halloween/absolute/telemetry/says 3")
        for prop in ("skull 2", "inherited"):
            await listener.expect(f"halloween/{prop}/status/availability online")
            await broker.publish(f"halloween/{prop}/cmd", "ping")
            await listener.expect(f"halloween/{prop}/telemetry/pong {prop}")
        assert {line.split("/")[1] for line in listener.lines} == {
            "relative",
            "absolute",
            "skull 2",
            "inherited",
            "worker_host",
        }
        assert not [line for line in heard_of(listener, "worker_host") if "status/error" in line]
        await host.stop()


async def test_requirements_that_pip_cannot_read(haunt: Haunt, broker: Mosquitto) -> None:
    """A line of `backend/requirements.txt` that is none is one error with its line, and only that prop fails."""
    haunt.prop("lamp", BASE, requirements__txt="# ours\nthis is >< no requirement\n")
    haunt.prop("good", BASE, requirements__txt="attrs\n")
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/good/status/availability online", within_s=30)
        file = haunt.props / "lamp" / "backend" / "requirements.txt"
        await listener.expect(holding("halloween/worker_host/status/error ", f"{file}:2"))
        assert len(host.matching("error", f"{file}:2")) == 1
        assert "online" not in words_of(listener, "lamp")


ASKS_ASYNCIO = """\
import asyncio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_nap(self, arg):
        await asyncio.sleep(0.1)

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""

ASKS_TRIO = """\
import trio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def do_nap(self, arg):
        await trio.sleep(0.1)

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""


async def test_the_wrong_turn_of_each_dialect(haunt: Haunt, broker: Mosquitto) -> None:
    """asyncio in a native worker and trio in an asyncio one are an error that names file, line and the import to change."""
    haunt.prop("native", ASKS_ASYNCIO)
    haunt.prop("legacy", ASKS_TRIO)
    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        for prop, fix in (
            ("native", "from worker_host.base import BaseWorker"),
            ("legacy", "from halloween_host import BaseWorker"),
        ):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
            await broker.publish(f"halloween/{prop}/cmd", "nap")
            place = str(Path("props") / prop / "backend" / "worker.py") + ":8"
            await listener.expect(holding(f"halloween/{prop}/status/error nap: ", place, fix))
            await broker.publish(f"halloween/{prop}/cmd", "ping")
            await listener.expect(f"halloween/{prop}/telemetry/pong ok")
