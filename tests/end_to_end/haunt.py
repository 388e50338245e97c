"""A haunt is a folder as an owner has it, `props/` and `builtins/`, and the real host run on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.process import HostProcess
from tests.mosquitto import Line, Listener, Mosquitto

__all__ = ["Haunt", "beginning", "heard_of", "holding"]


def beginning(text: str) -> Callable[[Line], bool]:
    """What a listener expects: a line that begins so."""
    return lambda line: line.startswith(text)


def holding(*parts: str) -> Callable[[Line], bool]:
    """What a listener expects: a line that holds all parts."""
    return lambda line: all(part in line for part in parts)


def heard_of(listener: Listener, prop_id: str) -> list[str]:
    """All that was heard of one prop so far, as ``status/availability online``: its topics without their beginning."""
    prefix = f"halloween/{prop_id}/"
    return [line.removeprefix(prefix) for line in listener.lines if line.startswith(prefix)]


class Haunt:
    """Writes workers and configs; `host` gives the process that is to run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.props = folder / "props"
        self.builtins = folder / "builtins"
        self.props.mkdir()
        self.builtins.mkdir()

    def prop(self, name: str, source: str, **files: str | bytes) -> Path:
        """Write `props/<name>/backend/worker.py`, and `files` beside it (`config__yaml` is `config.yaml`); the worker's path."""
        backend = self.props / name / "backend"
        backend.mkdir(parents=True)
        for other, content in files.items():
            _write(backend / other.replace("__", "."), content)
        return _write(backend / "worker.py", source)

    def builtin(self, name: str, source: str, **files: str | bytes) -> Path:
        """Write `builtins/<name>.py`, and `files` beside it."""
        for other, content in files.items():
            _write(self.builtins / other.replace("__", "."), content)
        return _write(self.builtins / f"{name}.py", source)

    def host(self, broker: Mosquitto | None = None, *options: str, **environ: str) -> HostProcess:
        """`halloween_host run` on this folder, told by the environment to use `broker`."""
        told = {} if broker is None else {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port)}
        folders = ("--props", str(self.props), "--builtins", str(self.builtins))
        return HostProcess("run", *folders, *options, environ=told | environ, folder=self.folder)


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
