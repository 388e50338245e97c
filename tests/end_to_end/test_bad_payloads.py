"""Whatever is sent to a `cmd` topic is a command or one line on `status/error`; it never reaches what is not meant for it."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.haunt import Haunt, beginning, heard_of, holding
from tests.mosquitto import Mosquitto

NATIVE = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("life", "start")

    async def stop(self):
        self.telemetry("life", "stop")
        await super().stop()

    async def _ticker(self):
        self.telemetry("life", "_ticker")

    async def do_ping(self, arg: str | None):
        self.telemetry("pong", arg or "ok")

    async def do_heat(self, degrees: int):
        self.telemetry("heat", degrees)
"""

LEGACY = NATIVE.replace("halloween_host", "worker_host.base").replace("degrees: int", "degrees")

DEEP = b'{"action": "ping", "args": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
#: What is sent, and what the line on status/error holds (None: no line at all, it is a command).
BAD = [
    (b"", "empty"),
    (b"  \n ", "empty"),
    (b"ping " + b"x" * 1_048_576, "1,048,581 bytes"),
    (b"ping \xff\xfe", "UTF-8"),
    (DEEP, "bytes"),
    (b'{"action": "ping", "args": ' + b"[" * 500 + b"]" * 500 + b"}", "deep"),
    (b'{"action": "ping"', "JSON"),
    (b'{"args": 1}', "action"),
    (b'{"action": 5}', "5"),
    (b'{"action": null}', "null"),
    (b'{"action": "ping", "args": NaN}', "NaN"),
    (b"[1, 2]", "no action"),
    (b"42", "no action"),
    (b"__init__", "_"),
    (b"_ticker", "_"),
    (b'{"action": "__class__"}', "_"),
    (b"start", "start: no such action"),
    (b"stop", "stop: no such action"),
    (b'{"action": "stop", "args": null}', "stop: no such action"),
    (b"pnig", "did you mean 'ping'"),
    (b"\x00", "no action"),
]


@pytest.mark.parametrize("source", [pytest.param(NATIVE, id="native"), pytest.param(LEGACY, id="legacy")])
async def test_bad_payloads(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """Empty, 1 MiB, no UTF-8, deep JSON, no or a wrong `action`, dunders, private names and the life cycle's own: each is
    one line on `status/error` without a traceback, and the worker answers as before."""
    haunt.prop("lamp", source)
    async with broker.listen("halloween/lamp/+/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/lamp/telemetry/life start", within_s=30)
        for payload, said in BAD:
            await broker.publish("halloween/lamp/cmd", payload)
            error = await listener.expect(beginning("halloween/lamp/status/error"))
            assert said in error, f"{payload[:40]!r}: {error}"
        await broker.publish("halloween/lamp/cmd", "ping alive")
        await listener.expect("halloween/lamp/telemetry/pong alive")
        said_by_it = [line for line in heard_of(listener, "lamp") if not line.startswith("cmd")]
        assert sum(line.startswith("status/error") for line in said_by_it) == len(BAD)
        assert [line for line in said_by_it if "life" in line] == ["telemetry/life start"]
        assert "status/availability offline" not in said_by_it[1:]
        assert "Traceback" not in host.log
        assert max(map(len, host.lines)) < 10_000, "a payload's megabyte stands in the log"


async def test_an_argument_that_does_not_fit(haunt: Haunt, broker: Mosquitto) -> None:
    """A native handler's annotation refuses what does not fit with action, expected and got; the handler does not run."""
    haunt.prop("lamp", NATIVE)
    async with broker.listen("halloween/lamp/+/#") as listener, haunt.host(broker):
        await listener.expect("halloween/lamp/telemetry/life start", within_s=30)
        for payload in (
            "heat warm",
            "heat",
            "heat 2.9",
            '{"action": "heat", "args": true}',
            '{"action": "heat", "args": [1]}',
        ):
            await broker.publish("halloween/lamp/cmd", payload)
            error = await listener.expect(beginning("halloween/lamp/status/error heat: "))
            assert "whole number" in error, error
        await broker.publish("halloween/lamp/cmd", "heat 21")
        await listener.expect("halloween/lamp/telemetry/heat 21")
        assert len([line for line in heard_of(listener, "lamp") if line.startswith("telemetry/heat")]) == 1


async def test_a_retained_command(haunt: Haunt, broker: Mosquitto) -> None:
    """A command that the broker kept is refused with a line that says how to delete it: at every reconnect it would fire again."""
    haunt.prop("lamp", NATIVE)
    await broker.publish("halloween/lamp/cmd", "ping retained", retain=True)
    async with broker.listen("halloween/lamp/status/#", "halloween/lamp/telemetry/#") as listener, haunt.host(broker):
        await listener.expect("halloween/lamp/telemetry/life start", within_s=30)
        await listener.expect(holding("halloween/lamp/status/error ", "retained"))
        await broker.publish("halloween/lamp/cmd", "ping fresh")
        await listener.expect("halloween/lamp/telemetry/pong fresh")
        assert not [line for line in heard_of(listener, "lamp") if line == "telemetry/pong retained"]


async def test_a_prop_that_does_not_exist(haunt: Haunt, broker: Mosquitto) -> None:
    """A `cmd` for nobody is mentioned once, with "did you mean", and changes nothing."""
    haunt.prop("lamp", NATIVE)
    async with broker.listen("halloween/lamp/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/lamp/telemetry/life start", within_s=30)
        for _ in range(3):
            await broker.publish("halloween/lmap/cmd", "ping")
        await broker.publish("halloween/lamp/cmd", "ping")
        await listener.expect("halloween/lamp/telemetry/pong ok")
        (line,) = host.matching("lmap")
        assert "did you mean 'lamp'" in line


ODD_TOPICS = (
    "halloween//cmd",
    "halloween/lamp",
    "halloween/lamp/cmd/",
    "halloween/lamp/cmd/ping",
    "halloween/lamp//cmd",
    "/halloween/lamp/cmd",
    "halloween/ lamp/cmd",
    "halloween/LAMP/cmd",
    "halloween/lämp 💀/cmd",
    "halloween/\u202eevil\u2028new line/cmd",
    "halloween/../cmd",
    "halloween/$SYS/cmd",
    "halloween/worker_host/cmd",
    f"halloween/{'x' * 60_000}/cmd",
)


async def test_odd_topics(haunt: Haunt, broker: Mosquitto) -> None:
    """Topics with empty, foreign, strange and endless levels neither reach a worker nor break the log, and the host goes on."""
    haunt.prop("lamp", NATIVE)
    async with broker.listen("halloween/lamp/telemetry/#") as listener, haunt.host(broker, LOG_FORMAT="json") as host:
        await listener.expect("halloween/lamp/telemetry/life start", within_s=30)
        for topic in ODD_TOPICS:
            await broker.publish(topic, "ping")
        await broker.publish("halloween/lamp/cmd", "ping alive")
        await listener.expect("halloween/lamp/telemetry/pong alive")
        assert [line for line in listener.lines if "pong" in line] == ["halloween/lamp/telemetry/pong alive"]
        assert all(len(line) < 10_000 and line.isprintable() for line in host.lines)
        assert all(json.loads(line) for line in host.lines)
        await host.stop()
