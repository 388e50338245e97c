"""What a backend may consist of: Python's own rules, under 2025's names, from source."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from halloween_host.loader import WorkerSpec, unload_workers
from tests.loader.conftest import WORKER, Folders, write

RELAY = "class Relay:\n    pin = {pin}\n"
WITH_RELAY = "{line}\nfrom halloween_host import BaseWorker\n\nclass Worker(BaseWorker):\n    relay = Relay\n"


def relay_of(spec: WorkerSpec) -> Any:
    return vars(spec.worker_class)["relay"]


def scream(spec: WorkerSpec) -> str:
    """The traceback of the worker's `scream` method, called without an instance."""
    with pytest.raises(ValueError, match="aaah") as caught:
        vars(spec.worker_class)["scream"](None)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("line", ["from .relay import Relay", "from props.coffin.backend.relay import Relay"])
@pytest.mark.parametrize("inits", [[], ["coffin/backend"], ["coffin", "coffin/backend"], ["coffin"]])
def test_a_backend_is_a_package(folders: Folders, line: str, inits: list[str]) -> None:
    """Relative and absolute imports of siblings work with and without `__init__.py`, of the prop as of its backend."""
    folders.prop("coffin", WITH_RELAY.format(line=line), relay__py=RELAY.format(pin=4))
    for folder in inits:
        write(folders.props / folder / "__init__.py", "ran = True\n")
    spec = folders.only_worker()
    assert (relay_of(spec).pin, relay_of(spec).__module__) == (4, "props.coffin.backend.relay")
    for folder in inits:
        assert sys.modules["props." + folder.replace("/", ".")].ran


def test_a_worker_may_come_from_a_star_import(folders: Folders) -> None:
    """`from .api import *` in `worker.py` is a worker when `api` defines it."""
    folders.prop("coffin", "from .api import *\n", api__py=WORKER)
    assert folders.only_worker().worker_class.__module__ == "props.coffin.backend.api"


def test_sub_packages_work(folders: Folders) -> None:
    """A backend may have folders of its own, and their modules reach upwards."""
    folders.prop(
        "coffin",
        WITH_RELAY.format(line="from .hw.gpio import Relay"),
        hw___gpio__py="from ..pins import PIN\n\nclass Relay:\n    pin = PIN\n",
        pins__py="PIN = 17\n",
    )
    assert relay_of(folders.only_worker()).pin == 17


def test_two_props_never_collide(folders: Folders) -> None:
    """Props whose files have the same names each get their own."""
    for name, pin in (("coffin", 4), ("tesla", 5)):
        folders.prop(name, WITH_RELAY.format(line="from .relay import Relay"), relay__py=RELAY.format(pin=pin))
    coffin, tesla = folders.load().workers
    assert (relay_of(coffin).pin, relay_of(tesla).pin) == (4, 5)


def test_props_may_import_each_other(folders: Folders) -> None:
    """A shared folder of the props is imported by its absolute name, and once."""
    write(folders.props / "shared" / "relay.py", RELAY.format(pin=9))
    for name in ("coffin", "tesla"):
        folders.prop(name, WITH_RELAY.format(line="from props.shared.relay import Relay"))
    coffin, tesla = folders.load().workers
    assert relay_of(coffin) is relay_of(tesla)


@pytest.mark.parametrize("name", ["flying-bat", "black cat", "2025", "class", "spöök"])
def test_folder_names_need_not_be_identifiers(folders: Folders, name: str) -> None:
    """Dashes, spaces, digits and Python's own words in a folder's name are fine, relative imports included."""
    folders.prop(name, WITH_RELAY.format(line="from .relay import Relay"), relay__py=RELAY.format(pin=1))
    assert folders.only_worker().prop_id == name


def test_builtins_never_shadow_the_standard_library(folders: Folders) -> None:
    """A built-in is `halloween_builtins.<name>`, `builtins` stays Python's, and built-ins share `_` modules."""
    folders.builtin("_shared", RELAY.format(pin=2))
    folders.builtin("print", WITH_RELAY.format(line="from ._shared import Relay"))
    spec = folders.only_worker()
    assert spec.module == "halloween_builtins.print"
    assert importlib.import_module("builtins").print is print


def test_modules_know_where_they_live(folders: Folders) -> None:
    """`__file__` and `__package__` are Python's, and `importlib.resources` finds the files beside."""
    path = folders.prop(
        "coffin",
        "from importlib.resources import files\nTEXT = (files(__package__) / 'scream.txt').read_text()\n" + WORKER,
        scream__txt="aaah",
    )
    module = sys.modules[folders.only_worker().module]
    assert (module.__file__, module.__package__) == (str(path), "props.coffin.backend")
    assert module.TEXT == "aaah"


