"""The TLS of docs/security.md, by the very lines of that page: everything of ours connects by it, and what is wrong is one line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.certificates import make_certificates
from tests.cli.terminal import Terminal
from tests.conftest import MakeMosquitto
from tests.doors.guests import Guest, users
from tests.doors.project import ROOT
from tests.doors.test_acl import ACL
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

pytestmark = pytest.mark.timeout(120)

PAGE = (ROOT / "docs" / "security.md").read_text()
LANTERN = """
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def do_ping(self, arg: str | None):
        return "lit"
"""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """secrets/tls, as the page makes it."""
    folder = tmp_path_factory.mktemp("haunt")
    (script,) = re.findall(r"```sh tls\n(.*?)```", PAGE, re.DOTALL)
    assert len(re.findall("^openssl ", script, re.MULTILINE)) == 5
    subprocess.run(["sh", "-e", "-c", script], cwd=folder, check=True, capture_output=True)
    return folder / "secrets" / "tls"


def listener_lines(tls: Path) -> list[str]:
    """The page's own lines for the broker, for the listener that `Mosquitto` makes."""
    (_, rest) = PAGE.split("```\nlistener 8883\n")
    return rest.partition("```")[0].replace("/mosquitto/tls", str(tls)).splitlines()


def environ_of(broker: Mosquitto, tls: Path, **more: str) -> dict[str, str]:
    told = {"MQTT_HOST": "localhost", "MQTT_PORT": str(broker.port), "MQTT_TLS": "1", "MQTT_CA_FILE": f"{tls}/ca.pem"}
    return {**told, **more}


COMMANDS = ("ping", "ping lantern", "send --wait lantern ping", "status", "list --live", "health", "preflight", "panic")


@pytest.mark.parametrize("proof", ["password", "certificate"])
async def test_everything_connects(
    haunt: Haunt, make_mosquitto: MakeMosquitto, terminal: Terminal, tls: Path, proof: str
) -> None:
    """The host's connection, its guard's, each prop's, and every command's: all by TLS, known by password or by certificate."""
    lines = [*listener_lines(tls), f"acl_file {ACL}"]
    secret: dict[str, str] = {}
    if proof == "password":
        broker = make_mosquitto(users=users("halloween_host"), config_lines=lines)
        secret = {"MQTT_USERNAME": "halloween_host", "MQTT_PASSWORD": "halloween_host"[::-1]}
        options = ["--cafile", f"{tls}/ca.pem"]
        listener = Guest(broker, "halloween_host", None, *options)
    else:
        broker = make_mosquitto(config_lines=[*lines, "require_certificate true", "use_identity_as_username true"])
        secret = {"MQTT_CERT_FILE": f"{tls}/host.pem", "MQTT_KEY_FILE": f"{tls}/host.key"}
        options = ["--cafile", f"{tls}/ca.pem", "--cert", f"{tls}/host.pem", "--key", f"{tls}/host.key"]
        listener = Guest(broker, None, None, *options)
    haunt.prop("lantern", LANTERN)
    environ = environ_of(broker, tls, **secret)
    async with listener.listen("halloween/#") as heard, haunt.host(None, **environ) as host:
        await heard.expect("halloween/lantern/status/availability online", within_s=30)
        for command in COMMANDS:
            finished = await terminal.run(*command.split(), **environ)
            assert "TLS" not in finished.err, command
            assert finished.status == 0 or command == "preflight", (command, finished.err)
        watching = await terminal.start("watch", **environ)
        await watching.wait_out("lantern/status/availability")
        await host.stop()
    names = re.findall(r"New client connected from \S+ as (\S+) .*u'halloween_host'", broker.log())
    assert len({name for name in names if name.startswith("halloween-")}) >= 3 + len(COMMANDS)
    assert any(name.endswith("worker_host") for name in names), "the guard"


async def test_what_is_wrong_is_one_line(
    make_mosquitto: MakeMosquitto, terminal: Terminal, tls: Path, tmp_path: Path
) -> None:
    """It names the cause and what to do: as the page's table promises, the same for a command and for the host's own line."""
    broker = make_mosquitto(config_lines=[*listener_lines(tls), "require_certificate true"])
    plain = make_mosquitto()
    (tmp_path / "other").mkdir()
    (tmp_path / "named").mkdir()
    other = make_certificates(tmp_path / "other")
    named = make_certificates(tmp_path / "named", host="elsewhere.invalid", address="10.9.8.7")
    strange = make_mosquitto(config_lines=named.listener)
    ours = {"MQTT_CERT_FILE": f"{tls}/host.pem", "MQTT_KEY_FILE": f"{tls}/host.key"}
    foreign = {"MQTT_CERT_FILE": str(other.certificate), "MQTT_KEY_FILE": str(other.key)}
    for environ, said in (
        (environ_of(broker, tls, MQTT_CA_FILE="", **ours), "MQTT_CA_FILE must name the certificate of the authority"),
        (environ_of(broker, tls, MQTT_CA_FILE=str(other.ca), **ours), "not trusted: "),
        (environ_of(strange, tls, MQTT_CA_FILE=str(named.ca)), "Hostname mismatch"),
        (environ_of(strange, tls, MQTT_CA_FILE=str(named.ca), MQTT_HOST="127.0.0.1"), "connect by a name or address"),
        (environ_of(plain, tls), "no TLS is spoken on that port"),
        (environ_of(broker, tls), "the broker wants a certificate of ours: MQTT_CERT_FILE and MQTT_KEY_FILE"),
        (environ_of(broker, tls, **foreign), "the broker refuses our certificate: look at MQTT_CERT_FILE"),
    ):
        finished = await terminal.run("ping", "--timeout", "5", **environ)
        assert (finished.status, finished.out, finished.err.count("\n")) == (1, "", 1), finished.err
        assert said in finished.err


async def test_the_host_goes_on_trying(haunt: Haunt, make_mosquitto: MakeMosquitto, tls: Path) -> None:
    """A certificate that is not trusted is a broker that cannot be reached: one warning with the fix, no end and no traceback."""
    haunt.prop("lantern", LANTERN)
    broker = make_mosquitto(config_lines=listener_lines(tls))
    async with haunt.host(None, **environ_of(broker, tls, MQTT_CA_FILE="")) as host:
        line = await host.expect_log("cannot reach the broker")
        assert "MQTT_CA_FILE must name the certificate of the authority that signed the broker's" in line
        assert "Traceback" not in host.log
        await host.stop()
