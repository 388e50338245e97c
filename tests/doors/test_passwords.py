"""contrib/mosquitto/make-passwords gives each a password of its own, once, readable by whom it is for, and shows none."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
from pathlib import Path

import pytest

from tests.conftest import MakeMosquitto
from tests.doors.guests import Guest
from tests.doors.project import Project
from tests.end_to_end.process import until

SHIPPED = ["coffin_jumper", "example_prop", "fogger"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "haunt")


def test_everybody_gets_one(project: Project) -> None:
    """The host, the operators, each prop, and whoever is named: files that their owner alone reads, no password in the output."""
    ended = project.make_passwords("lantern")
    assert ended.returncode == 0, ended.stderr
    names = ["halloween_host", "operator", *SHIPPED, "lantern"]
    assert project.users == names
    passwords = {project.password_of(name) for name in names}
    assert len(passwords) == len(names)
    for password in passwords:
        assert re.fullmatch(r"[A-Za-z0-9]{20}", password)
        assert password not in ended.stdout + ended.stderr + project.hashed.read_text()
    for path in (project.folder / "secrets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert f"lantern: {Path('secrets/users/lantern')}" in ended.stderr


def test_who_has_one_keeps_it(project: Project) -> None:
    """A second run changes nothing and says nothing; a new prop is added; a lost file of the broker's is made from the passwords."""
    project.make_passwords()
    before = project.hashed.read_text()
    ended = project.make_passwords()
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
    assert project.hashed.read_text() == before
    (project.folder / "props" / "lift" / "firmware").mkdir(parents=True)
    assert "lift: secrets/users/lift" in project.make_passwords().stderr
    assert project.hashed.read_text().endswith(before)
    kept = project.password_of("fogger")
    project.hashed.unlink()
    project.make_passwords()
    assert sorted(project.users) == sorted(["halloween_host", "operator", *SHIPPED, "lift"])
    assert project.password_of("fogger") == kept


async def test_the_broker_takes_them(project: Project, make_mosquitto: MakeMosquitto) -> None:
    """Each user comes in by its password and by no other; one that is new does after SIGHUP, as the script says."""
    project.make_passwords()
    broker = make_mosquitto(config_lines=project.broker_lines)
    assert await Guest(broker, "fogger", project.password_of("fogger")).publish("halloween/fogger/state", "on") == ""
    wrong = await Guest(broker, "fogger", project.password_of("operator")).publish("halloween/fogger/state", "on")
    assert "not authori" in wrong.lower()
    assert "systemctl reload mosquitto" in project.make_passwords("lift").stderr
    lift = Guest(broker, "lift", project.password_of("lift"))
    os.kill(broker.pid, signal.SIGHUP)
    await until(lambda: "Reloading config" in broker.log(), "SIGHUP was taken")
    assert await lift.publish("halloween/lift/state", "up") == ""


@pytest.mark.parametrize("name", ["../up", "a b", "", "-x", "+", "#", "a:b", "a\nb", "$(touch pwned)", "ü", "operator"])
def test_a_name_that_no_user_can_have(project: Project, name: str) -> None:
    """Named by hand it is refused with status 2 and makes nothing; as a prop's folder it is a line, and the others get theirs."""
    ended = project.make_passwords(name)
    assert ended.returncode == 2
    assert "cannot be a user" in ended.stderr
    assert not (project.folder / "secrets").exists()
    if name not in ("", "../up"):
        (project.folder / "props" / name / "backend").mkdir(parents=True)
        ended = project.make_passwords()
        assert ended.returncode == 0
        assert ended.stderr.count("no user for props/") == 1
        assert project.users == ["halloween_host", "operator", *SHIPPED]
    assert not list(project.folder.rglob("pwned"))


def test_a_name_cannot_repaint_the_terminal(project: Project) -> None:
    """Control characters of a folder's name are shown as question marks."""
    (project.folder / "props" / "e\x1b[2J\u202e" / "backend").mkdir(parents=True)
    ended = project.make_passwords()
    assert ended.stderr.isascii()
    assert "\x1b" not in ended.stderr
    assert "no user for props/e?[2J" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_in_a_container_each_reads_its_own(project: Project) -> None:
    """Run as root, as there: the broker's file is mosquitto's, the host's the user's of its image, the rest the project's owner's."""
    os.chown(project.folder, 1_234, 1_234)
    project.make_passwords(HOST_UID="900")
    secrets = project.folder / "secrets"
    assert (secrets / "host" / "password").stat().st_uid == 900
    assert (secrets / "host").stat().st_uid == 900
    assert (secrets / "users" / "fogger").stat().st_uid == 1_234
    assert project.hashed.owner() == "mosquitto"


def test_without_mosquittos_program_it_says_what_to_install(project: Project, tmp_path: Path) -> None:
    """One line, and nothing is half made."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    ended = project.make_passwords(PATH=str(programs))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "apt-get install mosquitto" in ended.stderr
    assert not (project.folder / "secrets").exists()
