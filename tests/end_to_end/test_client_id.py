"""Another client with our client id is named in one line, and not fought with for ever."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import until
from tests.end_to_end.stranger import Stranger
from tests.mosquitto import Mosquitto

LAMP = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""


def connections(broker: Mosquitto, client_id: str) -> int:
    """How often that client id was taken at the broker, by whomever."""
    return broker.log().count(f" as {client_id} ")


async def test_a_stranger_with_our_client_id(haunt: Haunt, broker: Mosquitto) -> None:
    """After three short connections it is said once, with what to do; from then on the host comes back slowly."""
    haunt.prop("lamp", LAMP)
    async with haunt.host(broker, MQTT_CLIENT_ID="pumpkin") as host:
        await host.expect_log("online", "lamp")
        async with Stranger(broker.port, "pumpkin") as stranger:
            line = await host.expect_log("error", "another client uses our client id 'pumpkin'")
            assert "MQTT_CLIENT_ID" in line
            assert stranger.connections >= 3
            before = connections(broker, "pumpkin")
            await trio.sleep(3)  # nothing can be waited for: what is claimed is that little happens
            assert connections(broker, "pumpkin") - before < 10, "they fight"
        assert len(host.matching("another client uses our client id")) == 1
        await host.stop()


async def test_a_second_host_with_our_client_id(haunt: Haunt, broker: Mosquitto, tmp_path: Path) -> None:
    """Hosts under one client id find each other out by the nonce each publishes: it is said, and by nobody more than once."""
    haunt.prop("lamp", LAMP)
    (tmp_path / "second").mkdir()
    other = Haunt(tmp_path / "second")
    other.prop("fogger", LAMP)
    said = "another client uses our client id 'pumpkin'"
    async with (
        haunt.host(broker, MQTT_CLIENT_ID="pumpkin") as first,
        other.host(broker, MQTT_CLIENT_ID="pumpkin") as second,
    ):
        await until(lambda: bool(first.matching(said) or second.matching(said)), "a line in one of the logs")
        for host in (first, second):
            await host.stop()
            assert len(host.matching(said)) <= 1
            assert all("MQTT_CLIENT_ID" in line and "error" in line for line in host.matching(said))


async def test_a_broker_that_merely_restarts(haunt: Haunt, broker: Mosquitto) -> None:
    """Restarts in a row, each within 5 s of our CONNACK or not, are joined again; once each connection lasted nobody is accused."""
    haunt.prop("lamp", LAMP)
    async with haunt.host(broker, MQTT_CLIENT_ID="pumpkin") as host:
        await host.expect_log("online", "lamp")
        for _ in range(2):
            lines = len(host.lines)
            broker.restart()
            await host.expect_log("connected, MQTT", after=lines)
        assert not host.matching("another client uses our client id")
        await host.stop()
