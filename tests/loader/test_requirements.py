"""`backend/requirements.txt` is read as pip would, before the prop is imported."""

from __future__ import annotations

import pytest

from tests.loader.conftest import Folders

GOOD = """\
# what the coffin needs
aiohttp
gpiozero>=2.0,<3   # pins
rpi-lgpio[extra]==0.6 ; platform_machine == "aarch64"
pyserial == 3.5 \\
    --hash=sha256:c4451db6ba391ca6ca299fb3ec7bae67a5c55dde170964c7a14ceefec02f2cf0 \\
    --hash=sha256:3c77e014170dfffbd816e6ffc205e9842efb10be9f58ec16d3e8675b4925cddb

-r other.txt
-c constraints.txt
--index-url https://example.invalid/index
--hash=sha256:aa
-e .
./wheels/mine-1.0-py3-none-any.whl
mine-1.0-py3-none-any.whl
../lamps
git+https://github.com/x/y.git@main#egg=y
https://example.invalid/z-1.0.zip
z @ https://example.invalid/z-1.0.zip
"""


def test_all_that_pip_takes_is_taken(folders: Folders) -> None:
    """Versions, extras, markers, hashes, continued lines, comments, options, paths and addresses."""
    folders.prop("coffin", requirements__txt=GOOD)
    assert folders.only_worker().prop_id == "coffin"


def test_a_bom_is_taken(folders: Folders) -> None:
    """An editor's byte order mark is no part of the first package."""
    folders.prop("coffin", requirements__txt="\ufeffaiohttp\n")
    assert folders.only_worker().prop_id == "coffin"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("aiohttp\naiohttp ==\n", 2),
        ("\n\nthis is prose\n", 3),
        ("aiohttp >= two\n", 1),
        ("a \\\n  ~~ 2\nb\n", 1),
        ("aiohttp; python_verison > '3'\n", 1),
        ("<<<<<<< HEAD\n", 1),
    ],
)
def test_a_line_that_pip_cannot_read(folders: Folders, text: str, line: int) -> None:
    """It is one error with file and line, the prop is not imported, the others load."""
    worker = folders.prop("coffin", "raise SystemExit", requirements__txt=text)
    error = folders.only_error()
    assert (error.path, error.line) == (worker.parent / "requirements.txt", line)
    assert error.reason.startswith("pip cannot read ")


def test_every_such_line_is_told(folders: Folders) -> None:
    """Two bad lines are two errors."""
    folders.prop("coffin", requirements__txt="a ==\nb\nc ==\n")
    assert [error.line for error in folders.load().errors] == [1, 3]


def test_requirements_that_are_not_utf_8(folders: Folders) -> None:
    """Bytes that are no UTF-8 are at a line."""
    worker = folders.prop("coffin")
    (worker.parent / "requirements.txt").write_bytes(b"aiohttp\n\xff\n")
    error = folders.only_error()
    assert (error.line, error.reason) == (2, "is not UTF-8: byte 0xff")


def test_requirements_that_cannot_be_read(folders: Folders) -> None:
    """A folder, a broken link: one error of that prop."""
    worker = folders.prop("coffin")
    path = worker.parent / "requirements.txt"
    path.mkdir()
    assert folders.only_error().reason == "cannot be read: Is a directory"
    path.rmdir()
    path.symlink_to("gone")
    assert folders.only_error().reason == "is a link to nowhere (gone)"


def test_builtins_have_no_requirements(folders: Folders) -> None:
    """A `requirements.txt` beside built-ins is nobody's."""
    folders.builtin("heartbeat")
    (folders.builtins / "requirements.txt").write_text("not one\n")
    assert folders.only_worker().prop_id == "heartbeat"
