"""A file that cannot be imported is one error line with the author's own file and line, and its neighbours load."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from tests.loader.conftest import WORKER, Folders, write


def test_a_syntax_error_has_line_and_column(folders: Folders) -> None:
    """A syntax error stands at its own place."""
    path = folders.prop("coffin", "import os\n\ndef broken(:\n")
    error = folders.only_error()
    assert (error.path, error.line, error.column) == (path, 3, 12)
    assert (error.prop_id, error.reason) == ("coffin", "SyntaxError: invalid syntax")
    assert str(error) == f"{path}:3:12: SyntaxError: invalid syntax"


def test_a_syntax_error_of_a_sibling_is_the_siblings(folders: Folders) -> None:
    """When `worker.py` imports a file with a syntax error, that file is named."""
    folders.prop("coffin", "from . import relay\n" + WORKER, relay__py="x = (\n")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/relay.py", 1)
    assert "never closed" in error.reason


def test_an_error_at_import_is_the_authors_line(folders: Folders) -> None:
    """Type and text of the exception, at the innermost line the author wrote, with the exception as its cause."""
    folders.prop("coffin", "from . import relay\n" + WORKER, relay__py="import json\n\njson.loads('{')\n")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/relay.py", 3)
    assert error.reason.startswith("import failed with JSONDecodeError: Expecting property name")
    assert isinstance(error.__cause__, ValueError)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys; sys.exit()", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise BaseException('own')", "BaseException: own"),
        ("raise BaseExceptionGroup('many', [KeyboardInterrupt()])", "BaseExceptionGroup: many (1 sub-exception)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", "Mute"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        ("import asyncio; asyncio.get_running_loop()", "RuntimeError: no running event loop"),
    ],
)
def test_nothing_that_a_file_raises_ends_the_load(folders: Folders, statement: str, text: str) -> None:
    """What ends a process elsewhere is that worker's error here."""
    folders.prop("coffin", f"import os\n{statement}\n")
    error = folders.only_error()
    assert folders.place(error)[0] == "coffin/backend/worker.py"
    assert folders.place(error)[1] in (2, 3)
    assert error.reason.startswith(f"import failed with {text}")


def test_an_operators_interrupt_ends_the_load(folders: Folders) -> None:
    """Ctrl-C while an import blocks is the operator's, and SIGINT's handler is the old one afterwards."""
    folders.prop("coffin", "import signal\nsignal.raise_signal(signal.SIGINT)\n" + WORKER)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        folders.load()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_operators_interrupt_ends_the_load_in_trio_too(folders: Folders) -> None:
    """The host loads inside `trio.run`, whose own handler raises the interrupt."""
    folders.prop("coffin", "import signal\nsignal.raise_signal(signal.SIGINT)\n" + WORKER)

    async def load() -> None:
        folders.load()

    with pytest.raises(KeyboardInterrupt):
        trio.run(load)


def test_long_texts_are_cut(folders: Folders) -> None:
    """An error text of any length is a line one can read."""
    folders.prop("coffin", "raise ValueError('x' * 100_000)\n")
    assert len(str(folders.only_error())) < 1_000


def test_an_init_that_fails_is_named(folders: Folders) -> None:
    """The prop's `__init__.py` runs as Python would run it, and fails as any other file."""
    folders.prop("coffin")
    write(folders.props / "coffin" / "__init__.py", "\n\n1 / 0\n")
    assert folders.place(folders.only_error()) == ("coffin/__init__.py", 3)


@pytest.mark.parametrize(
    ("source", "line", "column", "byte"),
    [
        (b"import os\nNAME = 'sp\xf6\xf6k'\n", 2, 11, "f6"),
        (b"import os\nimport sys\nimport re\nNAME = '\xfe'\n", 4, 9, "fe"),
        (b"\xff\xfei\0m\0", 1, 1, "ff"),
    ],
)
def test_a_file_that_is_not_utf_8_has_line_and_column(
    folders: Folders, source: bytes, line: int, column: int, byte: str
) -> None:
    """A byte that is no UTF-8 is at a place, with what to do."""
    folders.prop("coffin", source)
    error = folders.only_error()
    assert (folders.place(error)[1], error.column) == (line, column)
    assert f"is not UTF-8: byte 0x{byte}" in error.reason
    assert error.reason.endswith("save the file as UTF-8")


