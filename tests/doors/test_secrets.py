"""A known secret is nowhere to be found: everything runs at DEBUG, and all that anybody could read is searched for it."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import pytest

from tests.cli.terminal import Terminal
from tests.conftest import MakeMosquitto
from tests.doors.guests import Guest, users
from tests.doors.test_acl import ACL
from tests.end_to_end.haunt import Haunt
from tests.listener import Listener
from tests.mosquitto import Mosquitto, free_port

pytestmark = pytest.mark.timeout(180)

#: No name, path or hash holds it by chance; `%23` is its `#` in an address.
SECRET = "Xq7-moonwort9#Zk9"
IN_ADDRESS = SECRET.replace("#", "%23")
#: What would give it away, in any spelling of ours.
TRACES = (SECRET, IN_ADDRESS, "moonwort9")

LOCK = """
import attrs
from halloween_host import BaseWorker

@attrs.frozen
class Config:
    pin: str

class Worker(BaseWorker[Config]):
    async def start(self):
        await super().start()
        self.telemetry("locked", bool(self.settings.pin))

    async def do_crash(self, arg: str | None):
        async def fail():
            raise RuntimeError("no motor")
        self.spawn(fail)

    async def do_fail(self, arg: int):
        raise ValueError("no light")
"""
SAFE = """
import attrs
from halloween_host import BaseWorker

@attrs.frozen
class Config:
    digits: int
    known: str = ""

class Worker(BaseWorker[Config]):
    pass
"""
OLD = """
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", bool(self.config["pin"]))
"""


@pytest.fixture
def haunt(tmp_path: Path) -> Haunt:
    """Props whose configs take a secret from the environment: where it fits, where it does not, and an asyncio one."""
    haunt = Haunt(tmp_path)
    haunt.prop("lock", LOCK, config__yaml="pin: ${PIN}\n")
    haunt.prop("safe", SAFE, config__yaml="digits: ${PIN}\nknwon: ${PIN}\n")
    haunt.prop("old", OLD, config__json='{"pin": "${PIN}"}')
    return haunt


@pytest.fixture
def broker(make_mosquitto: MakeMosquitto) -> Mosquitto:
    """Locked: the host's password is the secret; the operator, who listens, has another."""
    return make_mosquitto(users={"halloween_host": SECRET, **users("operator")}, config_lines=[f"acl_file {ACL}"])


def environ_of(broker: Mosquitto, **more: str) -> dict[str, str]:
    told = {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port), "MQTT_USERNAME": "halloween_host"}
    return told | {"PIN": SECRET, "LOG_LEVEL": "DEBUG"} | more


def search(where: str, text: str) -> None:
    for trace in TRACES:
        at = text.find(trace)
        assert at < 0, f"{trace!r} stands in {where}: …{text[max(0, at - 200) : at + 200]}…"


def search_processes() -> None:
    """Arguments of every process that we started, and so on; one that asks by a tool of mosquitto's does so as the operator.

    Others of this machine may be running this very test, which gives the secret away on purpose, to be warned.
    """
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            search(f"the process list, {process.pid}", " ".join(process.cmdline()))


def search_messages(listener: Listener) -> None:
    for line in listener.lines:
        search(f"the topic {line.topic}", line)


