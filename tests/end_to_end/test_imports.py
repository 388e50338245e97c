"""A process imports what it uses: a night of native workers, and a panic, need no more than Trio, paho, structlog and ourselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import halloween_host
from tests.end_to_end.haunt import Haunt, beginning
from tests.mosquitto import Mosquitto, free_port

#: Third parties' packages that both do with.
NEEDED = {"anyio", "attr", "attrs", "idna", "outcome", "paho", "sniffio", "sortedcontainers", "structlog", "trio"}
NEEDED |= {"typing_extensions"}  # anyio's, before Python 3.13
#: What takes longest to import of the standard library, and nobody asked for.
SLOW = {
    "asyncio",
    "concurrent.futures",
    "email.message",
    "http.client",
    "multiprocessing",
    "unittest",
    "urllib.request",
}
#: Parts of ours that are for others.
OURS = {
    "halloween_host.broker",
    "halloween_host.cli._parser",
    "halloween_host.config._yaml",
    "halloween_host.legacy._loop",
    "halloween_host.structuring._classes",
    "halloween_host.testing",
}
TELLING = """import sys

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_tell(self) -> None:
        self.telemetry("modules", sorted(sys.modules))
"""
PANIC = """import sys

sys.argv = ["halloween-host", "panic", "--timeout", "5", "a", "test"]
from halloween_host.cli import main

try:
    main()
finally:
    print(*sorted(sys.modules))
"""
LATER = """import sys

from halloween_host.cli._light import import_paho, import_structlog

import_structlog()
import_paho()
held = sys.modules[{holder!r}].{module}
assert {module!r} not in sys.modules
assert callable(held.{function})
import {module}

assert {module} is not held
assert held.{function} is {module}.{function}
"""


def check(modules: set[str]) -> None:
    """Nothing is there that was not asked for."""
    top = {name.partition(".")[0] for name in modules}
    ours = {"halloween_host", "props", "halloween_builtins", "sitecustomize"}
    assert {name for name in top - sys.stdlib_module_names - NEEDED - ours if not name.startswith("_")} == set()
    assert modules & (SLOW | OURS) == set()


def run_python(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    package = str(Path(halloween_host.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, "LANG": "C.UTF-8", "PYTHONPATH": package, **environ},
        capture_output=True,
        text=True,
        timeout=40,
    )


async def test_a_host_of_native_workers(haunt: Haunt, broker: Mosquitto) -> None:
    """Online with a native worker, it has imported no asyncio, no parser of YAML or of command lines, no rich, no HTTP."""
    haunt.prop("coffin", TELLING, config__json='{"pin": 4}')
    async with broker.listen("halloween/coffin/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/coffin/status/availability online")
        await broker.publish("halloween/coffin/cmd", "tell")
        line = await listener.expect(beginning("halloween/coffin/telemetry/modules"))
        check(set(json.loads(line.payload)))
        await host.stop()


def test_a_panic(tmp_path: Path) -> None:
    """STOP waits for nothing that it has no use for."""
    finished = run_python(PANIC, MQTT_HOST="127.0.0.1", MQTT_PORT=str(free_port()), STATE_DIR=str(tmp_path))
    assert "trying SIGUSR1" in finished.stderr
    check(set(finished.stdout.split()))


@pytest.mark.parametrize(
    ("module", "function", "holder"),
    [("asyncio", "get_running_loop", "structlog.stdlib"), ("urllib.request", "getproxies", "paho.mqtt.client")],
)
def test_what_was_put_off_comes_when_it_is_asked_for(module: str, function: str, holder: str) -> None:
    """structlog and paho use a module that was not there when they were imported, and it is everybody's."""
    finished = run_python(LATER.format(module=module, function=function, holder=holder))
    assert (finished.returncode, finished.stderr) == (0, "")
