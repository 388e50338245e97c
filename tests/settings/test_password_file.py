"""`MQTT_PASSWORD_FILE` is read whole and exactly, or refused in a line that holds neither the password nor a guess at it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.errors import InvalidSettings
from halloween_host.settings import load_settings
from halloween_host.settings._password import read_password_file
from tests.settings.conftest import Refused

NOT_PRIVATE = "every user of this machine may read"


def environ_of(path: Path, **more: str) -> dict[str, str]:
    return {"MQTT_HOST": "b", "MQTT_USERNAME": "u", "MQTT_PASSWORD_FILE": str(path), **more}


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b" s3 cret \n", " s3 cret "),
        ("\ufeffgeheim-ü\n".encode(), "geheim-ü"),
        (b"x" * 65_535 + b"\n", "x" * 65_535),
    ],
)
def test_one_newline_at_the_end_is_not_the_passwords(tmp_path: Path, content: bytes, password: str) -> None:
    """As editors, `echo`, Docker and systemd write it; all else of the line is the password's."""
    settings = load_settings(environ_of(written(tmp_path, content)))
    assert (settings.broker.password, settings.warnings) == (password, ())


@given(st.text(min_size=1, max_size=200).filter(lambda text: "\n" not in text and "\ufeff" not in text))
def test_any_line_is_read_back(tmp_path_factory: pytest.TempPathFactory, password: str) -> None:
    """Whatever stands on the line, but for a carriage return at its end."""
    if password.endswith("\r") or not password.isprintable():
        return
    path = tmp_path_factory.mktemp("password") / "password"
    path.write_bytes(f"{password}\n".encode())
    assert read_password_file(str(path)) == password


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty: write the password into it"),
        (b"\n", "is empty: write the password into it"),
        (b"s3cret\nmore\n", "holds more than one line: expected the password alone"),
        (b"s3cret\n\n", "holds more than one line: expected the password alone"),
        (b"s3cret\xff", "is not UTF-8"),
        (b"s3cret" * 20_000, "is larger than 65,535 bytes: no password of MQTT's is"),
    ],
)
def test_what_is_no_password_is_refused(refused: Refused, tmp_path: Path, content: bytes, reason: str) -> None:
    """With variable, file and reason, and without what stands in it."""
    path = written(tmp_path, content)
    (problem,) = refused(environ_of(path))
    assert str(problem) == f"MQTT_PASSWORD_FILE: {path} {reason}"


def test_no_such_file(refused: Refused, tmp_path: Path) -> None:
    """The folder is named, never the file: who wrote the password itself into the variable must not find it in the log."""
    (problem,) = refused(environ_of(tmp_path / "s3cret"))
    assert str(problem).endswith(f"in {tmp_path} there is no file of that name")
    (other,) = refused(environ_of(tmp_path / "s3cret" / "s3cret"))
    assert str(other).endswith("there is no such folder")
    (long,) = refused(environ_of(tmp_path / ("s3cret" * 100)))
    assert str(long).endswith("File name too long")
    assert "s3cret" not in f"{problem}{other}{long}"


def test_what_is_no_file(refused: Refused, tmp_path: Path) -> None:
    """A folder and a pipe (which would hold the start for ever) are refused."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        (problem,) = refused(environ_of(path))
        assert problem.reason == f"{path} is no regular file"


def test_a_file_that_may_not_be_read_says_how_to_mend_it(refused: Refused) -> None:
    """As when it is root's, of mode 0600: the line names the file and the way out."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = written(Path(folder), b"s3cret", mode=0o000)
        with not_root():
            (problem,) = refused(environ_of(path))
    fix = "chown it to the user that runs the host, and chmod 600"
    assert str(problem) == f"MQTT_PASSWORD_FILE: {path} cannot be read (Permission denied): {fix}"


@contextlib.contextmanager
def not_root() -> Iterator[None]:
    """Root may read every file: while open, be nobody."""
    user = os.geteuid()
    os.seteuid(65_534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


def test_both_ways_at_once_are_an_error(refused: Refused, tmp_path: Path) -> None:
    """Nobody has to guess which one counts; 2025's variable, which only fills in, is no second way."""
    path = written(tmp_path, b"new")
    (problem,) = refused(environ_of(path, MQTT_PASSWORD="s3cret"))
    assert str(problem) == "MQTT_PASSWORD_FILE: MQTT_PASSWORD is set too: unset one of them"
    assert load_settings(environ_of(path, MQTT_WORKER_PW="old")).broker.password == "new"
    with pytest.raises(InvalidSettings):
        load_settings(environ_of(path, MQTT_PASSWORD="new"))


def test_the_option_wins(tmp_path: Path) -> None:
    """A password in --broker counts, and the file is not even read."""
    settings = load_settings(environ_of(tmp_path / "none"), broker="mqtt://u:typed@b")
    assert settings.broker.password == "typed"


def test_a_file_for_everybody_is_one_warning(tmp_path: Path) -> None:
    """It is used, and the line says how to close it; one that the group alone may read is somebody's plan."""
    settings = load_settings(environ_of(written(tmp_path, b"s3cret", mode=0o644)))
    assert settings.broker.password == "s3cret"
    (warning,) = settings.warnings
    assert NOT_PRIVATE in warning
    assert warning.endswith(f"chmod 600 {tmp_path}/password")
    assert load_settings(environ_of(written(tmp_path, b"s3cret", mode=0o640))).warnings == ()
