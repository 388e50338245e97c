"""`watch` shows what goes over the broker, a line a message, whatever is in it and however often the broker goes."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path

import pytest

from halloween_host.cli._lines import Lines
from halloween_host.cli._reading import Reading
from halloween_host.cli._watch import _show
from halloween_host.mqtt import Message, Topic
from tests.cli.stand_in import health, panic_report
from tests.cli.terminal import Terminal
from tests.end_to_end.process import until
from tests.mosquitto import Mosquitto


class TerminalStream(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_piped_it_is_time_topic_payload(wired: Terminal, broker: Mosquitto) -> None:
    """Three tab-separated cells without colours, each line at once; Ctrl-C ends it quietly with status 130."""
    await broker.publish("halloween/fogger/status/availability", "online", retain=True)
    running = await wired.start("watch")
    await running.wait_out("availability\tonline\n")
    await broker.publish("halloween/heartbeat/telemetry/tick", "7")
    await broker.publish("other/topic", "unseen")
    await broker.publish("halloween/heartbeat/telemetry/tick", "8")
    await running.wait_out("tick\t8\n")
    running.send(signal.SIGINT)
    finished = await running.end(5)
    assert finished.status == 130
    assert "Traceback" not in finished.err
    moment, topic, payload = finished.out.splitlines()[1].split("\t")
    assert (topic, payload) == ("halloween/heartbeat/telemetry/tick", "7")
    assert len(moment) == len("12:34:56.789")
    assert "unseen" not in finished.out
    assert "\x1b" not in finished.out


async def test_of_one_prop_alone(wired: Terminal, broker: Mosquitto) -> None:
    """`watch fogger` leaves the others out."""
    await broker.publish("halloween/heartbeat/telemetry/tick", "7", retain=True)
    await broker.publish("halloween/fogger/telemetry/fog", "true", retain=True)
    running = await wired.start("watch", "fogger")
    await running.wait_out("fog\ttrue\n")
    await broker.publish("halloween/fogger/telemetry/fog", "false")
    await running.wait_out("fog\tfalse\n")
    assert "heartbeat" not in running.out


async def test_it_lives_through_a_restart_of_the_broker(wired: Terminal, broker: Mosquitto) -> None:
    """A line on stderr when the broker goes, one when it is back, and the messages after that."""
    running = await wired.start("watch")
    await running.wait_err("connected")
    broker.stop()
    await running.wait_err("lost the broker")
    broker.start()
    await broker.publish("halloween/fogger/telemetry/fog", "true", retain=True)
    await running.wait_out("fog\ttrue\n")


async def test_a_closed_pipe_ends_it_quietly(wired: Terminal, broker: Mosquitto) -> None:
    """`watch | head -1`: when nobody reads any more it ends, with status 0 and without a word."""
    running = await wired.start("watch", LOG_LEVEL="ERROR")
    await broker.publish("halloween/fogger/telemetry/fog", "true", retain=True)
    await running.wait_out("fog\ttrue\n")
    await running.close_out()
    await broker.publish("halloween/fogger/telemetry/fog", "false")
    finished = await running.end(10)
    assert (finished.status, finished.err) == (0, "")


async def test_what_cannot_be_shown_is_escaped(wired: Terminal, broker: Mosquitto) -> None:
    """Neither bytes that are no UTF-8, nor control characters, nor line feeds get through to the terminal."""
    running = await wired.start("watch")
    await broker.publish("halloween/fogger/telemetry/raw", b"\xff\xfe", retain=True)
    await broker.publish("halloween/fogger/telemetry/red", "\x1b[31m\r\n\x9b\u202e", retain=True)
    await running.wait_out("raw\t\\xff\\xfe\n")
    await running.wait_out("red\t\\x1b[31m\\r\\n\\x9b\\u202e\n")
    await broker.publish("halloween/fogger/telemetry/empty", "")
    await running.wait_out("empty\t\n")


async def test_raw_is_byte_for_byte(wired: Terminal, broker: Mosquitto, tmp_path: Path) -> None:
    """With --raw a program gets topic, tab and the very bytes that were published; a closed pipe ends it quietly, too."""
    payload = bytes(range(256)) + "\u202e\x9b".encode()
    await broker.publish("halloween/fogger/telemetry/raw\u2028", payload, retain=True)
    path = tmp_path / "out"
    with path.open("wb") as out:
        running = await wired.start_on(out.fileno(), "watch", "--raw")
        await broker.publish("halloween/worker_host/status/panic", json.dumps(panic_report()))
        expected = b"halloween/fogger/telemetry/raw\xe2\x80\xa8\t" + payload + b"\n"
        await until(lambda: path.stat().st_size >= len(expected), "the message")
        running.send(signal.SIGINT)
        assert (await running.end()).status == 130
    assert path.read_bytes().startswith(expected)
    running = await wired.start("watch", "--raw", LOG_LEVEL="ERROR")
    await running.wait_out("telemetry/raw")
    await running.close_out()
    await broker.publish("halloween/fogger/telemetry/fog", "false")
    finished = await running.end(10)
    assert (finished.status, finished.err) == (0, "")


def test_a_terminal_gets_colours_and_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics have colours by kind; a long payload is cut and its size told; what was retained is marked."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = TerminalStream()
    lines = Lines(stream)
    lines.write("halloween/fogger/status/error", b"x" * 5_000, retained=False)
    lines.write("halloween/fogger/telemetry/fog", b"\x1b[2Jtrue [bold]", retained=True)
    first, second = stream.getvalue().splitlines()
    assert "\x1b[1;31mhalloween/fogger/status/error" in first
    assert "x… (5,000 bytes)" in first
    assert len(first) < 4_300
    assert "\x1b[32mhalloween/fogger/telemetry/fog" in second
    assert "\\x1b[2Jtrue [bold]" in second
    assert "(retained)" in second


async def test_piped_health_stays_json(wired: Terminal, broker: Mosquitto) -> None:
    """A program gets what was published."""
    payload = json.dumps(health("degraded", reason="busy"))
    await broker.publish("halloween/coffin/status/health", payload, retain=True)
    running = await wired.start("watch")
    await running.wait_out(f"health\t{payload}\n")


def test_words_are_for_a_person() -> None:
    """On a terminal, health, acks and panics are sentences; what they quote is escaped."""
    stream, reading = TerminalStream(), Reading()
    acked = b'{"id": 7, "command": "fire", "outcome": "failed", "error": "\\u001b[2Jno fog"}'
    batch = [
        Message(Topic("halloween/coffin/status/health"), json.dumps(health("degraded", reason="busy")).encode()),
        Message(Topic("halloween/coffin/ack"), acked),
        Message(Topic("halloween/worker_host/status/panic"), json.dumps(panic_report()).encode()),
    ]
    _show(Lines(stream), reading, batch, None)
    first, second, third = stream.getvalue().splitlines()
    assert "degraded for" in first
    assert "{" not in first
    assert "fire failed: \\x1b[2Jno fog  #7" in second
    assert "PANIC by cli" in third


async def test_of_one_prop_it_still_knows_the_host(wired: Terminal, broker: Mosquitto) -> None:
    """The host's availability decides what a prop's online means; of its own it is not shown there."""
    await broker.publish("halloween/worker_host/status/availability", "offline", retain=True)
    await broker.publish("halloween/spider/status/health", json.dumps(health(presence=False)), retain=True)
    running = await wired.start("watch", "spider")
    await running.wait_out("health\t{")
    await broker.publish("halloween/spider/status/availability", "online", retain=True)
    await running.wait_out("availability\tonline\n")
    assert "worker_host" not in running.out
