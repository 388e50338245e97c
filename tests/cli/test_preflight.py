"""`preflight` finds what would go wrong tonight, and is content with a house that is well."""

from __future__ import annotations

from tests.cli.stand_in import StandIn, ack, done, health, panic_report, status
from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto, free_port

WORKER = """
import attrs
from halloween_host import BaseWorker
@attrs.frozen
class Config:
    duration_ms: int = 500
class Worker(BaseWorker[Config]): ...
"""
ONLINE = {**health(), "availability": "online"}


async def well(host: StandIn) -> None:
    """A house without a fault."""
    host.answers["worker_host", "status"] = status({"coffin": ONLINE})
    host.answers["coffin", "ping"] = done("pong")
    await host.have("coffin", "online", health())


async def test_a_house_that_is_well(wired: Terminal, broker: Mosquitto) -> None:
    """Status 0, a line for each look, all of them well."""
    wired.write_worker("coffin", WORKER, config="duration_ms: 3\n")
    async with StandIn(broker) as host:
        await well(host)
        finished = await wired.run("preflight", "--builtins", "props")
    rows = [line.split("\t") for line in finished.out.splitlines()]
    assert finished.status == 0, finished.out + finished.err
    assert [row[:2] for row in rows] == [
        [name, "well"] for name in ("host", "clock", "client ids", "retained", "coffin", "configs")
    ]
    assert rows[4][2].startswith("answered in ")


async def test_everything_that_can_be_found(wired: Terminal, broker: Mosquitto) -> None:
    """Status 1; panic, clock, an offline, a degraded, a silent and a failing prop, a retained command and a config's key."""
    wired.write_worker("coffin", WORKER, config="duration_m: 3\n")
    await broker.publish("halloween/fogger/cmd", "fire 500", retain=True)
    workers = {
        "coffin": {**health("offline", reason="crashed"), "availability": "offline"},
        "lift": {**health("degraded", reason="restarted 3 s ago"), "availability": "online"},
        "fogger": ONLINE,
        "spider": ONLINE,
        "ghost": ONLINE,
        "lamp": ONLINE,
    }
    async with StandIn(broker) as host:
        host.answers["worker_host", "status"] = status(workers)
        host.skew_s = -45
        host.answers["lift", "ping"] = done()
        host.answers["spider", "ping"] = [ack("failed", error="OSError: no bus")]
        host.answers["ghost", "ping"] = [ack("refused", error="no handler; it has: fire")]
        host.answers["lamp", "ping"] = done()
        for prop_id in workers.keys() - {"lamp"}:
            await host.have(prop_id, "online")
        await host.have("lamp", "offline")
        await host.say("halloween/worker_host/status/panic", panic_report())
        finished = await wired.run("preflight", "--timeout", "1")
    assert finished.status == 1
    seen = {tuple(line.split("\t")[:2]): line.split("\t")[2] for line in finished.out.splitlines()}
    assert "s behind this one" in seen["clock", "found"]
    assert not any("ts" in payload for _, payload in host.heard)  # that very host would refuse it
    assert "smoke" in seen["panic", "found"]
    assert seen["retained", "found"] == "a command waits on halloween/fogger/cmd for everybody: fire 500"
    assert "restarted 3 s ago" in seen["lift", "found"]
    assert seen["fogger", "found"] == "no answer to ping in 1 s"
    assert "OSError: no bus" in seen["spider", "found"]
    assert "(no handler; it has: fire)" in seen["ghost", "well"]
    assert seen["lamp", "found"] == "the host has it as online, the broker as offline"
    lines = [line for line in finished.out.splitlines() if line.startswith("coffin\tfound\t")]
    assert any("offline: crashed" in line for line in lines)
    assert any("props/coffin/backend/config.yaml:1" in line for line in lines)
    assert "deleted" not in finished.out


async def test_retained_commands_are_deleted_on_yes(wired: Terminal, broker: Mosquitto) -> None:
    """Piped, only with --yes; on a terminal after a question, whose answer decides."""
    async with StandIn(broker) as host:
        await well(host)
        await broker.publish("halloween/coffin/cmd", "open", retain=True)
        assert "deleted" not in (await wired.run("preflight")).out
        refused = await wired.at_tty("preflight", types="n\n")
        agreed = await wired.at_tty("preflight", types="y\n")
        assert (await wired.run("preflight")).status == 0
        await broker.publish("halloween/coffin/cmd", "open", retain=True)
        at_once = await wired.run("preflight", "--yes")
        assert (await wired.run("preflight")).status == 0
    assert "delete 1 retained command? [y/N]" in refused.out
    assert "deleted" not in refused.out
    assert "\x1b[1;31mfound" in agreed.out
    assert "deleted: halloween/coffin/cmd" in agreed.out
    assert at_once.status == refused.status == agreed.status == 1
    assert "deleted: halloween/coffin/cmd" in at_once.out


async def test_two_hosts_are_found(wired: Terminal, broker: Mosquitto) -> None:
    """By two answers to one question, and by a client id that changes hands meanwhile."""
    async with StandIn(broker) as host, StandIn(broker) as other:
        await well(host)
        await well(other)
        await host.say("halloween/worker_host/nonce/halloween-attic", {"nonce": "a", "host": "attic"})
        running = await wired.start("preflight")
        await host.wait_heard("status")
        await host.say("halloween/worker_host/nonce/halloween-attic", {"nonce": "b", "host": "cellar"})
        finished = await running.end()
    assert finished.status == 1
    assert "client ids\tfound\t2 hosts answer on this broker" in finished.out
    assert "halloween-attic was taken over while we looked" in finished.out
    assert "coffin\tfound\t2 workers answer for it" in finished.out


async def test_without_a_host_every_prop_is_red(wired: Terminal, broker: Mosquitto) -> None:
    """What the broker still has of them is shown; nobody answers."""
    async with StandIn(broker, online=False) as host:
        await host.have("coffin", "offline", health("online"))
        finished = await wired.run("preflight", "--timeout", "0.5")
    assert finished.status == 1
    assert "host\tfound\tno answer in 0.5 s" in finished.out
    assert "coffin\tfound\toffline; nobody answers for it" in finished.out
    assert "configs\t-\tnot looked at" in finished.out


async def test_without_a_broker_it_is_one_line(terminal: Terminal) -> None:
    """Status 1, address and cause."""
    finished = await terminal.run("preflight", "--broker", f"127.0.0.1:{free_port()}")
    assert (finished.status, finished.out) == (1, "")
    assert "nothing listens there" in finished.err