def search_files(folder: Path) -> None:
    """What was written there, but for the file that holds the password."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "password":
            search(str(path), path.read_bytes().decode(errors="replace"))


@pytest.mark.parametrize(
    ("form", "protocol", "by_file"), [("console", "5", False), ("json", "3.1.1", True)], ids=["variable", "file"]
)
async def test_a_night(
    haunt: Haunt, broker: Mosquitto, terminal: Terminal, form: str, protocol: str, *, by_file: bool
) -> None:
    """The host and every command, a crash, a failure, a config that it does not fit, a lost broker, a panic."""
    password = haunt.folder / "password"
    password.write_text(f"{SECRET}\n")
    password.chmod(0o600)
    how = {"MQTT_PASSWORD_FILE": str(password)} if by_file else {"MQTT_PASSWORD": SECRET}
    environ = environ_of(broker, LOG_FORMAT=form, MQTT_PROTOCOL=protocol, **how)
    operator = Guest(broker, "operator")

    async def type_all(*lines: str) -> None:
        for line in lines:
            finished = await terminal.run(*line.split(), **environ)
            assert "Traceback" not in finished.err
            search(f"the output of {line!r}", finished.out + finished.err)
            search_processes()

    async with operator.listen("#") as listener, haunt.host(broker, **environ) as host:
        for prop in ("lock", "old"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        search_processes()
        watching = await terminal.start("watch", **environ)
        await watching.wait_out("halloween/lock/status/availability")
        await type_all(
            *("check", "list", "list --live", "status", "status --json", "health", "ping", "ping old", "preflight"),
            *("send lock crash", "send --wait lock fail 7", "send --wait lock fail x", "restart old", "stop old"),
        )
        broker.restart()
        await host.expect_log("lost the broker")
        await watching.wait_err("lost the broker")
    # a listener of its own for what the broker has retained, and what comes after its restart
    async with operator.listen("#") as later, haunt.host(broker, **environ) as again:
        await later.expect("halloween/lock/status/availability online", within_s=30)
        await type_all("panic smoke", "status", "list --live", "rearm")
        await again.stop()
        await type_all("ping --timeout 0.5", "health --timeout 0.5")
        watching.send(signal.SIGINT)
        watched = await watching.end()
        for where, text in (("the log", host.log), ("the log", again.log), ("watch", watched.out + watched.err)):
            search(where, text)
        assert "what the environment puts into '${PIN}'" in host.log  # it was tried, and held back
        for one in (listener, later):
            search_messages(one)
    search_files(haunt.folder)


async def test_a_door_that_stays_closed(haunt: Haunt, make_mosquitto: MakeMosquitto, terminal: Terminal) -> None:
    """A wrong password, a user without rights, nobody there: the host goes on trying, and no command says what it tried."""
    broker = make_mosquitto(users=users("coffin", "operator"), config_lines=[f"acl_file {ACL}"])
    for protocol in ("5", "3.1.1"):
        environ = environ_of(broker, MQTT_PROTOCOL=protocol, MQTT_PASSWORD=SECRET)
        async with haunt.host(broker, **environ) as host:
            await host.expect_log("cannot reach the broker")
            for command in ("ping", "send lock crash", "health --timeout 1", "panic", "list --live"):
                finished = await terminal.run(*command.split(), **environ)
                assert finished.status != 0
                search(command, finished.out + finished.err)
            search_processes()
            host.signal(signal.SIGTERM)
            await host.wait(None)
            search("the log", host.log)
    search("mosquitto's own log", broker.log())


@pytest.mark.parametrize(
    "address",
    [
        f"mqtt://halloween_host:{IN_ADDRESS}@127.0.0.1",
        f"mqtt://halloween_host:{SECRET}@127.0.0.1",
        f"mqtt://halloween_host:{IN_ADDRESS}",
        f"mqqt://halloween_host:{IN_ADDRESS}@127.0.0.1",
        f"halloween_host:{IN_ADDRESS}@127.0.0.1:no",
        f"halloween_host:{IN_ADDRESS}",
        f"mqtt://halloween_host:{IN_ADDRESS}@127.0.0.1/topic",
    ],
)
async def test_an_address_with_a_password(terminal: Terminal, address: str) -> None:
    """Right or broken, no output repeats it. The process list does, and that is warned of."""
    for line in (("ping", "--timeout", "0.5", "--broker", address), ("panic", "--timeout", "0.5", "--broker", address)):
        finished = await terminal.run(*line, MQTT_PORT=str(free_port()), LOG_LEVEL="DEBUG")
        assert finished.status in (1, 2)
        search(" ".join(line), finished.out + finished.err)
        assert finished.status == 2 or "put it into MQTT_PASSWORD_FILE" in finished.err
    variables = await terminal.run("ping", MQTT_HOST=address, MQTT_PASSWORD_FILE=SECRET, MQTT_KEEPALIVE="x")
    assert variables.status == 2
    search("wrong variables", variables.out + variables.err)


@pytest.mark.parametrize(
    "line",
    ["run --brokr {}", "run {}", "ping --brokr={}", "health {} extra", "ping {}", "{}", "health --timeout {}"],
)
async def test_an_address_in_the_wrong_place(terminal: Terminal, line: str) -> None:
    """What is said about it says it without the password."""
    for address in (f"mqtt://halloween_host:{SECRET}@127.0.0.1", f"halloween_host:{IN_ADDRESS}"):
        finished = await terminal.run(*line.format(address).split(), MQTT_PORT=str(free_port()))
        assert finished.status != 0
        assert "Traceback" not in finished.err
        search(line, finished.out + finished.err)


async def test_the_embedded_broker(haunt: Haunt) -> None:
    """Its process and its leash get none of it either."""
    port = free_port()
    environ = {"PIN": SECRET, "MQTT_USERNAME": "u", "MQTT_PASSWORD": SECRET, "LOG_LEVEL": "DEBUG"}
    async with haunt.host(None, "--broker", f"embedded:{port}", **environ) as host:
        await host.expect_log("Embedded broker")
        search_processes()
        await host.expect_log("online", "lock")
        await host.stop()
        search("the log", host.log)
