"""Without `MQTT_HOST` the host brings a broker along, which answers to the documented `mosquitto_sub` and dies with the host."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs

import halloween_host
from tests.broker.processes import broker_process, listening_addresses
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import until
from tests.mosquitto import Listener, Mosquitto, free_port, program

LAMP = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.status("lamp", "is lit", retain=True)
"""


#: Mosquitto is looked for past the PATH too, so an environment alone cannot hide it.
HIDES_MOSQUITTO = """\
import shutil

which = shutil.which
shutil.which = lambda name, *rest, **named: None if name == "mosquitto" else which(name, *rest, **named)
"""


def listen(port: int, topic_filter: str) -> Listener:
    """A `mosquitto_sub` on a broker that is not this test's own."""
    command = [program("stdbuf"), "-oL", program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port)]
    return Listener(command, [topic_filter])


def answers(port: int) -> bool:
    """Whether anything accepts a connection there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


async def test_it_is_up_and_ends_with_the_host(haunt: Haunt) -> None:
    """`--broker embedded:<port>`: a line names it, mosquitto_sub hears the worker, and at the end it is gone."""
    haunt.prop("lamp", LAMP)
    port = free_port()
    async with haunt.host(None, "--broker", f"embedded:{port}") as host:
        await host.expect_log("mbedded broker", str(port))
        async with listen(port, "halloween/lamp/#") as listener:
            await listener.expect("halloween/lamp/status/availability online", within_s=30)
            await listener.expect("halloween/lamp/status/lamp is lit")
            host.signal(signal.SIGTERM)
            await listener.expect("halloween/lamp/status/availability offline")
        await host.wait(0)
        await until(lambda: not answers(port), "the broker ends with its host")


async def test_it_dies_with_a_host_that_is_killed(haunt: Haunt) -> None:
    """SIGKILL, which nobody can handle, ends the broker too."""
    haunt.prop("lamp", LAMP)
    port = free_port()
    async with haunt.host(None, "--broker", f"embedded:{port}") as host:
        await host.expect_log("online", "lamp")
        assert answers(port)
        host.signal(signal.SIGKILL)
        await host.wait(-signal.SIGKILL)
        await until(lambda: not answers(port), "the broker dies with its host")


async def test_it_listens_on_the_loopback_only(haunt: Haunt) -> None:
    """No other machine reaches it, and its log is ours at debug level."""
    haunt.prop("lamp", LAMP)
    port = free_port()
    async with haunt.host(None, "--broker", f"embedded:{port}", LOG_LEVEL="DEBUG") as host:
        await host.expect_log("online", "lamp")
        assert listening_addresses(port) == {"127.0.0.1"}
        assert host.matching("debug", "mosquitto")
        await host.stop()


async def test_it_comes_back_when_it_dies(haunt: Haunt) -> None:
    """A broker of ours that is killed is started again, and the workers are online there."""
    haunt.prop("lamp", LAMP)
    port = free_port()
    async with haunt.host(None, "--broker", f"embedded:{port}") as host:
        await host.expect_log("online", "lamp")
        broker_process(psutil.Process(host.pid)).kill()
        await host.expect_log("warning", "broker is gone")
        await until(lambda: answers(port), "it is started again")
        async with listen(port, "halloween/lamp/#") as listener:
            await listener.expect("halloween/lamp/status/availability online", within_s=40)
        await host.stop()


async def test_a_broker_that_answers_already_is_used(haunt: Haunt, broker: Mosquitto) -> None:
    """Without `MQTT_HOST` a broker that is there on that port of localhost is joined, and a line says so."""
    haunt.prop("lamp", LAMP)
    async with broker.listen("halloween/lamp/#") as listener, haunt.host(None, MQTT_PORT=str(broker.port)) as host:
        await host.expect_log("already answers", str(broker.port))
        await listener.expect("halloween/lamp/status/availability online", within_s=30)
        await host.stop()
        assert broker.running


async def test_a_port_held_by_a_stranger(haunt: Haunt) -> None:
    """A port held by something that is no broker ends the start with one line that says how to choose another."""
    haunt.prop("lamp", LAMP)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        async with haunt.host(None, "--broker", f"embedded:{port}") as host:
            await host.wait(1)
            (line,) = host.matching(f"127.0.0.1:{port}")
            assert "--broker embedded:" in line
            assert "Traceback" not in host.log


async def test_amqtt_serves_where_mosquitto_is_not_installed(haunt: Haunt, tmp_path: Path) -> None:
    """Then amqtt's own command is the broker: it knows no MQTT 5, 3.1.1 is spoken, and the worker is online."""
    haunt.prop("lamp", LAMP)
    port = free_port()
    (tmp_path / "sitecustomize.py").write_text(HIDES_MOSQUITTO)
    environ = {"PYTHONPATH": f"{tmp_path}:{Path(halloween_host.__file__).parents[1]}"}
    async with haunt.host(None, "--broker", f"embedded:{port}", **environ) as host:
        await host.expect_log("mbedded broker amqtt", str(port))
        await host.expect_log("connected, MQTT 3.1.1")
        async with listen(port, "halloween/lamp/#") as listener:
            await listener.expect("halloween/lamp/status/availability online", within_s=30)
            await listener.expect("halloween/lamp/status/lamp is lit")
            host.signal(signal.SIGTERM)
            await listener.expect("halloween/lamp/status/availability offline")
        await host.wait(0)
