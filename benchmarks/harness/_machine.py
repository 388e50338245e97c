"""A figure means something only beside its machine and versions."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs

from tests.mosquitto import program

#: Whose versions count beside the peers.
PACKAGES: Final = (
    "trio",
    "anyio",
    "paho-mqtt",
    "gmqtt",
    "aiomqtt",
    "zmqtt",
    "faststream",
    "mqtt5",
)
_ASK: Final = "import json, sys, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


def machine() -> dict[str, str]:
    """CPU, cores, memory, kernel, and how busy it was before the run began."""
    return {
        "CPU": _cpu(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def versions(python: Path, packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Of Python and these packages, which `python` has, of mosquitto, the C compiler, and this project's commit."""
    asked = subprocess.run([python, "-c", _ASK, *packages], check=True, capture_output=True, text=True)
    broker = subprocess.run([program("mosquitto"), "-h"], capture_output=True, text=True).stdout
    compiler = _first_line(shutil.which("cc") or "cc", "--version")
    found = {"Python": platform.python_version(), **json.loads(asked.stdout)}
    if match := re.search(r"mosquitto version (\S+)", broker):
        found["mosquitto"] = match[1]
    found["cc"] = compiler
    if commit := _first_line("git", "describe", "--always", "--dirty"):
        found["commit"] = commit
    return found


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        return match[1] if match else platform.machine()
    return _first_line("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""
