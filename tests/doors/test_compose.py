"""compose.yaml's parts fit together: what it mounts is there, and a host told by its environment comes up on its broker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from halloween_host.settings import VARIABLES
from tests.conftest import MakeMosquitto
from tests.doors.guests import Guest
from tests.doors.project import ROOT, Project
from tests.end_to_end.process import HostProcess

SERVICES: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]


def mounts(service: str) -> dict[str, str]:
    """Where in the container stands what: path there → path here (or a volume's name)."""
    split = [each.split(":") for each in SERVICES[service]["volumes"]]
    return {there: here for here, there, *_ in split}


def test_it_starts_in_order() -> None:
    """No broker before the passwords are made, no host before its broker."""
    assert SERVICES["broker"]["depends_on"] == {"passwords": {"condition": "service_completed_successfully"}}
    assert SERVICES["host"]["depends_on"] == ["broker"]
    shell, script = SERVICES["passwords"]["entrypoint"]
    assert (shell, mounts("passwords")["/project"]) == ("sh", ".")
    assert (ROOT / Path(script).relative_to("/project")).is_file()


def test_the_broker_finds_its_files() -> None:
    """Each path in mosquitto.conf, its commented TLS too, stands below a mount; what make-passwords does not make is here."""
    text = (ROOT / "compose.yaml").read_text()
    commented = dict(re.findall(r"# - \./(\S+?):(/mosquitto/\S+?):ro", text))
    known = mounts("broker") | {there: here for here, there in commented.items()}
    conf = (ROOT / "contrib" / "mosquitto" / "mosquitto.conf").read_text()
    paths = [Path(path) for path in re.findall(r" (/mosquitto/\S+)", conf)]
    assert len(paths) == 6
    for path in paths:
        assert any(path.is_relative_to(there) for there in known), path
    assert "allow_anonymous false" in conf.splitlines()
    assert mounts("broker")["/mosquitto/config"] == "./contrib/mosquitto"
    assert mounts("broker")["/mosquitto/secrets"] == "./secrets/broker"


def test_the_host_finds_its_password() -> None:
    """Its variables are ours, its file stands where make-passwords puts it, for the user that the Dockerfile makes."""
    environ = SERVICES["host"]["environment"]
    assert environ.keys() <= {variable.name for variable in VARIABLES}
    path = Path(environ["MQTT_PASSWORD_FILE"])
    assert (mounts("host")[str(path.parent)], path.name) == ("./secrets/host", "password")
    uid = SERVICES["passwords"]["environment"]["HOST_UID"]
    assert f"useradd --system --uid {uid} " in (ROOT / "Dockerfile").read_text()
    assert "password" not in {name.lower() for name in environ}


@pytest.mark.timeout(120)
async def test_it_comes_up(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    """make-passwords, mosquitto.conf, acl and the host's environment as they stand there: every prop is online, an operator
    stops and rearms the house, firmware is heard, a guest is not."""
    project = Project(tmp_path / "haunt")
    assert project.make_passwords().returncode == 0
    broker = make_mosquitto(config_lines=project.broker_lines)
    environ = SERVICES["host"]["environment"] | {
        "MQTT_HOST": broker.host,
        "MQTT_PORT": str(broker.port),
        "MQTT_PASSWORD_FILE": str(project.folder / "secrets" / "host" / "password"),
        "STATE_DIR": str(tmp_path / "state"),
    }
    operator = Guest(broker, "operator", project.password_of("operator"))
    fogger = Guest(broker, "fogger", project.password_of("fogger"))
    async with (
        operator.listen("halloween/#") as listener,
        HostProcess("run", environ=environ, folder=project.folder) as host,
    ):
        for prop in ("coffin_jumper", "example_prop", "fogger", "worker_host"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        assert await fogger.publish("halloween/fogger/telemetry/tank", "full") == ""
        await listener.expect("halloween/fogger/telemetry/tank full")
        assert "not authori" in (await Guest(broker, None).publish("halloween/worker_host/cmd", "panic")).lower()
        assert "Not authorized" in await fogger.publish("halloween/worker_host/cmd", "panic")
        assert await operator.publish("halloween/worker_host/cmd", "panic") == ""
        await listener.expect("halloween/fogger/status/availability offline")
        assert await operator.publish("halloween/worker_host/cmd", "rearm") == ""
        await listener.expect("halloween/fogger/status/availability online")
        await host.stop()
        for prop in ("fogger", "worker_host"):
            await listener.expect(f"halloween/{prop}/status/availability offline")
        assert not host.matching("warning")
        assert project.password_of("halloween_host") not in host.log
