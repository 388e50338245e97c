"""One worker is imported anew beside the old one, whose modules stay until somebody puts the new ones in their place."""

from __future__ import annotations

import sys
import threading
import traceback
from contextlib import nullcontext

import pytest
import trio

from halloween_host.loader import WorkerSpec
from tests.loader.conftest import LEGACY, WORKER, Folders, write
from tests.loader.stand_ins import gate

SCREAM = WORKER + "    def scream(self):\n        raise ValueError('{text}')\n"


def scream(spec: WorkerSpec | None) -> str:
    assert spec is not None
    with pytest.raises(ValueError, match=r"one|two") as caught:
        vars(spec.worker_class)["scream"](None)
    return "".join(traceback.format_exception(caught.value))


def props_modules() -> dict[str, object]:
    return {name: module for name, module in sys.modules.items() if name.startswith("props")}


def test_new_code_is_another_class(folders: Folders) -> None:
    """The new spec has the new code of all the prop's files; the old class is what it was, as are the neighbours."""
    folders.prop("apple")
    path = folders.prop("coffin", "from .api import *\n", api__py=SCREAM.format(text="one"))
    apple, old = folders.load().workers
    write(path.parent / "api.py", SCREAM.format(text="two"))
    write(path.parent / "config.json", '{"lid": 1}')
    anew = folders.again(old)
    assert anew.errors == ()
    assert anew.spec is not None
    assert (anew.spec.prop_id, anew.spec.path, anew.spec.config.values) == (old.prop_id, old.path, {"lid": 1})
    assert anew.spec.worker_class is not old.worker_class
    assert "ValueError: two" in scream(anew.spec)
    assert "ValueError: one" in scream(old)
    assert vars(sys.modules[apple.module])["Worker"] is apple.worker_class


def test_python_knows_the_old_modules_until_the_new_ones_are_put_there(folders: Folders) -> None:
    """An import in old code finds old code; then new code, and old code again: modules, place in the package, quoted lines."""
    path = folders.prop("coffin", "from .api import *\n", api__py=SCREAM.format(text="one"))
    old = folders.only_worker()
    before = props_modules()
    write(path.parent / "api.py", "#\n" * 20 + SCREAM.format(text="two"))
    anew = folders.again(old)
    assert props_modules() == before
    assert "raise ValueError('one')" in scream(old)
    anew.modules.put_back()
    assert vars(sys.modules[old.module])["Worker"] is anew.spec.worker_class  # type: ignore[union-attr] # `scream` says so
    assert sys.modules["props"].coffin is sys.modules["props.coffin"] is not before["props.coffin"]
    assert "raise ValueError('two')" in scream(anew.spec)
    anew.before.put_back()
    assert props_modules() == before
    assert sys.modules["props"].coffin is before["props.coffin"]
    assert "raise ValueError('one')" in scream(old)


def test_a_builtin_is_loaded_again(folders: Folders) -> None:
    """The same holds for a built-in."""
    folders.builtin("heartbeat", SCREAM.format(text="one"))
    old = folders.only_worker()
    folders.builtin("heartbeat", SCREAM.format(text="two"))
    assert "ValueError: two" in scream(folders.again(old).spec)


@pytest.mark.parametrize("source", ["def broken(:\n", "1 / 0\n", "x = 1\n", "PROP_ID = 5\n" + WORKER])
def test_a_failure_leaves_the_old_modules(folders: Folders, source: str) -> None:
    """After an error the modules, their place in their package and their quoted lines are the old ones."""
    path = folders.prop("coffin", "from .api import *\n", api__py=SCREAM.format(text="one"))
    old = folders.only_worker()
    before = props_modules()
    write(path, source)
    write(path.parent / "api.py", "#\n" * 20)
    anew = folders.again(old)
    assert (anew.spec, len(anew.errors)) == (None, 1)
    assert props_modules() == before
    assert sys.modules["props"].coffin is sys.modules["props.coffin"]
    assert "raise ValueError('one')" in scream(old)


def test_a_prop_cannot_change_its_id(folders: Folders) -> None:
    """A reload under another prop id would leave the old one's topics behind: it is refused, with the line."""
    path = folders.prop("coffin")
    old = folders.only_worker()
    write(path, "# moved\nPROP_ID = 'sarg'\n" + WORKER)
    (error,) = folders.again(old).errors
    assert error.reason == "its prop id was 'coffin' and now is 'sarg': restart the host for that"
    assert error.line == 2


def test_a_file_that_went_is_an_error(folders: Folders) -> None:
    """A deleted file cannot be loaded again."""
    path = folders.prop("coffin")
    old = folders.only_worker()
    path.unlink()
    (error,) = folders.again(old).errors
    assert (error.path, error.reason) == (path, "cannot be read: No such file or directory")


def test_one_that_did_not_run_is_loaded_alone(folders: Folders) -> None:
    """A new folder is found by its name and leaves nothing in Python before it is put there; a prop id that is taken is an error."""
    folders.prop("coffin")
    old = folders.only_worker()
    again = folders.loads_again(WORKER_PROPS_DISABLE="organ")
    assert [again.find(name) for name in ("lantern", "_hidden", ".git", "..", ".")] == [None] * 5
    folders.prop("lantern")
    folders.prop("sarg", "PROP_ID = 'coffin'\n" + WORKER)
    folders.prop("organ")
    lantern, sarg, organ = (again.find(name) for name in ("lantern", "sarg", "organ"))
    assert lantern is not None
    assert sarg is not None
    assert organ is not None
    assert (again.refusal(lantern), again.refusal(organ)) == (None, "in WORKER_PROPS_DISABLE")
    anew = again.of_new(lantern, {"coffin": old.module}).run()
    assert anew.spec is not None
    assert "props.lantern" not in sys.modules
    anew.modules.put_back()
    assert vars(sys.modules[anew.spec.module])["Worker"] is anew.spec.worker_class
    (error,) = again.of_new(sarg, {"coffin": old.module}).run().errors
    assert f"the prop id 'coffin' is taken by {old.path}" in error.reason
    assert "props.sarg" not in sys.modules


async def test_an_import_that_hangs_is_given_up(folders: Folders) -> None:
    """The old modules are back at once, also after what hung has ended; what came of it is let go."""
    path = folders.prop("coffin", LEGACY)
    folders.loading = lambda: nullcontext("a loop")
    old = folders.only_worker()
    before = props_modules()
    write(path, "from tests.loader.stand_ins import gate\ngate.wait(20)\n" + LEGACY)
    task = folders.loads_again().of(old.module, "coffin")
    ended = threading.Event()

    def run() -> None:
        task.run()
        ended.set()

    threading.Thread(target=run).start()
    with trio.fail_after(10):
        while task.place() != f"{path}:2":  # noqa: ASYNC110 (no event tells of it)
            await trio.sleep(0.01)
    task.give_up()
    assert props_modules() == before
    assert not task.over
    gate.set()
    assert await trio.to_thread.run_sync(ended.wait, 10)
    assert task.over
    assert folders.discarded == ["a loop"]
    assert props_modules() == before
