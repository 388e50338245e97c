"""Which files are workers, in which order, and which of them the toggles leave out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from halloween_host.loader._discovery import discover, python_files
from tests.loader.conftest import WORKER, Folders, write


def test_props_and_builtins_are_found(folders: Folders) -> None:
    """`props/*/backend/worker.py` and `builtins/*.py` are workers, and the catalog has them by prop id."""
    coffin = folders.prop("coffin")
    heartbeat = folders.builtin("heartbeat")
    apple = folders.prop("apple")
    catalog = folders.load()
    assert [(spec.prop_id, spec.path, spec.builtin) for spec in catalog.workers] == [
        ("apple", apple, False),
        ("coffin", coffin, False),
        ("heartbeat", heartbeat, True),
    ]
    assert (catalog.errors, catalog.warnings, catalog.skipped) == ((), (), ())


def test_a_spec_knows_its_worker(folders: Folders) -> None:
    """A spec carries the class, its dialect, its module's name and its actions by name."""
    folders.prop(
        "coffin", WORKER + "    async def do_open(self): ...\n    async def do_close(self, arg: str | None): ...\n"
    )
    spec = folders.only_worker()
    assert (spec.worker_class.__name__, spec.dialect, spec.module) == (
        "Worker",
        "native",
        "props.coffin.backend.worker",
    )
    assert list(spec.actions) == ["close", "open"]
    assert spec.actions["close"].takes_argument
    assert spec.cargo is None


def test_order_is_by_name(folders: Folders) -> None:
    """Props load by name, then built-ins by name, whatever order the file system lists them in."""
    for name in ("zombie", "bat", "coffin"):
        folders.prop(name, f"import tests.loader.conftest as c; c.order.append('{name}')\n" + WORKER)
    for name in ("tick", "ash"):
        folders.builtin(name, f"import tests.loader.conftest as c; c.order.append('{name}')\n" + WORKER)
    from tests.loader import conftest

    order: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conftest, "order", order, raising=False)
        assert not folders.load().errors
    assert order == ["bat", "coffin", "zombie", "ash", "tick"]


def test_underscored_and_hidden_names_are_no_workers(folders: Folders) -> None:
    """Names that start with `_` are skipped and said; hidden ones and `__pycache__` are nothing at all."""
    for name in ("_template", ".git", "__pycache__"):
        folders.prop(name)
        folders.builtin(name)
    catalog = folders.load()
    assert catalog.workers == ()
    assert catalog.errors == ()
    assert [(each.name, each.reason) for each in catalog.skipped if "cache" not in each.name] == [
        ("_template", "its name starts with '_'"),
        ("_template", "its name starts with '_'"),
    ]


def test_a_prop_without_a_backend_is_no_worker(folders: Folders) -> None:
    """A prop of firmware alone, and files that lie about, are passed over in silence."""
    write(folders.props / "tesla" / "firmware" / "main.ino", "void loop() {}")
    write(folders.props / "README.md", "hello")
    write(folders.builtins / "notes.txt", "hello")
    catalog = folders.load()
    assert (catalog.workers, catalog.errors, catalog.skipped) == ((), (), ())


def test_a_backend_without_worker_py_is_said(folders: Folders) -> None:
    """A backend with sources but no `worker.py` is skipped with what it has."""
    write(folders.props / "tesla" / "backend" / "main.py", WORKER)
    (skipped,) = folders.load().skipped
    assert (skipped.name, skipped.reason) == ("tesla", "it has no worker.py (main.py)")


def test_later_builtins_folders_win(folders: Folders) -> None:
    """Of two built-ins with one name the one in the later folder runs, and the other is skipped with a reason."""
    shipped = folders.builtin("heartbeat")
    own = write(folders.builtins.parent / "own" / "heartbeat.py", WORKER + "    async def do_mine(self): ...\n")
    folders.more_builtins = [own.parent]
    catalog = folders.load()
    (spec,) = catalog.workers
    assert (spec.path, list(spec.actions)) == (own, ["mine"])
    assert [(each.path, each.reason) for each in catalog.skipped] == [(shipped, f"replaced by {own}")]


