"""What the operating system must bring is installed where that is allowed, else one line says what to type."""

from __future__ import annotations

from tests.scripts.conftest import Sandbox

MOSQUITTO = ("./scripts/install-packages", "mosquitto mosquitto-clients", "mosquitto")


def test_root_gets_it_by_apt_get(sandbox: Sandbox) -> None:
    """As root it is `apt-get update`, then a quiet install, and one line that says so."""
    sandbox.program("id", "echo 0")
    sandbox.program("apt-get", "echo chatter; echo more chatter >&2")
    assert sandbox.run(*MOSQUITTO) == (0, "", "installing mosquitto mosquitto-clients (apt-get)\n")
    updated, installed = [call for call in sandbox.calls if call.startswith("apt-get")]
    assert updated.startswith("apt-get update")
    assert installed.startswith("apt-get install")
    assert installed.endswith(" mosquitto mosquitto-clients")


def test_a_failed_install_shows_why(sandbox: Sandbox) -> None:
    """apt-get's last lines are shown and the status is 1; a failed update alone is no failure."""
    sandbox.program("id", "echo 0")
    sandbox.program("apt-get", 'echo "E: cannot $1"; exit 100')
    status, _, errors = sandbox.run(*MOSQUITTO)
    assert status == 1
    assert "E: cannot install\n" in errors
    assert "E: cannot update" not in errors


def test_nobody_asks_for_a_password_where_nobody_sits(sandbox: Sandbox) -> None:
    """Without root and without a terminal sudo is never called: a line says what to type."""
    sandbox.program("id", "echo 1000")
    sandbox.program("apt-get", "")
    sandbox.program("sudo", "")
    packages = "mosquitto mosquitto-clients"
    line = f"missing: {packages}. Type: sudo apt-get update && sudo apt-get install {packages}\n"
    assert sandbox.run(*MOSQUITTO) == (1, "", line)
    assert not any(call.startswith(("sudo", "apt-get")) for call in sandbox.calls)


def test_homebrew(sandbox: Sandbox) -> None:
    """Where there is brew it is asked, under Homebrew's own name for the package."""
    sandbox.program("brew", "")
    assert sandbox.run(*MOSQUITTO) == (0, "", "installing mosquitto (brew)\n")
    assert sandbox.calls == ["brew install --quiet mosquitto"]


def test_a_mac_without_homebrew(sandbox: Sandbox) -> None:
    """A Mac without brew is told to get it."""
    sandbox.program("uname", "echo Darwin")
    status, _, errors = sandbox.run(*MOSQUITTO)
    assert (status, errors) == (1, "missing: mosquitto. Get Homebrew, then type: brew install mosquitto\n")


def test_one_prop_that_asks_for_nonsense_is_one_line(sandbox: Sandbox) -> None:
    """A `requirements.txt` that fails is one line with its name and uv's reason; the other props get theirs."""
    for prop in ("coffin", "fogger", "lamp"):
        backend = sandbox.root / "props" / prop / "backend"
        backend.mkdir(parents=True)
        (backend / "requirements.txt").write_text("humanize\n")
    uv = sandbox.program(
        "uv",
        'case "$*" in "pip freeze"*) echo attrs==1 ;; *fogger*) printf "error: bad\\n  cause: worse\\n" >&2; exit 2 ;; esac',
    )
    status, _, errors = sandbox.run("./scripts/prop-requirements", uv, "python")
    assert status == 1
    reason = "error: bad cause: worse (the other props do not mind)"
    assert errors == f"props/fogger/backend/requirements.txt: {reason}\n"
    installed = [call.split()[-1] for call in sandbox.calls if call.startswith("uv pip install")]
    assert installed == [f"props/{prop}/backend/requirements.txt" for prop in ("coffin", "fogger", "lamp")]