@pytest.mark.parametrize(
    ("source", "text"),
    [(b"# coding: klingon\n", "unknown encoding: klingon"), (b"\n\nx = '\0'\n", "holds a NUL character")],
)
def test_other_bytes_that_are_no_python(folders: Folders, source: bytes, text: str) -> None:
    """An unknown coding line and a NUL are syntax errors with their line."""
    folders.prop("coffin", source)
    error = folders.only_error()
    assert text in error.reason
    assert error.line == source.count(b"\n", 0, source.find(b"\0") if b"\0" in source else 0) + 1


def test_an_empty_file_has_no_worker(folders: Folders) -> None:
    """Nothing in it is nothing to run."""
    folders.prop("coffin", b"")
    assert folders.only_error().reason.startswith("has no class named Worker")


def test_an_unreadable_file(folders: Folders) -> None:
    """A file that the system does not let us read is one error with the system's reason."""
    worker = folders.prop("coffin")
    if os.geteuid() == 0:  # root reads everything, but for this
        worker.unlink()
        worker.symlink_to("/proc/self/mem")
    else:
        worker.chmod(0)
    error = folders.only_error()
    assert folders.place(error)[0] == "coffin/backend/worker.py"
    assert "Permission denied" in error.reason or "Input/output error" in error.reason


@pytest.mark.parametrize("link", ["coffin", "coffin/backend", "coffin/backend/worker.py"])
@pytest.mark.parametrize("loop", [False, True])
def test_a_broken_link(folders: Folders, link: str, loop: bool) -> None:
    """A link to nowhere, or to itself, is named with its target."""
    path = folders.props / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path if loop else "gone")
    error = folders.only_error()
    assert (error.path, error.prop_id) == (path, "coffin")
    assert error.reason == f"is a link to nowhere ({path if loop else 'gone'})"


def test_a_broken_link_among_builtins(folders: Folders) -> None:
    """Built-ins may be links, too."""
    (folders.builtins / "heartbeat.py").symlink_to("gone")
    assert folders.only_error().reason == "is a link to nowhere (gone)"


def test_links_to_props_elsewhere_work(folders: Folders, tmp_path: Path) -> None:
    """A prop may live elsewhere and be linked into the props folder."""
    write(tmp_path / "elsewhere" / "backend" / "worker.py", "from . import relay\n" + WORKER)
    write(tmp_path / "elsewhere" / "backend" / "relay.py", "")
    (folders.props / "coffin").symlink_to(tmp_path / "elsewhere")
    spec = folders.only_worker()
    assert (spec.prop_id, spec.path) == ("coffin", folders.props / "coffin" / "backend" / "worker.py")


def test_a_worker_py_that_is_a_folder(folders: Folders) -> None:
    """A folder called `worker.py` is no worker, a folder called `tick.py` no built-in."""
    (folders.props / "coffin" / "backend" / "worker.py").mkdir(parents=True)
    assert folders.only_error().reason == "is a folder, not a file"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("v1.0", "has a dot"),
        ("a+b", "is no prop id"),
        ("a#b", "is no prop id"),
        ("worker_host", "is the host's own name"),
    ],
)
def test_a_folder_name_that_cannot_be_used(folders: Folders, name: str, reason: str) -> None:
    """A folder that can be no module or no topic level is refused before anything of it runs."""
    folders.prop(name, "raise SystemExit")
    error = folders.only_error()
    assert error.path == folders.props / name
    assert reason in error.reason
    assert error.reason.endswith("rename the folder")


def test_a_builtin_with_a_dot(folders: Folders) -> None:
    """A built-in's file name has one dot only."""
    folders.builtin("heart.beat")
    assert "rename the file" in folders.only_error().reason


def test_half_imported_modules_are_forgotten(folders: Folders) -> None:
    """What was imported for a worker that then failed is no longer there."""
    folders.prop("coffin", "from . import relay\n1 / 0\n", relay__py="")
    folders.only_error()
    assert not [name for name in sys.modules if name.startswith("props.coffin")]
