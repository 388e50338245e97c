"""What is wrong with a broker is one line of the log, with all that is known of it, and one when it is over."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, MutableMapping, Sequence
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from halloween_host.mqtt import MqttCodeError, MqttError, MqttTimeoutError
from halloween_host.outage import AWAY_S, REPEAT_S, SAY_WITHIN_S, Outage

GONE = MqttError("the connection was reset")
NOBODY = MqttError("connection refused: nothing listens there")
WRONG_PASSWORD = MqttCodeError(134, "127.0.0.1:1883 refused the connection")
WRONG_PASSWORD_TEXT = "127.0.0.1:1883 refused the connection: bad user name or password (reason code 134)"
SILENCE = MqttTimeoutError("no answer to our keep-alive")

Line = MutableMapping[str, Any]


@pytest.fixture
async def outage() -> AsyncIterator[Outage]:
    """Of a connection that is up, and said so."""
    made = Outage()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        made.connected("MQTT 5")
        yield made
        nursery.cancel_scope.cancel()


def said(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Level and text, without what only a debugger is told."""
    return [(line["log_level"], line["event"]) for line in lines if line["log_level"] != "debug"]


async def test_a_loss_is_said_with_why_it_cannot_be_mended(outage: Outage, autojump_clock: MockClock) -> None:
    """A password that was changed: the cut itself says nothing; what the next attempt meets does."""
    with capture_logs() as lines:
        outage.lost(GONE)
        assert lines == []
        await trio.sleep(0.3)
        outage.failed(WRONG_PASSWORD)
        for _ in range(5):
            await trio.sleep(10)
            outage.failed(WRONG_PASSWORD)
        outage.connected("MQTT 5")
    text = f"lost the broker: {GONE}; it cannot be reached again: {WRONG_PASSWORD_TEXT}; trying again"
    assert said(lines) == [("warning", text), ("info", "connected, MQTT 5")]


async def test_a_broker_that_restarts_in_a_moment_is_one_line_too(outage: Outage, autojump_clock: MockClock) -> None:
    """Nobody need be told that it was away before it is back; but he is told that it was."""
    with capture_logs() as lines:
        outage.lost(GONE)
        await trio.sleep(0.1)
        outage.connected("MQTT 5")
        assert lines == []
        await trio.sleep(SAY_WITHIN_S)
    text = f"lost the broker: {GONE}; connected again"
    assert said(lines) == [("warning", text), ("info", "connected, MQTT 5")]


async def test_an_attempt_that_takes_long_holds_no_line_back(outage: Outage, autojump_clock: MockClock) -> None:
    """2 s, and what it ends with then is no line of its own."""
    with capture_logs() as lines:
        outage.lost(GONE)
        await trio.sleep(SAY_WITHIN_S + 0.1)
        assert said(lines) == [("warning", f"lost the broker: {GONE}; trying again")]
        outage.failed(SILENCE)
    assert len(said(lines)) == 1


async def test_silence_is_said_at_once(outage: Outage, autojump_clock: MockClock) -> None:
    """A cable that was pulled: the next attempt will be as long in the dark."""
    with capture_logs() as lines:
        outage.lost(SILENCE)
        assert said(lines) == [("warning", f"lost the broker: {SILENCE}; trying again")]


async def test_what_somebody_must_mend_is_news_whenever_it_comes(outage: Outage, autojump_clock: MockClock) -> None:
    """Each of them once: a refusal, no descriptor left."""
    no_files = MqttError("no connection: Too many open files")
    no_files.__cause__ = OSError(errno.EMFILE, "Too many open files")
    with capture_logs() as lines:
        outage.lost(GONE)
        outage.failed(NOBODY)
        for _ in range(3):
            await trio.sleep(1)
            outage.failed(WRONG_PASSWORD)
            outage.failed(no_files)
            outage.failed(NOBODY)
    assert [text for _level, text in said(lines)] == [
        f"lost the broker: {GONE}; it cannot be reached again: {NOBODY}; trying again",
        f"cannot reach the broker: {WRONG_PASSWORD_TEXT}; still trying, 3 times so far",
        f"cannot reach the broker: {no_files}; still trying, 4 times so far",
    ]


