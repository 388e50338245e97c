"""`health` is 0 only when broker and host both say that the host lives."""

from __future__ import annotations

import trio

from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto, free_port

AVAILABILITY = "halloween/worker_host/status/availability"
UPTIME = "halloween/worker_host/uptime"


async def test_a_host_that_is_online_and_speaks_is_alive(wired: Terminal, broker: Mosquitto) -> None:
    """Status 0 as soon as both were heard."""
    await broker.publish(AVAILABILITY, "online", retain=True)
    running = await wired.start("health")
    async with trio.open_nursery() as nursery:

        async def speak() -> None:
            while True:
                await broker.publish(UPTIME, "40", qos=0)
                await trio.sleep(0.1)

        nursery.start_soon(speak)
        finished = await running.end(10)
        nursery.cancel_scope.cancel()
    assert (finished.status, finished.err) == (0, "")
    assert "alive for 40 s" in finished.out


async def test_a_host_that_does_not_speak_is_not_alive(wired: Terminal, broker: Mosquitto) -> None:
    """`online` alone is what a frozen host leaves behind; a retained uptime is no sign of life either."""
    await broker.publish(AVAILABILITY, "online", retain=True)
    await broker.publish(UPTIME, "40", retain=True)
    finished = await wired.run("health", "--timeout", "0.7")
    assert (finished.status, finished.out) == (1, "")
    assert len(finished.err.splitlines()) == 1
    assert "no uptime came in 0.7 s" in finished.err


async def test_a_host_that_left_is_not_alive(wired: Terminal, broker: Mosquitto) -> None:
    """`offline`, by its own word or its will, and a broker that knows no host are each said."""
    unknown = await wired.run("health", "--timeout", "0.5")
    await broker.publish(AVAILABILITY, "offline", retain=True)
    offline = await wired.run("health", "--timeout", "0.5")
    assert unknown.status == offline.status == 1
    assert "knows no host" in unknown.err
    assert "has the host as offline" in offline.err


async def test_without_its_broker_nothing_is_healthy(terminal: Terminal) -> None:
    """Status 1 at once, in a line with the address."""
    finished = await terminal.run("health", "--broker", f"127.0.0.1:{free_port()}")
    assert (finished.status, finished.out) == (1, "")
    assert len(finished.err.splitlines()) == 1
