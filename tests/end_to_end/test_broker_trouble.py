"""A broker that refuses us is named once and tried again, quietly; as soon as it takes us, all is well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import Certificates, make_certificates
from tests.conftest import MakeMosquitto
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import until
from tests.mosquitto import Mosquitto, free_port

LAMP = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""


async def test_a_wrong_password(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """It is said once, not at every try, the password never; once the broker knows that password the worker is online."""
    port = free_port()
    strict = make_mosquitto(port=port, users={"haunt": "right"})
    haunt.prop("lamp", LAMP)
    async with haunt.host(strict, MQTT_USERNAME="haunt", MQTT_PASSWORD="wr0ng-s3cret") as host:
        line = await host.expect_log("warning", f"127.0.0.1:{port}", "trying again")
        assert "authori" in line or "password" in line, line
        await until(lambda: strict.log().count("not authorised") >= 4, "four tries")
        assert len(host.matching(f"127.0.0.1:{port}")) <= 2, "the log is flooded"
        strict.stop()
        lenient = make_mosquitto(port=port, users={"haunt": "wr0ng-s3cret"})
        async with lenient.listen("halloween/lamp/#") as listener:
            await listener.expect("halloween/lamp/status/availability online", within_s=40)
            await lenient.publish("halloween/lamp/cmd", "ping")
            await listener.expect("halloween/lamp/telemetry/pong ok")
        await host.stop()
        assert "wr0ng-s3cret" not in host.log


async def test_the_names_of_2025_for_user_and_password(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """`MQTT_WORKER_USER` and `MQTT_WORKER_PW` serve too."""
    strict = make_mosquitto(users={"haunt": "right"})
    haunt.prop("lamp", LAMP)
    async with haunt.host(strict, MQTT_WORKER_USER="haunt", MQTT_WORKER_PW="right") as host:
        await host.expect_log("online", "lamp")
        await host.stop()


@pytest.fixture
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def test_tls(haunt: Haunt, make_mosquitto: MakeMosquitto, certificates: Certificates) -> None:
    """`MQTT_TLS` with the right `MQTT_CA_FILE` brings the worker online."""
    broker = make_mosquitto(config_lines=certificates.listener)
    haunt.prop("lamp", LAMP)
    async with haunt.host(broker, MQTT_TLS="1", MQTT_CA_FILE=str(certificates.ca)) as host:
        await host.expect_log("online", "lamp")
        await host.stop()


@pytest.mark.parametrize(("case", "said"), [("wrong_ca", "certificate"), ("no_ca", "certificate"), ("no_tls", "")])
async def test_tls_that_fails(
    haunt: Haunt, make_mosquitto: MakeMosquitto, certificates: Certificates, tmp_path: Path, case: str, said: str
) -> None:
    """A certificate of another CA, and plain TCP to a TLS port, are one line without a traceback; the host keeps trying and ends well."""
    broker = make_mosquitto(config_lines=certificates.listener)
    haunt.prop("lamp", LAMP)
    environ = {} if case == "no_tls" else {"MQTT_TLS": "1"}
    if case == "wrong_ca":
        (tmp_path / "other").mkdir()
        environ["MQTT_CA_FILE"] = str(make_certificates(tmp_path / "other", name="another CA").ca)
    async with haunt.host(broker, **environ) as host:
        line = await host.expect_log("warning", str(broker.port), "trying again")
        assert said in line.lower()
        failures = ("OpenSSL Error", "rotocol error")
        await until(lambda: sum(broker.log().count(sign) for sign in failures) >= 3, "three tries")
        assert len(host.matching("trying again")) <= 2, "the log is flooded"
        assert "Traceback" not in host.log
        await host.stop()


async def test_insisting_on_mqtt_3_1_1(haunt: Haunt, broker: Mosquitto) -> None:
    """`MQTT_PROTOCOL=3.1.1` is what the broker then sees, else MQTT 5 is spoken first."""
    haunt.prop("lamp", LAMP)
    for protocol, sign in (("3.1.1", "(p2"), ("auto", "(p5")):
        name = f"host-{protocol}"
        async with haunt.host(broker, MQTT_PROTOCOL=protocol, MQTT_CLIENT_ID=name) as host:
            await host.expect_log("online", "lamp")
            await host.stop()
        (line,) = [
            line for line in broker.log().splitlines() if f" as {name} " in line and "New client connected" in line
        ]
        assert sign in line


async def test_websockets(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """`MQTT_TRANSPORT=websockets` brings the worker online."""
    broker = make_mosquitto(config_lines=[f"listener {free_port()} 127.0.0.1", "protocol websockets"])
    port = broker.log().rpartition("websockets listen socket on port ")[2].split(".")[0]
    haunt.prop("lamp", LAMP)
    async with haunt.host(broker, MQTT_TRANSPORT="websockets", MQTT_PORT=port) as host:
        await host.expect_log("online", "lamp")
        await host.stop()


async def test_the_default_client_id(haunt: Haunt, broker: Mosquitto) -> None:
    """It is `halloween-<hostname>-<6 hex>`, the same at each start."""
    haunt.prop("lamp", LAMP)
    for _ in range(2):
        async with haunt.host(broker) as host:
            await host.expect_log("online", "lamp")
            await host.stop()
    logged = [line.split(" as ")[1].split()[0] for line in broker.log().splitlines() if " as halloween-" in line]
    names = [name for name in logged if not name.endswith(("-lamp", "-worker_host"))]
    assert len(names) == 2
    assert len(set(names)) == 1
