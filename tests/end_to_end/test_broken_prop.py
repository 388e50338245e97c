"""A prop that is broken is one clear line, with its file and line, and every other worker runs."""

from __future__ import annotations

import re

from tests.conftest import MakeMosquitto
from tests.end_to_end.haunt import Haunt, heard_of, holding, words_of
from tests.mosquitto import Mosquitto

GOOD_NATIVE = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg or "ok")
"""

GOOD_LEGACY = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""

#: Name, source, the line that is named, and what is said.
BROKEN = [
    ("bad_syntax", "from halloween_host import BaseWorker\n\nclass Worker(BaseWorker)\n    pass\n", 3, "SyntaxError"),
    ("bad_import", "import no_such_module_anywhere\n", 1, "no_such_module_anywhere"),
    ("bad_name", "from halloween_host import BaseWorker\n\n\nx = undefined_name\n", 4, "undefined_name"),
    ("bad_exit", "import sys\n\nsys.exit(3)\n", 3, "SystemExit"),
    ("bad_interrupt", "\nraise KeyboardInterrupt\n", 2, "KeyboardInterrupt"),
    ("no_worker", "from halloween_host import BaseWorker\n\n\nclass Wroker(BaseWorker):\n    pass\n", 4, "Worker"),
    ("no_class", "\nWorker = 5\n", 2, "Worker is no class"),
    ("bad_base", "\nclass Worker:\n    pass\n", 2, "BaseWorker"),
    ("bare_import", "import relay\n", 1, "from . import relay"),
    ("taken_id", GOOD_NATIVE.replace("\n\n\nclass", '\n\nPROP_ID = "good"\n\n\nclass'), 0, "is taken by"),
]


async def test_broken_props_among_good_ones(haunt: Haunt, broker: Mosquitto) -> None:
    """Each kind of broken file is one line on the log and one on `worker_host/status/error`; the good ones run in both dialects."""
    paths = {}
    for name, source, _line, _said in BROKEN:
        paths[name] = haunt.prop(name, source, **({"relay__py": "pin = 4\n"} if name == "bare_import" else {}))
    haunt.prop("good", GOOD_NATIVE)
    haunt.prop("good_too", GOOD_LEGACY)
    haunt.builtin("pulse", GOOD_NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        for prop in ("good", "good_too", "pulse"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
            await broker.publish(f"halloween/{prop}/cmd", "ping")
            await listener.expect(f"halloween/{prop}/telemetry/pong ok")
        for name, _source, line, said in BROKEN:
            place = f"{paths[name]}:{line}" if line else str(paths[name])
            (reported,) = [each for each in heard_of(listener, "worker_host") if str(paths[name]) in each]
            assert reported.startswith("status/error "), reported
            assert place in reported, reported
            assert said in reported, reported
            assert len(host.matching("error ", place, said)) == 1
        errors = [each for each in heard_of(listener, "worker_host") if "does not run" in each]
        assert len(errors) == len(BROKEN)
        await host.stop()


CRASHES_IN_START = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        raise OSError("no relay on pin 4")
"""

BLOCKS_AT_IMPORT = """\
import time

from halloween_host import BaseWorker

time.sleep(2.5)


class Worker(BaseWorker):
    pass
"""


async def test_a_crash_in_start_and_a_blocking_import(haunt: Haunt, broker: Mosquitto) -> None:
    """A `start()` that raises is that worker's `status/error` with its place; an import that blocks is named while it does."""
    haunt.prop("crasher", CRASHES_IN_START)
    blocker = haunt.prop("blocker", BLOCKS_AT_IMPORT)
    haunt.prop("good", GOOD_NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await host.expect_log("blocker", f"{blocker}:5")
        for prop in ("good", "blocker"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        text = "start() crashed: OSError: no relay on pin 4 (props/crasher/backend/worker.py:6)"
        await listener.expect(f"halloween/crasher/status/error {text}")
        await host.expect_log("error", "crasher", text)
        assert "online" not in words_of(listener, "crasher")


async def test_no_workers_at_all(haunt: Haunt, broker: Mosquitto) -> None:
    """Without any worker there is a warning on `worker_host/status/warn`, and the host goes on."""
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_DISABLE_ALL_BUILTINS="1") as host:
        await listener.expect(holding("halloween/worker_host/status/warn ", "worker"), 30)
        await listener.expect("halloween/worker_host/status/availability online", within_s=30)
        await listener.expect(lambda line: bool(re.fullmatch(r"halloween/worker_host/uptime \d+", line)), within_s=30)
        assert host.matching("warning", "no workers")
        await host.stop()


async def online_at_the_end(haunt: Haunt, broker: Mosquitto, awaited: str, **environ: str) -> tuple[set[str], str]:
    """Run until `awaited` is online, stop; who ever spoke of being online or offline, and the log."""
    async with broker.listen("halloween/+/status/availability") as listener, haunt.host(broker, **environ) as host:
        await listener.expect(f"halloween/{awaited}/status/availability online", within_s=30)
        await host.stop()
        await listener.expect("halloween/worker_host/status/availability offline")
        return {line.split("/")[1] for line in listener.lines} - {"worker_host"}, host.log


async def test_toggles(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """DISABLE_ALL beats ALLOW, ALLOW beats DISABLE, for built-ins and for props; a name that matches nothing is a warning."""
    for name in ("pulse", "clock"):
        haunt.builtin(name, GOOD_NATIVE)
    for name in ("coffin", "fogger"):
        haunt.prop(name, GOOD_NATIVE)
    seen, log = await online_at_the_end(
        haunt,
        make_mosquitto(),
        "pulse",
        WORKER_BUILTINS_ALLOW="pulse,clokc",
        WORKER_BUILTINS_DISABLE="pulse",
        WORKER_DISABLE_ALL_PROPS="1",
        WORKER_PROPS_ALLOW="coffin",
    )
    assert seen == {"pulse"}
    assert "did you mean 'clock'" in log
    skipped = " ".join(line for line in log.splitlines() if "skipped" in line)
    assert all(name in skipped for name in ("clock", "coffin", "fogger"))
    seen, log = await online_at_the_end(
        haunt,
        make_mosquitto(),
        "coffin",
        WORKER_DISABLE_ALL_BUILTINS="1",
        WORKER_BUILTINS_ALLOW="pulse",
        WORKER_PROPS_DISABLE="fogger,cofin",
    )
    assert seen == {"coffin"}
    assert "did you mean 'coffin'" in log