async def test_a_broker_that_flaps_is_said_once_a_minute(outage: Outage, autojump_clock: MockClock) -> None:
    """Cut every 5 s, back at once: neither silent nor a line for each time."""
    with capture_logs() as lines:
        outage.lost(GONE)
        for _ in range(30):
            outage.connected("MQTT 5")
            await trio.sleep(5)
            outage.lost(GONE)
    warnings = [text for level, text in said(lines) if level == "warning"]
    assert len(warnings) == 1 + 150 // REPEAT_S
    assert warnings[1] == f"lost the broker: {GONE}; connected again, 13 times so far"


async def test_what_stays_away_after_it_was_said_to_be_there_is_said(outage: Outage, autojump_clock: MockClock) -> None:
    """Within the minute too: the last word must not be that we are connected."""
    with capture_logs() as lines:
        outage.lost(GONE)
        outage.connected("MQTT 5")
        await trio.sleep(SAY_WITHIN_S + 1)
        outage.lost(GONE)
        for _ in range(6):
            outage.failed(NOBODY)
            await trio.sleep(AWAY_S / 4)
    assert [level for level, _text in said(lines)] == ["warning", "info", "warning"]
    assert said(lines)[-1][1] == f"cannot reach the broker: {NOBODY}; still trying, 7 times so far"


async def test_a_connection_that_lasted_ends_a_trouble(outage: Outage, autojump_clock: MockClock) -> None:
    """The next loss is a new one, within the minute too."""
    with capture_logs() as lines:
        for _ in range(2):
            outage.over()
            outage.lost(SILENCE)
            outage.connected("MQTT 5")
    assert [level for level, _text in said(lines)] == ["warning", "info"] * 2


async def test_a_rivals_line_holds_the_loss(outage: Outage, autojump_clock: MockClock) -> None:
    """One line, when it was found out soon; we are connected when a connection lasts."""
    with capture_logs() as lines:
        outage.lost(GONE)
        for _ in range(3):
            outage.connected("MQTT 5")
            await trio.sleep(0.1)
            outage.contested("the broker is full")
        outage.connected("MQTT 5")
        await trio.sleep(SAY_WITHIN_S + 0.1)
    text = f"lost the broker: {GONE}; the broker is full"
    assert said(lines) == [("error", text), ("info", "connected, MQTT 5")]


async def test_a_broker_that_goes_away_after_a_rival_is_no_secret(outage: Outage, autojump_clock: MockClock) -> None:
    """Once a minute, as ever."""
    with capture_logs() as lines:
        outage.lost(GONE)
        outage.contested("the broker is full")
        for _ in range(10):
            await trio.sleep(REPEAT_S / 4)
            outage.failed(NOBODY)
    text = f"cannot reach the broker: {NOBODY}; still trying"
    assert [event.startswith(text) for _level, event in said(lines)[1:]] == [True, True]


@pytest.mark.parametrize("host_is_away", [True, False])
async def test_the_hosts_own_line_speaks_for_all_connections(autojump_clock: MockClock, host_is_away: bool) -> None:
    """An ear's is said only when it alone is lost."""
    async with trio.open_nursery() as nursery:
        ear = Outage("coffin", lambda: host_is_away)
        nursery.start_soon(ear.run)
        with capture_logs() as lines:
            ear.connected("MQTT 5")
            ear.lost(GONE)
            ear.failed(NOBODY)
            await trio.sleep(SAY_WITHIN_S + 0.1)
            ear.connected("MQTT 5")
        nursery.cancel_scope.cancel()
    text = f"coffin: lost the broker: {GONE}; it cannot be reached again: {NOBODY}; trying again"
    alone = [("warning", text), ("info", "coffin: connected, MQTT 5")]
    assert said(lines) == [("info", "coffin: connected, MQTT 5"), *([] if host_is_away else alone)]
