"""Whoever logs, whatever: one line an event, in one stream, with its worker, escaped and bounded."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import re
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from halloween_host.logs import configure_logging
from halloween_host.logs._lines import (
    MAX_TEXT_CHARS,
    MAX_TRACEBACK_CHARS,
    console_line,
    escape,
    journal_line,
    json_line,
)
from tests.logs.conftest import Rows, worker_module

CONSOLE_LINE = re.compile(r"\d\d:\d\d:\d\d (debug|info|warning|error|critical) +\S+ |    ")


def test_a_console_line_has_time_level_worker_event_and_facts(stream: io.StringIO) -> None:
    """The readable form is time, level, worker, event, key=value, without colours off a terminal."""
    configure_logging("INFO", "console", stream)
    structlog.stdlib.get_logger().info("Fog is out", worker="fogger", ms=750, mode="full blast", empty="")
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d info     fogger           Fog is out  ms=750  mode="full blast"  empty=""\n',
        stream.getvalue(),
    )


def test_colours_are_for_terminals_only() -> None:
    """A terminal gets colours; JSON never does."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown: dict[str, str] = {}
    for form in ("console", "json"):
        terminal = Terminal()
        configure_logging("INFO", form, terminal)
        structlog.stdlib.get_logger().info("Fog is out")
        shown[form] = terminal.getvalue()
    assert "\x1b[32minfo" in shown["console"]
    assert "\x1b" not in shown["json"]


def test_the_journal_gets_priorities_and_no_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each line of an entry, and only where it is stderr itself that systemd reads; JSON is left alone."""
    cases: tuple[tuple[Literal["console", "json"], bool, str], ...] = (
        ("console", True, r"<6>info     fogger           Fog is out  ms=750\n(<3>.+\n){2,}"),
        ("console", False, r"\d\d:\d\d:\d\d info     fogger           Fog is out  ms=750\n.*"),
        ("json", True, r'{"timestamp".*'),
    )
    for form, read, pattern in cases:
        with (tmp_path / "stderr").open("w") as stderr:
            of_stderr = os.fstat(stderr.fileno())
            monkeypatch.setenv("JOURNAL_STREAM", f"{of_stderr.st_dev}:{of_stderr.st_ino + (not read)}")
            configure_logging("INFO", form, stderr)
            log = structlog.stdlib.get_logger()
            log.info("Fog is out", worker="fogger", ms=750)
            log.error("No more", exc_info=ValueError("empty"))
        assert re.fullmatch(pattern, (tmp_path / "stderr").read_text(), re.DOTALL)


def test_levels_below_the_chosen_one_are_silent(stream: io.StringIO) -> None:
    """At WARNING neither structlog's nor the stdlib's info lines are written."""
    configure_logging("WARNING", "console", stream)
    structlog.stdlib.get_logger().info("quiet")
    logging.getLogger("paho").info("quiet")
    structlog.stdlib.get_logger().warning("loud")
    assert stream.getvalue().count("\n") == 1
    with pytest.raises(ValueError, match="LOUD"):
        configure_logging("LOUD", "console", stream)


def test_stdlib_and_structlog_share_the_stream(rows: Rows) -> None:
    """A library's logger writes the same lines under its own name; configuring again does not double them."""
    logging.getLogger("paho").info("Sending %s", "CONNECT")
    structlog.stdlib.get_logger().info("Connected", port=1883)
    first, second = rows()
    assert (first["event"], first["logger"], first["level"]) == ("Sending CONNECT", "paho", "info")
    assert (second["event"], second["port"]) == ("Connected", 1883)
    assert "worker" not in second
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["timestamp"])


def test_a_worker_is_known_by_context_and_by_module(rows: Rows) -> None:
    """The context's worker comes first, then the module's; an explicit one is never overruled."""
    with bound_contextvars(worker="coffin"):
        structlog.stdlib.get_logger().info("a")
        structlog.stdlib.get_logger().info("b", worker="explicit")
        logging.getLogger("requests").info("c")
    logging.getLogger("props.fogger.backend.worker").info("d")
    logging.getLogger("halloween_builtins.heartbeat").info("e")
    worker_module("props.bat.backend.relay", "import logging; logging.info('f')")
    assert [row["worker"] for row in rows()] == ["coffin", "explicit", "coffin", "fogger", "heartbeat", "bat"]


def test_a_traceback_is_readable_and_cannot_fake_a_line(stream: io.StringIO) -> None:
    """On the console a traceback is indented below its line, and what an exception says stays on its own line."""
    configure_logging("INFO", "console", stream)
    try:
        raise ValueError("bad\n12:00:00 info     fogger  all is well\x1b[2J")
    except ValueError:
        structlog.stdlib.get_logger().exception("fire failed", worker="fogger")
        logging.getLogger("paho").exception("fire failed")
    lines = stream.getvalue().splitlines()
    assert all(CONSOLE_LINE.match(line) for line in lines)
    assert lines.count("    Traceback (most recent call last):") == 2
    assert lines.count("    12:00:00 info     fogger  all is well\\x1b[2J") == 2


