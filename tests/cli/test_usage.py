"""What is typed wrongly is one line each and status 2; help is complete; secrets are never shown."""

from __future__ import annotations

import pytest

from halloween_host.settings import VARIABLES
from tests.cli.terminal import Terminal
from tests.mosquitto import free_port

PROP = ("restart", "stop", "start")
COMMANDS = ("run", "check", "list", "status", "preflight", "panic", "rearm", *PROP, "ping", "send", "watch", "health")


async def test_help_names_every_command_and_variable(terminal: Terminal) -> None:
    """`--help` is enough to find everything: the commands, and every variable of the settings' table."""
    finished = await terminal.run("--help")
    assert finished.status == 0
    for name in (*COMMANDS, *(variable.name for variable in VARIABLES)):
        assert name in finished.out


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_explains_itself(terminal: Terminal, command: str) -> None:
    """Each command's help has examples, exit statuses and variables, in lines that fit on a terminal of 80 columns."""
    finished = await terminal.run(command, "--help")
    assert (finished.status, finished.err) == (0, "")
    assert f"halloween-host {command}" in finished.out.partition("Examples:")[2]
    assert "Exit status" in finished.out
    assert "LOG_LEVEL" in finished.out
    assert max(map(len, finished.out.splitlines())) <= 80


async def test_version_is_one_line(terminal: Terminal) -> None:
    """`--version` says one thing."""
    finished = await terminal.run("--version")
    assert finished.status == 0
    assert len(finished.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), 'Unknown command "rnu". Did you mean "run"?'),
        (("run", "--brokr", "x"), "Unknown option: --brokr. Did you mean --broker?"),
        (("check", "--props"), "--props requires an argument"),
        (("check", "extra"), "nothing was expected after it: 'extra'"),
        (("send", "fogger"), "ACTION requires an argument"),
        (("health", "--timeout", "soon"), "--timeout"),
        (("health", "--timeout", "-1"), "--timeout='-1': expected seconds"),
        (("send", "a/b", "fire"), "'a/b' is no prop id"),
        (("send", "worker_host", "fire"), "'worker_host' is the host's own name"),
        (("send", "fogger", "fire now"), "'fire now' is no action"),
        (("send", "fogger", "__init__"), "starts with '_'"),
        (("send", "fogger", "fire", "{", "--json"), "fire: the argument is no JSON"),
        (("send", "fogger", "fire", "--json"), "fire: --json without an argument"),
        (("send", "fogger", "fire", "NaN", "--json"), "NaN"),
        (("send", "fogger", "fire", "x" * 70_000), "at most 65,536"),
        (("send", "fogger", "fire", "--timeout", "3"), "--timeout='3': only --wait waits"),
        (("send", "fogger", "fire", "--wait", "--timeout", "0"), "--timeout='0': expected seconds"),
        (("send", "fogger", "fire", "--ttl", "nan"), "--ttl='nan': expected seconds"),
        (("send", "fogger", "fire", "NaN", "--json", "--wait"), "NaN"),
        (("ping", "a/b"), "'a/b' is no prop id"),
        (("restart",), "PROP requires an argument"),
        (("stop", "worker_host"), "'worker_host' is the host's own name"),
        (("panic", "--timeout", "-1"), "--timeout='-1': expected seconds"),
        (("watch", "a/#"), "'a/#' is no prop id"),
        (("run", "--props", "nowhere"), "--props='nowhere': there is no such folder"),
        (("list", "--builtins", "file"), "--builtins='file': is no folder"),
        (("run", "--broker", "mqt://x"), "did you mean 'mqtt'"),
    ],
)
async def test_wrong_use_ends_with_status_2(terminal: Terminal, arguments: tuple[str, ...], said: str) -> None:
    """A mistake on the command line is said in a line that helps, with status 2 and no traceback."""
    (terminal.folder / "file").touch()
    finished = await terminal.run(*arguments)
    assert finished.status == 2, finished.err
    assert said in finished.err
    assert "Traceback" not in finished.err
    assert all(line.startswith("halloween-host: ") for line in finished.err.splitlines())
    assert finished.out == ""


@pytest.mark.parametrize("command", [*COMMANDS, "send fogger fire"])
async def test_every_wrong_variable_is_named_at_once(terminal: Terminal, command: str) -> None:
    """All wrong variables stand there with value and what is allowed, a line each; none has to be found by trying again."""
    if command == "send":
        return
    finished = await terminal.run(
        *command.split(),
        *(["coffin"] if command in PROP else []),
        MQTT_PORT="abc",
        LOG_LEVEL="loud",
        MQTT_TRANSPORT="pigeon",
    )
    assert finished.status == 2
    lines = finished.err.splitlines()
    assert len(lines) == 3
    for line, parts in zip(
        sorted(lines),
        [("LOG_LEVEL", "loud", "INFO"), ("MQTT_PORT", "abc", "65535"), ("MQTT_TRANSPORT", "tcp")],
        strict=True,
    ):
        assert all(part in line for part in parts)


async def test_secrets_are_never_printed(terminal: Terminal) -> None:
    """Neither a wrong address nor a broker that is away makes a password visible."""
    nobody = f"mqtt://haunt:hunter2@127.0.0.1:{free_port()}"
    for arguments in (
        ("send", "fogger", "fire", "--broker", "mqtt://haunt:hunter2@host:port"),
        ("send", "fogger", "fire", "--broker", nobody),
        ("health", "--broker", nobody, "--timeout", "1"),
    ):
        finished = await terminal.run(*arguments, MQTT_PORT="abc", MQTT_PASSWORD="hunter2", LOG_LEVEL="DEBUG")
        assert finished.status != 0
        assert "hunter2" not in finished.out + finished.err


async def test_a_file_that_holds_no_certificates_is_a_wrong_variable(terminal: Terminal) -> None:
    """A CA file that OpenSSL cannot read is named before anything is started."""
    (terminal.folder / "ca.pem").write_text("no certificate")
    finished = await terminal.run("run", MQTT_HOST="localhost", MQTT_TLS="1", MQTT_CA_FILE="ca.pem")
    assert finished.status == 2
    assert "MQTT_CA_FILE" in finished.err
    assert "certificates (PEM)" in finished.err
    assert "Traceback" not in finished.err


async def test_a_terminal_without_utf_8_is_no_reason_to_fail(terminal: Terminal) -> None:
    """What the terminal's encoding cannot show is escaped."""
    finished = await terminal.run("send", "fogger", "fäuern!", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert finished.status == 2
    assert "f\\xe4uern!" in finished.err