def test_optional_modules_of_a_prop_may_be_missing(folders: Folders) -> None:
    """An `ImportError` of a missing module can be caught, for `from . import x` as for `from .x import y`."""
    folders.prop(
        "coffin",
        "try:\n    from . import local\nexcept ImportError:\n    pass\n"
        "try:\n    from .local import PIN\nexcept ModuleNotFoundError:\n    pass\n" + WORKER,
    )
    assert folders.only_worker().prop_id == "coffin"


def test_code_is_loaded_from_source(folders: Folders) -> None:
    """An edit of equal size with the same time stamp is seen, although Python had cached the file before."""
    relay = folders.prop("coffin", WITH_RELAY.format(line="from .relay import Relay"), relay__py=RELAY.format(pin=1))
    relay = relay.parent / "relay.py"
    stat = relay.stat()
    py_compile.compile(str(relay))
    relay.write_text(RELAY.format(pin=2))
    os.utime(relay, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert relay_of(folders.only_worker()).pin == 2


def test_no_cache_is_written_or_read(folders: Folders) -> None:
    """Loading writes no `.pyc`, and one whose source is gone is no module."""
    worker = folders.prop("coffin", "from .relay import Relay\n" + WORKER, relay__py=RELAY.format(pin=1))
    relay = worker.parent / "relay.py"
    py_compile.compile(str(relay), cfile=str(relay.with_suffix(".pyc")))
    relay.unlink()
    (error,) = folders.load().errors
    assert error.reason == "No module named 'props.coffin.backend.relay'"
    assert not list(folders.props.rglob("__pycache__"))


def test_tracebacks_show_the_lines_that_run(folders: Folders) -> None:
    """A traceback quotes the source as it was loaded, also after an edit."""
    path = folders.prop("coffin", WORKER + "    def scream(self):\n        raise ValueError('aaah')\n")
    spec = folders.only_worker()
    path.write_text("# rewritten\n" * 20)
    assert "raise ValueError('aaah')" in scream(spec)


def test_line_numbers_survive_odd_separators(folders: Folders) -> None:
    """A form feed or a line separator inside a string does not shift the quoted lines."""
    source = WORKER + "    TEXT = 'a\u2028b\x0cc'\n    def scream(self):\n        raise ValueError('aaah')\n"
    folders.prop("coffin", source.encode())
    assert "raise ValueError('aaah')" in scream(folders.only_worker())


def test_other_encodings_are_read_by_their_coding_line(folders: Folders) -> None:
    """A file that declares Latin-1 is Latin-1."""
    folders.prop("coffin", "# coding: latin-1\nNAME = 'spöök'\n".encode("latin-1") + WORKER.encode())
    assert sys.modules[folders.only_worker().module].NAME == "spöök"


@pytest.mark.parametrize("name", ["props", "halloween_builtins"])
@pytest.mark.parametrize("with_file", [True, False])
def test_a_foreign_package_is_named(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, with_file: bool
) -> None:
    """A package of our names that somebody imported before is one error with its place, and nothing is loaded."""
    folders.prop("coffin")
    stranger = ModuleType(name)
    stranger.__path__ = [str(tmp_path / "elsewhere")]
    if with_file:
        stranger.__file__ = str(tmp_path / "elsewhere" / "__init__.py")
    monkeypatch.setitem(sys.modules, name, stranger)
    catalog = folders.load()
    (error,) = catalog.errors
    assert catalog.workers == ()
    assert error.prop_id == "worker_host"
    assert f"another package called {name!r} is imported already ({tmp_path / 'elsewhere'}" in error.reason
    assert sys.modules[name] is stranger


def test_a_second_load_begins_afresh(folders: Folders) -> None:
    """Loading again, for another host, gives new modules; what was there before is forgotten."""
    folders.prop("coffin", WITH_RELAY.format(line="from .relay import Relay"), relay__py=RELAY.format(pin=1))
    first = folders.only_worker()
    write(folders.props / "coffin" / "backend" / "relay.py", RELAY.format(pin=2))
    second = folders.only_worker()
    assert second.worker_class is not first.worker_class
    assert relay_of(second).pin == 2
    assert (
        sum("Finder" in type(finder).__name__ and "loader" in type(finder).__module__ for finder in sys.meta_path) == 1
    )


def test_unloading_leaves_nothing(folders: Folders) -> None:
    """After `unload_workers` the interpreter knows no module of a worker and has no finder of ours."""
    folders.prop("coffin", WITH_RELAY.format(line="from .relay import Relay"), relay__py=RELAY.format(pin=1))
    folders.builtin("heartbeat")
    before = list(sys.meta_path)
    folders.load()
    unload_workers()
    assert not [name for name in sys.modules if name.partition(".")[0] in ("props", "halloween_builtins")]
    assert sys.meta_path == before
