"""One worker is imported anew beside the old one, and the old one stays when that fails."""

from __future__ import annotations

import sys
import traceback

import pytest

from halloween_host.loader import WorkerSpec
from tests.loader.conftest import WORKER, Folders, write

SCREAM = WORKER + "    def scream(self):\n        raise ValueError('{text}')\n"


def scream(spec: WorkerSpec) -> str:
    with pytest.raises(ValueError, match=r"one|two") as caught:
        vars(spec.worker_class)["scream"](None)
    return "".join(traceback.format_exception(caught.value))


def test_new_code_is_another_class(folders: Folders) -> None:
    """The new spec has the new code of all the prop's files; the old class is what it was, as are the neighbours."""
    folders.prop("apple")
    path = folders.prop("coffin", "from .api import *\n", api__py=SCREAM.format(text="one"))
    apple, old = folders.load().workers
    write(path.parent / "api.py", SCREAM.format(text="two"))
    write(path.parent / "config.json", '{"lid": 1}')
    catalog = folders.again(old)
    (new,) = catalog.workers
    assert catalog.errors == ()
    assert (new.prop_id, new.path, new.config.values) == (old.prop_id, old.path, {"lid": 1})
    assert new.worker_class is not old.worker_class
    assert "ValueError: two" in scream(new)
    assert "ValueError: one" in scream(old)
    assert vars(sys.modules[apple.module])["Worker"] is apple.worker_class


def test_a_builtin_is_loaded_again(folders: Folders) -> None:
    """The same holds for a built-in."""
    folders.builtin("heartbeat", SCREAM.format(text="one"))
    old = folders.only_worker()
    folders.builtin("heartbeat", SCREAM.format(text="two"))
    (new,) = folders.again(old).workers
    assert "ValueError: two" in scream(new)


@pytest.mark.parametrize("source", ["def broken(:\n", "1 / 0\n", "x = 1\n", "PROP_ID = 5\n" + WORKER])
def test_a_failure_leaves_the_old_modules(folders: Folders, source: str) -> None:
    """After an error the modules, their place in their package and their quoted lines are the old ones."""
    path = folders.prop("coffin", "from .api import *\n", api__py=SCREAM.format(text="one"))
    old = folders.only_worker()
    before = {name: module for name, module in sys.modules.items() if name.startswith("props")}
    write(path, source)
    write(path.parent / "api.py", "#\n" * 20)
    catalog = folders.again(old)
    assert (catalog.workers, len(catalog.errors)) == ((), 1)
    assert {name: module for name, module in sys.modules.items() if name.startswith("props")} == before
    assert sys.modules["props"].coffin is sys.modules["props.coffin"]
    assert "raise ValueError('one')" in scream(old)


def test_a_prop_cannot_change_its_id(folders: Folders) -> None:
    """A reload under another prop id would leave the old one's topics behind: it is refused."""
    path = folders.prop("coffin")
    old = folders.only_worker()
    write(path, "PROP_ID = 'sarg'\n" + WORKER)
    (error,) = folders.again(old).errors
    assert error.reason == "its prop id was 'coffin' and now is 'sarg': restart the host for that"


def test_a_file_that_went_is_an_error(folders: Folders) -> None:
    """A deleted file cannot be loaded again."""
    path = folders.prop("coffin")
    old = folders.only_worker()
    path.unlink()
    (error,) = folders.again(old).errors
    assert error.path == path
    assert "No module named 'props.coffin.backend.worker'" in error.reason
