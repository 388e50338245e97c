"""Every error of ours is a HalloweenHostError that carries facts as attributes; its text is made from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "AskError",
    "BrokerError",
    "CommandCancelled",
    "CommandError",
    "CommandFailed",
    "CommandRefused",
    "ConfigError",
    "HalloweenHostError",
    "InvalidConfig",
    "InvalidSettings",
    "LoadError",
    "ModelError",
    "PayloadError",
    "QosError",
    "SettingsError",
    "SourceError",
    "SpawnError",
    "StageError",
    "StateError",
    "StoreError",
    "StructureError",
    "TopicError",
    "did_you_mean",
]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'fogger'?"`` for the known word nearest to `word`, or ``""`` when none is near."""
    import difflib  # for those who made a slip

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


class HalloweenHostError(Exception):
    """The root of the tree: catch it to catch all that halloween_host raises on purpose."""


class TopicError(HalloweenHostError):
    """A prop id or a key cannot stand in an MQTT topic."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason
        super().__init__(f"{text!r} {reason}")


class CommandError(HalloweenHostError):
    """A payload on a `cmd` topic is no command; for a file you get `SourceError`, for a value `StructureError`."""

    def __init__(
        self,
        reason: str,
        *,
        action: str | None = None,
        id: str | float | None = None,
    ) -> None:
        self.reason = reason
        self.action = action
        self.id = id
        super().__init__(f"{action}: {reason}" if action else reason)


class AskError(HalloweenHostError):
    """`ask` got an answer, and it was not the handler's value. `reason` is the answer's own word."""

    how = "answered"

    def __init__(self, prop_id: str, action: str, reason: str) -> None:
        self.prop_id = prop_id
        self.action = action
        self.reason = reason
        super().__init__(f"{prop_id} {self.how} {action!r}: {reason}")


class CommandFailed(AskError):
    """The handler that was asked raised, or took longer than its timeout."""

    how = "failed at"


class CommandRefused(AskError):
    """The command was not taken: no such action, offline, too old, cooling down, a full mailbox, a panic."""

    how = "refused"


class CommandCancelled(AskError):
    """The command was taken and its handler cancelled: by a newer command, a stop, a crash or a panic."""

    how = "cancelled"


class PayloadError(HalloweenHostError):
    """A value that a worker wants to send has no form on the wire (NaN, an object JSON cannot hold)."""

    def __init__(self, value: object, reason: str) -> None:
        self.value = value
        self.reason = reason
        super().__init__(f"cannot send {type(value).__name__}: {reason}")


class StoreError(HalloweenHostError, TypeError):
    """`self.store` was given a key that is no text, or a value that is not JSON; nothing was stored."""

    def __init__(self, key: object, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"self.store[{key!r:.80}]: {reason}")


class QosError(HalloweenHostError):
    """A quality of service that MQTT does not have (MQTT 3.1.1, section 4.3)."""

    def __init__(self, qos: object) -> None:
        self.qos = qos
        super().__init__(f"qos={qos!r}: 0, 1 or 2")


class StructureError(HalloweenHostError):
    """A value does not fit the type that was declared for it.

    `path` leads to the value from its root ``$`` as keys and indices; `expected` was declared, `got` stood there.
    """

    def __init__(self, path: tuple[str | int, ...], expected: str, got: str, *, hint: str = "") -> None:
        self.path = path
        self.expected = expected
        self.got = got
        self.hint = hint
        where = f"{self.json_path}: " if path else ""
        super().__init__(f"{where}expected {expected}, got {got}{hint}")

    @property
    def json_path(self) -> str:
        return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)


class SettingsError(HalloweenHostError):
    """An environment variable or an option has a value we cannot use. A secret's value is never part of the text."""

    def __init__(self, variable: str, value: str | None, reason: str) -> None:
        self.variable = variable
        self.value = value
        self.reason = reason
        super().__init__(f"{variable}{'' if value is None else f'={value!r}'}: {reason}")


class InvalidSettings(HalloweenHostError):
    """Environment variables or options that we cannot use: all of them as `problems`, one a line of the text."""

    def __init__(self, problems: tuple[SettingsError, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SourceError(HalloweenHostError):
    """Something is wrong at a place in a file. `line` and `column` count from 1, None when unknown."""

    def __init__(self, path: Path, reason: str, *, line: int | None = None, column: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.line = line
        self.column = column
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{place}: {reason}")


class ConfigError(SourceError):
    """A config file cannot be read, or holds a key or value that its worker does not know."""


class InvalidConfig(SourceError):
    """A config file was read, but does not fit the worker's settings: all its `problems`, one ConfigError each."""

    def __init__(self, path: Path, problems: tuple[ConfigError, ...]) -> None:
        self.problems = problems
        super().__init__(path, "; ".join(str(problem) for problem in problems))
        self.args = ("\n".join(str(problem) for problem in problems),)


class ModelError(HalloweenHostError):
    """A 2025 worker's own `ConfigModel` refuses the config; `problems` are (field, what is wrong with it)."""

    def __init__(self, model: str, problems: tuple[tuple[str, str], ...]) -> None:
        self.model = model
        self.problems = problems
        told = "; ".join(f"{field}: {problem}" if field else problem for field, problem in problems)
        super().__init__(f"the config does not fit {model}: {told}")


class LoadError(SourceError):
    """A worker file could not be made into a worker; the others are loaded all the same."""

    def __init__(
        self, prop_id: str, path: Path, reason: str, *, line: int | None = None, column: int | None = None
    ) -> None:
        self.prop_id = prop_id
        super().__init__(path, reason, line=line, column=column)


class SpawnError(HalloweenHostError):
    """`spawn` was called on a worker that is not running: before `start()` or after `stop()`."""

    def __init__(self, prop_id: str, moment: str) -> None:
        self.prop_id = prop_id
        self.moment = moment
        super().__init__(f"{prop_id}: spawn() called {moment}; spawn tasks in start(), in a handler or in another task")


class BrokerError(HalloweenHostError):
    """The embedded broker could not be brought up, or went away."""


class StageError(HalloweenHostError):
    """A rehearsal cannot go on: a worker reached for the real world, or an expectation was not met in time."""


class StateError(HalloweenHostError):
    """The folder of the host's own state cannot be used: another host has it."""
