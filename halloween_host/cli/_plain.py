"""A command line that is plainly right is read here; one that needs help, or a word about what is wrong, goes to cyclopts.

`panic` must not wait until a parser is imported, and the host's start has no use for one: cyclopts takes as long as a third
of Trio does. What is read here, cyclopts would read alike (`tests/cli/test_plain.py` asks it).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from halloween_host.cli._light import import_paho

__all__ = ["plain_command"]

_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


def _seconds(text: str) -> float:
    if _SECONDS.fullmatch(text) is None:
        raise ValueError
    return float(text)


@attrs.frozen
class _Command:
    """Where its function stands, and what it takes: its options, those that may be given again, and whether words."""

    module: str
    function: str
    options: Mapping[str, Callable[[str], Any]]
    repeated: tuple[str, ...] = ()
    words: bool = False


_COMMANDS: Final[Mapping[str, _Command]] = {
    "run": _Command("_hosting", "host", {"props": Path, "builtins": Path, "broker": str}, repeated=("builtins",)),
    "panic": _Command("_stop_all", "stop_all", {"timeout": _seconds, "broker": str}, words=True),
}


def plain_command(arguments: Sequence[str]) -> Callable[[], Awaitable[int]] | None:
    """The command that they say, ready to be run in Trio; None when that is not as plain as ``--name value`` and words."""
    name, *rest = arguments or [""]
    command = _COMMANDS.get(name)
    read = None if command is None else _read(command, rest)
    if command is None or read is None:
        return None
    import_paho()
    words, options = read
    function = getattr(importlib.import_module(f"halloween_host.cli.{command.module}"), command.function)
    return partial(function, *words, **options)


def _read(command: _Command, arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]] | None:
    words: list[str] = []
    options: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            words.append(argument)
            continue
        name = argument.removeprefix("--")
        value = next(rest, "")
        if name not in command.options or not value or value.startswith("-"):
            return None
        try:
            read = command.options[name](value)
        except ValueError:
            return None
        if name in command.repeated:
            options.setdefault(name, []).append(read)
        elif name in options:
            return None
        else:
            options[name] = read
    return None if words and not command.words else (words, options)
