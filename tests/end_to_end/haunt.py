"""A haunt is a folder as an owner has it, `props/` and `builtins/`, and the real host run on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from tests.end_to_end.process import HostProcess
from tests.mosquitto import Line, Listener, Mosquitto

__all__ = ["Haunt", "Words", "beginning", "heard_of", "holding", "telling", "words_of"]


def beginning(text: str) -> Callable[[Line], bool]:
    """What a listener expects: a line that begins so."""
    return lambda line: line.startswith(text)


def holding(*parts: str) -> Callable[[Line], bool]:
    """What a listener expects: a line that holds all parts."""
    return lambda line: all(part in line for part in parts)


def telling(topic: str, **facts: object) -> Callable[[Line], bool]:
    """What a listener expects: a JSON object on `topic` that has these facts, and any others."""
    return _Telling(topic, facts)


@attrs.frozen
class _Telling:  # no closure: a failure shows what was expected
    topic: str
    facts: dict[str, object]

    def __call__(self, line: Line) -> bool:
        if line.topic != self.topic or not line.payload.startswith(b"{"):
            return False
        told = json.loads(line.payload)
        return all(key in told and told[key] == value for key, value in self.facts.items())


def heard_of(listener: Listener, prop_id: str) -> list[str]:
    """What one prop said so far, as ``state started``, in order: its topics without their beginning.

    Not `status/health`, and not its availability (see `words_of`): that comes over a connection of its own.
    """
    return [
        line for line in _all_of(listener, prop_id) if not line.startswith(("status/health", "status/availability"))
    ]


def words_of(listener: Listener, prop_id: str) -> list[str]:
    """The availability of one prop so far, as ``online``, in order."""
    said = _all_of(listener, prop_id)
    return [line.split()[1] for line in said if line.startswith("status/availability")]


def _all_of(listener: Listener, prop_id: str) -> list[str]:
    prefix = f"halloween/{prop_id}/"
    return [line.removeprefix(prefix) for line in listener.lines if line.startswith(prefix)]


class Words:
    """The availability of props as one listener hears it, each prop's in its order."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._after: dict[str, int] = {}

    async def hear(self, word: str, *prop_ids: str) -> None:
        """Each prop says it, later than what was heard of it before."""
        for prop_id in prop_ids:
            after = self._after.get(prop_id, 0)
            await self._listener.expect(partial(self._is_word, prop_id, word, after), within_s=30)

    def _is_word(self, prop_id: str, word: str, after: int, line: Line) -> bool:
        if line != f"halloween/{prop_id}/status/availability {word}":
            return False
        numbers = [number for number, each in enumerate(self._listener.lines) if each is line and number >= after]
        if numbers:
            self._after[prop_id] = numbers[0] + 1
        return bool(numbers)


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

    async def order(self, broker: Mosquitto, *arguments: str, status: int = 0) -> str:
        """Run another command of `halloween-host` here, as an operator would; all that it wrote. `status` is its exit status."""
        told = {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port)}
        async with HostProcess(*arguments, environ=told, folder=self.folder) as command:
            await command.wait(status)
        return command.log


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
