"""What stands around an import: a legacy worker's loop, the word about a slow one, the worker's name in the log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import structlog

from halloween_host.loader import _watch
from tests.loader.conftest import LEGACY, WORKER, Folders, write
from tests.loader.stand_ins import gate


class Loops:
    """Yields a numbered cargo for each import it stands around, and knows how each ended."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.failed: list[str] = []

    @contextmanager
    def loading(self) -> Iterator[object]:
        cargo = f"loop {len(self.opened)}"
        self.opened.append(cargo)
        try:
            yield cargo
        except BaseException:
            self.failed.append(cargo)
            raise


@pytest.fixture
def loops(folders: Folders) -> Loops:
    loops = Loops()
    folders.loading = loops.loading
    return loops


def test_a_legacy_worker_is_imported_inside_loading(folders: Folders, loops: Loops) -> None:
    """Each file whose sources mention `worker_host` has a cargo of its own; the others have none."""
    folders.prop("apple")
    folders.prop("coffin", LEGACY)
    folders.prop("tesla", "from .api import *\n", api__py=LEGACY)
    folders.builtin("heartbeat", LEGACY)
    catalog = folders.load()
    assert {spec.prop_id: (spec.dialect, spec.cargo) for spec in catalog.workers} == {
        "apple": ("native", None),
        "coffin": ("legacy", "loop 0"),
        "tesla": ("legacy", "loop 1"),
        "heartbeat": ("legacy", "loop 2"),
    }
    assert (loops.failed, folders.discarded) == ([], [])


def test_a_native_worker_that_mentions_the_other_dialect_keeps_no_cargo(folders: Folders, loops: Loops) -> None:
    """A comment is enough for the scan; the cargo then goes to `discard`."""
    folders.prop("coffin", "# was worker_host once\n" + WORKER)
    assert folders.only_worker().cargo is None
    assert (loops.opened, folders.discarded) == (["loop 0"], ["loop 0"])


def test_an_environment_below_the_backend_is_not_scanned(folders: Folders, loops: Loops) -> None:
    """A virtual environment or hidden folder beside the worker is nobody's source."""
    worker = folders.prop("coffin")
    for folder in ("venv", ".hidden"):
        write(worker.parent / folder / "pyvenv.cfg", "")
        write(worker.parent / folder / "x.py", "worker_host")
    folders.only_worker()
    assert loops.opened == []


def test_an_import_that_raises_ends_loading_with_it(folders: Folders, loops: Loops) -> None:
    """`loading` sees the exception and so disposes of its cargo itself."""
    folders.prop("coffin", LEGACY + "raise SystemExit\n")
    folders.only_error()
    assert (loops.failed, folders.discarded) == (["loop 0"], [])


@pytest.mark.parametrize("addition", ["PROP_ID = 5\n", "del Worker\n"])
def test_the_cargo_of_a_worker_that_fails_later_is_discarded(folders: Folders, loops: Loops, addition: str) -> None:
    """What was imported well and then refused leaves no loop behind."""
    folders.prop("coffin", LEGACY + addition)
    folders.only_error()
    assert (loops.failed, folders.discarded) == ([], ["loop 0"])


def test_a_loading_that_cannot_open_is_that_workers_error(folders: Folders) -> None:
    """Too many open files for another loop: one error, and the native ones load."""

    @contextmanager
    def loading() -> Iterator[object]:
        raise OSError(24, "Too many open files")
        yield

    folders.loading = loading
    folders.prop("coffin", LEGACY)
    assert folders.only_error().reason == "import failed with OSError: [Errno 24] Too many open files"


def test_a_loading_that_swallows_is_found_out(folders: Folders) -> None:
    """A `loading` that hides what the import raised does not make a worker out of nothing."""
    folders.loading = lambda: suppress(ZeroDivisionError)
    folders.prop("coffin", LEGACY + "1 / 0\n")
    assert folders.only_error().reason == "was not imported: `loading` swallowed what its import raised"


def test_a_slow_import_is_told_while_it_blocks(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says who and where while the import still runs, another how long it took."""
    monkeypatch.setattr(_watch, "SLOW_S", 0.01)
    path = folders.prop("coffin", "from tests.loader.stand_ins import gate\n\ngate.wait(30)\n" + WORKER)
    folders.prop("tesla")
    said = folders.said

    class Opening(list[str]):
        def append(self, text: str) -> None:
            said.append(text)
            if "coffin" in text:
                gate.set()

    folders.said = Opening()
    assert not folders.load().errors
    about = [text for text in said if "coffin" in text]
    assert about[0] == f"loading coffin takes long: {path}:3 runs for 0.01 s now"
    assert about[1].startswith("loading coffin took 0.")
    assert len(about) == 2


def test_a_quick_import_says_nothing(folders: Folders) -> None:
    """Nobody is told of what went as it should."""
    folders.prop("coffin")
    folders.only_worker()
    assert folders.said == []


def test_a_long_load_tells_how_far_it_is(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many props that load quickly, one by one, are a long silence too; the last one's line would come with the end."""
    monkeypatch.setattr(_watch, "SLOW_S", 0.0)
    for name in ("coffin", "fogger", "tesla"):
        folders.prop(name)
    folders.load()
    assert [text for text in folders.said if "workers" in text] == ["loaded 1 of 3 workers", "loaded 2 of 3 workers"]


def test_the_limit_is_two_seconds() -> None:
    """The design says two seconds."""
    assert _watch.SLOW_S == 2.0


def test_a_file_is_imported_under_its_workers_name(folders: Folders) -> None:
    """The log context names the worker while its file runs, and is clean afterwards."""
    folders.prop("coffin", "import structlog\nBOUND = structlog.contextvars.get_contextvars()\n" + WORKER)
    assert sys.modules[folders.only_worker().module].BOUND == {"worker": "coffin"}
    assert structlog.contextvars.get_contextvars() == {}
