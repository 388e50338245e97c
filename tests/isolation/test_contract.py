"""An isolated worker is to the broker what any other is, and its process tells nobody what it must not."""

from __future__ import annotations

from tests.conftest import MakeMosquitto
from tests.end_to_end.haunt import Haunt, beginning
from tests.end_to_end.process import HostProcess
from tests.isolation.processes import command_lines, done, family_of, health_where
from tests.isolation.workers import ASYNCIO
from tests.mosquitto import Mosquitto


async def test_the_same_contract(haunt: Haunt, broker: Mosquitto) -> None:
    """Commands, acks, questions, the store and the cool-downs: all as in the host's own process, and over a restart."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker, NOTIFY_SOCKET="/nowhere") as host:
        health = await health_where(phone, "coffin", lambda it: it["state"] == "online")
        assert health["isolated"] is True
        assert health["presence"] is True
        assert health["pid"] in [each.pid for each in family_of(host)]
        await phone.expect("halloween/coffin/telemetry/starts 1")
        await phone.expect("halloween/coffin/telemetry/notify null")
        await done(broker, phone, "coffin", "ping", "who", result="who")
        await done(broker, phone, "coffin", "ask", result="from coffin")
        await done(broker, phone, "coffin", "rest")
        await done(broker, phone, "coffin", "knock", outcome="refused")
        await done(broker, phone, "worker_host", "restart", "coffin")
        await phone.expect("halloween/coffin/telemetry/stopped true")
        await phone.expect("halloween/coffin/telemetry/starts 2")
        await done(broker, phone, "coffin", "rest", outcome="refused")
        assert len(host.matching("info", "coffin", "the lid creaks")) == 2
        await host.stop()


async def test_stopped_and_started(haunt: Haunt, broker: Mosquitto) -> None:
    """A worker that the operator stopped has no process, refuses what is sent to it, and shows so in `status`."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        assert len(family_of(host)) == 2
        shown = await haunt.order(broker, "status")
        assert "\tnative, isolated, pid " in shown
        await done(broker, phone, "worker_host", "stop", "coffin")
        assert family_of(host) == []
        await done(
            broker, phone, "coffin", "ping", outcome="refused", error="the worker is offline: stopped by the operator"
        )
        await done(broker, phone, "worker_host", "start", "coffin")
        await done(broker, phone, "coffin", "ping")
        await host.stop()


async def test_asyncio(haunt: Haunt, broker: Mosquitto) -> None:
    """An asyncio worker of 2025, isolated by a variable, runs unchanged."""
    haunt.prop("clock", ASYNCIO)
    async with broker.listen("halloween/#") as phone, haunt.host(broker, WORKER_ISOLATE="clock") as host:
        await health_where(phone, "clock", lambda it: it["state"] == "online" and it["isolated"])
        await phone.expect("halloween/clock/telemetry/tick 1")
        await broker.publish("halloween/clock/cmd", "ping hello")
        await phone.expect("halloween/clock/telemetry/pong hello")
        await host.stop()


async def test_no_secret_on_a_command_line(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """Password and config go by a pipe and the environment, which other users of the machine cannot read."""
    secret, token = "open-sesame-3141", "tok-2718"
    (haunt.props / "coffin" / "backend" / "config.yaml").write_text(f"token: {token}\n")
    broker = make_mosquitto(users={"haunt": secret})
    environ = {"MQTT_USERNAME": "haunt", "MQTT_PASSWORD": secret, "LOG_LEVEL": "DEBUG"}
    async with broker.listen("halloween/#") as phone, haunt.host(broker, **environ) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        ours = [line for line in command_lines() if "halloween_host" in line]
        assert any("isolated coffin" in line for line in ours)
        assert not [line for line in ours if secret in line or token in line]
        await host.stop()
    assert not host.matching(secret)


async def test_shown_and_checked(haunt: Haunt, broker: Mosquitto) -> None:
    """`list` and `check` say who is isolated; a name that nobody has is one line with what was meant."""
    assert "coffin\tnative, isolated\t" in await haunt.order(broker, "list", "--builtins", "builtins")
    told = {"WORKER_ISOLATE": "tiker"}
    async with HostProcess("check", "--builtins", "builtins", environ=told, folder=haunt.folder) as command:
        await command.wait(0)
    checked = command.log
    assert "OK coffin: native, isolated, " in checked
    assert "OK ticker: native, props" in checked
    assert "warning: WORKER_ISOLATE names 'tiker': there is no such worker; did you mean 'ticker'?" in checked


async def test_a_file_that_no_longer_loads(haunt: Haunt, broker: Mosquitto) -> None:
    """What the process cannot load is that worker's crash, told like any other's."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        (haunt.props / "coffin" / "backend" / "worker.py").write_text("import nothing_of_that_name\n")
        await broker.publish("halloween/worker_host/cmd", "restart coffin")
        error = await phone.expect(beginning("halloween/coffin/status/error its process does not load it: "))
        assert "nothing_of_that_name" in error
        assert "worker.py:1" in error
        await done(broker, phone, "ticker", "ping")
        await host.stop()
