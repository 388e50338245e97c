"""`list --live` reads the broker as it must be read: availability is the truth, health may be stale."""

from __future__ import annotations

from tests.cli.stand_in import StandIn, health, panic_report
from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto


async def test_a_line_for_each_prop_on_the_broker(wired: Terminal, broker: Mosquitto) -> None:
    """With a host that is online, health explains; a firmware that only has an availability has nine cells, too."""
    async with StandIn(broker) as host:
        await host.have("coffin", "online", health("degraded", reason="mailbox over half full"))
        await host.have("fogger", "offline", health("offline", reason="crashed"))
        await host.have("lamp", "online")
        finished = await wired.run("list", "--live")
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.splitlines() == [
        "coffin\tonline\tdegraded\t1700000000.5\t2\tnative\tyes\t0\tmailbox over half full",
        "fogger\toffline\toffline\t1700000000.5\t2\tnative\tyes\t0\tcrashed",
        "lamp\tonline\t-\t-\t-\t-\t-\t-\t-",
    ]


async def test_after_a_kill_health_is_stale_and_borrowed_presence_is_gone(wired: Terminal, broker: Mosquitto) -> None:
    """The will said offline: health is stale. Without a connection of its own, a prop's online went with the host's."""
    async with StandIn(broker, online=False) as host:
        await host.say("halloween/worker_host/status/availability", "offline")
        await host.have("coffin", "offline", health("online"))
        await host.have("spider", "online", health("online", presence=False))
        await host.say("halloween/worker_host/status/panic", panic_report())
        finished = await wired.run("list", "--live")
    assert finished.status == 0
    coffin, spider = (line.split("\t") for line in finished.out.splitlines())
    assert coffin[:3] == ["coffin", "offline", "stale"]
    assert coffin[-1] == "stale: availability says offline, its health still says online"
    assert spider[:3] == ["spider", "offline", "stale"]
    assert "only while the host is online" in spider[-1]
    assert "the host is offline" in finished.err
    assert "PANIC by cli" in finished.err


async def test_on_a_terminal_it_is_a_table(wired: Terminal, broker: Mosquitto) -> None:
    """The host first, then heads and colours."""
    async with StandIn(broker) as host:
        await host.have("coffin", "online", health())
        await host.have("fogger", "offline", health())
        finished = await wired.at_tty("list", "--live")
    assert finished.status == 0, finished.err
    assert f"the host is online on 127.0.0.1:{broker.port}" in finished.out
    assert "restarts" in finished.out
    assert "availability says offline" in finished.out
    assert "\x1b[32monline" in finished.out


async def test_what_does_not_go_together_is_wrong_use(wired: Terminal) -> None:
    """--live asks the broker alone, and nothing else asks it."""
    both = await wired.run("list", "--live", "--props", ".")
    idle = await wired.run("list", "--broker", "localhost")
    assert (both.status, idle.status) == (2, 2)
    assert "--props: --live asks the broker alone" in both.err
    assert "--broker: only --live asks a broker" in idle.err
