"""What is read without cyclopts, cyclopts reads alike; and what it would refuse, or explain, is left to it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from cyclopts import CycloptsError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from halloween_host.cli._parser import build
from halloween_host.cli._plain import plain_command

_WORDS = st.sampled_from(
    ["smoke", "room 3", "5", "0.5", "1e3", "nan", "1_0", "-1", "--", "-", "", " ", "a=b", "ü", "run"]
)
_OPTIONS = st.sampled_from(
    ["--props", "--builtins", "--broker", "--timeout", "--props=x", "--brok", "-b", "--no-props", "--help", "--version"]
)
_LINES = st.tuples(st.sampled_from(["run", "panic"]), st.lists(_WORDS | _OPTIONS, max_size=6))


@settings(deadline=None)  # the first one imports the host
@given(_LINES)
@example(("panic", ["smoke", "--timeout", "3", "in", "room", "3"]))
@example(("run", ["--builtins", "a", "--builtins", "b", "--props", "c"]))
@example(("panic", ["--timeout", "-1"]))
@example(("panic", ["--broker", "mqtt://haunt:secret@broker.lan:1883", "--timeout", "2.50"]))
def test_cyclopts_reads_alike(line: tuple[str, list[str]]) -> None:
    """The same command with the same words and options, for every line that is read here at all."""
    name, arguments = line
    plain = plain_command([name, *arguments])
    if plain is None:
        return
    assert isinstance(plain, partial)
    try:
        command, bound, _ = build().parse_args([name, *arguments], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise AssertionError(f"cyclopts refuses {line}: {error}") from None
    options: dict[str, Any] = dict(bound.arguments)
    assert command.__name__ == f"{name}_"
    assert plain.args == options.pop("reason", ())
    assert plain.keywords == options


@pytest.mark.parametrize(
    "line",
    [
        "",
        "status",
        "run now",
        "run --help",
        "run --props",
        "run --brokr x",
        "run --props a --props b",
        "panic --",
        "--help",
    ],
)
def test_what_needs_a_word_is_left_to_cyclopts(line: str) -> None:
    """Other commands, help, mistakes, and whatever has more than one way to be read."""
    assert plain_command(line.split()) is None


@pytest.mark.parametrize("line", ["run", "run --broker embedded:1884", "panic", "panic fire", "panic --timeout 1 fire"])
def test_what_is_typed_at_night_is_plain(line: str) -> None:
    """The host's start and the panic do without cyclopts."""
    assert plain_command(line.split()) is not None
