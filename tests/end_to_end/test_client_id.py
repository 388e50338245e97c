"""Another client with our client id is named in one line, and not fought with for ever."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio

from tests.end_to_end.haunt import Haunt, words_of
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
            assert stranger.connections >= 2
            before = connections(broker, "pumpkin")
            await trio.sleep(3)  # nothing can be waited for: what is claimed is that little happens
            assert connections(broker, "pumpkin") - before < 10, "they fight"
        assert len(host.matching("another client uses our client id")) == 1
        await host.stop()


async def test_a_second_host_with_our_client_id(haunt: Haunt, broker: Mosquitto, tmp_path: Path) -> None:
    """Taken over for certain, the older host leaves the props to the newer one: one line, no `offline`, exit status 75."""
    haunt.prop("lamp", LAMP)
    (tmp_path / "second").mkdir()
    other = Haunt(tmp_path / "second")
    other.prop("lamp", LAMP)
    async with haunt.host(broker, MQTT_CLIENT_ID="pumpkin") as first:
        await first.expect_log("online", "lamp")
        async with other.host(broker, MQTT_CLIENT_ID="pumpkin") as second:
            await first.wait(75)
            lines = first.matching("another host has our client id 'pumpkin'")
            assert len(lines) == 1
            assert "MQTT_CLIENT_ID" in lines[0]
            async with broker.listen("halloween/#") as listener:
                await listener.expect("halloween/lamp/status/availability online")
                for _ in range(20):  # the newer host may just be on its way back
                    await broker.publish("halloween/lamp/cmd", "ping hello")
                    with suppress(AssertionError):
                        await listener.expect("halloween/lamp/telemetry/pong hello", within_s=0.5)
                        break
                else:
                    raise AssertionError("the newer host does not answer")
                assert "offline" not in words_of(listener, "lamp")
            await second.stop()


async def test_a_broker_that_merely_restarts(haunt: Haunt, broker: Mosquitto) -> None:
    """Restarts in a row, each within 5 s of our CONNACK or not, are joined again; once each connection lasted nobody is accused."""
    haunt.prop("lamp", LAMP)
    async with haunt.host(broker, MQTT_CLIENT_ID="pumpkin") as host:
        await host.expect_log("online", "lamp")
        for _ in range(2):
            broker.restart()  # what was retained is forgotten
            async with broker.listen("halloween/lamp/status/availability") as listener:
                await listener.expect("halloween/lamp/status/availability online")
        assert not host.matching("another client uses our client id")
        await host.stop()