def test_a_json_traceback_is_one_text(rows: Rows) -> None:
    """In JSON a traceback is the text `exception`, with its newlines."""
    try:
        raise ValueError("bad")
    except ValueError:
        structlog.stdlib.get_logger().exception("fire failed")
    (row,) = rows()
    assert row["level"] == "error"
    assert row["exception"].startswith("Traceback (most recent call last):\n")
    assert row["exception"].endswith("\nValueError: bad")


def test_control_characters_are_shown_escaped(rows: Rows) -> None:
    """C0 but tab, DEL, C1, line separators, bidirectional overrides and lone surrogates never reach a terminal."""
    wild = "a\x00\x1b[31m\r\n\x7f\x85\u2028\u202e\u2066\ud800\tü"
    structlog.stdlib.get_logger().info(wild, value=wild)
    (row,) = rows()
    assert row["event"] == row["value"] == r"a\x00\x1b[31m\r\n\x7f\x85\u2028\u202e\u2066\ud800" + "\tü"


def test_long_texts_are_cut_with_a_mark(rows: Rows) -> None:
    """A text is cut at its bound and says how long it was; a traceback loses its middle."""
    structlog.stdlib.get_logger().info("x" * 1_000_000, exception="y" * 100_000)
    (row,) = rows()
    assert row["event"] == "x" * MAX_TEXT_CHARS + "… [cut, 1000000 characters]"
    assert "\n… [cut, 100000 characters]\n" in row["exception"]
    assert len(row["exception"]) < MAX_TRACEBACK_CHARS + 100


def test_no_value_breaks_a_line_or_its_caller(rows: Rows) -> None:
    """NaN, a giant number, an object whose repr raises, a nested mess: each is one line of valid JSON."""

    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    nest: list[object] = []
    nest.append(nest)
    values = [float("nan"), 10**6000, [10**6000], Rude(), {"a": Rude()}, nest, b"\xff", OSError("gone"), ("a", "b")]
    for value in values:
        structlog.stdlib.get_logger().info("odd", value=value)
    assert len(rows()) == len(values)
    assert [row["value"] for row in rows()][:2] == ["nan", "<int of 19932 bits>"]
    assert rows()[-2]["value"] == "OSError: gone"


def test_a_wrong_log_call_is_one_line(rows: Rows) -> None:
    """Arguments that do not fit their template are told in one line and raise nothing."""
    for handler in [one for one in logging.getLogger().handlers if type(one).__module__.startswith("_pytest")]:
        logging.getLogger().removeHandler(handler)  # pytest's raise, and put themselves back for the next test
    logging.getLogger("props.fogger.backend.worker").info("%d fogs", "many")
    structlog.stdlib.get_logger().info("%d fogs", "many")
    assert [row["event"] for row in rows()] == ["a log call that cannot be shown"] * 2
    assert rows()[0]["worker"] == "fogger"
    assert rows()[0]["error"] == "TypeError"
    assert rows()[0]["template"] == "%d fogs"


def test_a_stream_that_is_gone_is_no_error(stream: io.StringIO) -> None:
    """When stderr was closed or its reader left, logging goes on in silence."""
    configure_logging("INFO", "console", stream)
    stream.close()
    structlog.stdlib.get_logger().info("nobody hears")


def test_no_worker_can_mute_the_host(rows: Rows) -> None:
    """What a worker does to the stdlib's logging does not touch the host's own lines."""
    log = structlog.stdlib.get_logger()
    logging.config.dictConfig({"version": 1, "root": {"handlers": [], "level": "CRITICAL"}})
    logging.basicConfig(force=True, stream=io.StringIO())
    logging.disable(logging.CRITICAL)
    log.info("still here")
    assert rows()[-1]["event"] == "still here"


def test_threads_do_not_mix_their_lines(rows: Rows) -> None:
    """Eight threads write at once: every line is whole."""
    barrier = threading.Barrier(8)

    def shout(number: int) -> None:
        barrier.wait(5)
        for turn in range(50):
            structlog.stdlib.get_logger().info(f"thread {number} turn {turn}", number=number)

    threads = [threading.Thread(target=shout, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert {row["event"] for row in rows()} == {f"thread {n} turn {t}" for n in range(8) for t in range(50)}


_texts = st.text(st.characters(max_codepoint=0x20FF) | st.characters(categories=["Cs"]), max_size=40)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _texts | st.binary(max_size=20)
_values = _scalars | st.lists(_scalars, max_size=3) | st.dictionaries(_texts, _scalars, max_size=3)


@given(
    event=_texts,
    facts=st.dictionaries(_texts, _values, max_size=3),
    trace=st.none() | _texts,
)
def test_any_event_is_one_line(event: str, facts: dict[str, Any], trace: str | None) -> None:
    """Any text and any facts give one line of JSON, and one console line before an indented traceback."""
    fields = {**facts, "timestamp": 0.0, "level": "info", "worker": "fogger", "event": event}
    if trace:
        fields["exception"] = trace
    line = json_line(fields)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["event"] == escape(event)
    first, *rest = console_line(fields, colours=False).splitlines()
    assert CONSOLE_LINE.match(first)
    assert all(row.startswith("    ") for row in rest)
    assert all(row.startswith("<6>") for row in journal_line(fields).splitlines())
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", console_line(fields, colours=False)
    )
