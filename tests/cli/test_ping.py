"""`ping` tells that host or worker answers, and how fast."""

from __future__ import annotations

from tests.cli.stand_in import StandIn, ack, done
from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto


async def test_the_host_or_a_prop_answers(wired: Terminal, broker: Mosquitto) -> None:
    """Who answered in how many ms; what a prop's do_ping returned stands behind."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "ping"] = [ack("done", result="pong")]
        host.answers["coffin", "ping"] = done({"lid": "closed"})
        itself = await wired.run("ping")
        prop = await wired.run("ping", "coffin")
    assert (itself.status, prop.status) == (0, 0)
    assert itself.out.startswith("worker_host answered in ")
    assert itself.out.endswith(" ms\n")
    assert prop.out.startswith("coffin answered in ")
    assert prop.out.endswith(' ms ({"lid":"closed"})\n')
    assert [payload["id"] for _, payload in host.heard]


async def test_a_prop_that_is_away_or_refuses(wired: Terminal, broker: Mosquitto) -> None:
    """3 with the host's reason; 4 with what the broker knows of prop and host."""
    async with StandIn(broker) as host:
        host.answers["coffin", "ping"] = [ack("refused", error="offline: crashed")]
        await host.have("fogger", "offline")
        refused = await wired.run("ping", "coffin")
        silent = await wired.run("ping", "fogger", "--timeout", "0.4")
        unknown = await wired.run("ping", "foger", "--timeout", "0.4")
    assert (refused.status, silent.status, unknown.status) == (3, 4, 4)
    assert "coffin refused ping: offline: crashed" in refused.err
    assert "fogger is offline and the host is online there" in silent.err
    assert "foger was never online there" in unknown.err