def test_missing_folders_hold_nothing(folders: Folders) -> None:
    """Without a builtins folder there are no built-ins; without a props folder there is a warning beside."""
    shutil.rmtree(folders.props)
    shutil.rmtree(folders.builtins)
    catalog = folders.load()
    assert (catalog.workers, catalog.errors) == ((), ())
    assert catalog.warnings == (f"there is no props folder {folders.props}",)


def test_a_props_folder_that_is_a_file_is_an_error_of_the_host(folders: Folders) -> None:
    """What cannot be listed is said of the host, and the built-ins load."""
    shutil.rmtree(folders.props)
    write(folders.props, "hello")
    folders.builtin("heartbeat")
    catalog = folders.load()
    assert [spec.prop_id for spec in catalog.workers] == ["heartbeat"]
    assert str(catalog.errors[0]) == f"{folders.props}: cannot be listed: Not a directory"


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may enter every folder: for the body of this we are nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("closed", ["", "backend"])
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_we_may_not_enter(closed: str, mode: int) -> None:
    """A prop's folder or backend without the rights to look into it is one error of that prop, and no crash."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own are closed to nobody
        props = Path(name)
        props.chmod(0o755)
        for prop in ("coffin", "tesla"):
            write(props / prop / "backend" / "worker.py", WORKER)
        shut = props / "coffin" / closed
        shut.chmod(mode)
        try:
            with unprivileged():
                finds = discover(props, [])
                sources = [path.name for found in finds.workers for path in python_files(found)]
        finally:
            shut.chmod(0o755)
    coffin, tesla = finds.workers
    assert tesla.problem is None
    assert coffin.problem in ("cannot be listed: Permission denied", "cannot be read: Permission denied")
    assert sources.count("worker.py") >= 1


def test_relative_folders_give_absolute_files(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """A props folder given relative to where the host was started is the same as its absolute path."""
    path = folders.prop("coffin")
    monkeypatch.chdir(folders.props.parent)
    folders.props = folders.props.relative_to(folders.props.parent)
    assert folders.only_worker().path == path


def test_toggled_off_workers_are_skipped_unopened(folders: Folders) -> None:
    """What a toggle excludes is not even imported, and the reason names the variable."""
    folders.prop("coffin", "raise SystemExit")
    folders.prop("tesla")
    folders.builtin("heartbeat", "raise SystemExit")
    catalog = folders.load(WORKER_PROPS_DISABLE="coffin", WORKER_DISABLE_ALL_BUILTINS="1")
    assert [spec.prop_id for spec in catalog.workers] == ["tesla"]
    assert catalog.errors == ()
    reasons = {each.name: each.reason for each in catalog.skipped}
    assert "WORKER_PROPS_DISABLE" in reasons["coffin"]
    assert "WORKER_DISABLE_ALL_BUILTINS" in reasons["heartbeat"]


def test_only_allowed_workers_load(folders: Folders) -> None:
    """An allow list leaves out every other prop, by the folder's name and not by `PROP_ID`."""
    folders.prop("coffin", "PROP_ID = 'sarg'\n" + WORKER)
    folders.prop("tesla", "PROP_ID = 'coffin'\n" + WORKER)
    catalog = folders.load(WORKER_PROPS_ALLOW="coffin")
    assert [spec.prop_id for spec in catalog.workers] == ["sarg"]
    assert "WORKER_PROPS_ALLOW" in catalog.skipped[0].reason


def test_a_toggle_that_names_nothing_is_a_warning(folders: Folders) -> None:
    """A name in a list that no worker has is a warning with the nearest name."""
    folders.prop("coffin")
    (warning,) = folders.load(WORKER_PROPS_DISABLE="cofin").warnings
    assert "cofin" in warning
    assert "did you mean 'coffin'?" in warning


def test_a_disabled_folder_with_a_wrong_name_is_no_error(folders: Folders) -> None:
    """Somebody who switched a broken prop off is not told about it."""
    folders.prop("v1.0")
    catalog = folders.load(WORKER_PROPS_DISABLE="v1.0")
    assert (catalog.errors, len(catalog.skipped)) == ((), 1)
