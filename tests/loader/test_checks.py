"""What makes a module a worker, and what is said of one that is none."""

from __future__ import annotations

import pytest

from tests.loader.conftest import WORKER, Folders

BASE = "from halloween_host import BaseWorker\n"


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("x = 1\n", 1, "has no class named Worker: write `class Worker(BaseWorker):`"),
        (BASE + "\nclass Coffin(BaseWorker):\n    pass\n", 3, "has no class named Worker: rename Coffin"),
        ("\n\nclass worker:\n    pass\n", 3, "has no class named Worker: rename worker"),
        ("Worker = 5\n", 1, "Worker is no class but int 5: write `class Worker(BaseWorker):`"),
        ("\ndef Worker():\n    pass\n", 2, "Worker is no class but a function"),
        (BASE + "if True:\n    Worker = BaseWorker[int]\n", 3, "Worker is no class but a _GenericAlias"),
        (BASE + "Worker = BaseWorker\n", 2, "Worker is BaseWorker itself"),
        ("from halloween_host import BaseWorker as Worker\n", 1, "Worker is BaseWorker itself"),
        ("\nclass Worker:\n    pass\n", 2, "Worker must inherit from BaseWorker"),
        ("import threading\nclass Worker(threading.Thread):\n    pass\n", 2, "Worker must inherit from BaseWorker"),
        (
            "from halloween_host.worker import CommonWorker\nclass Worker(CommonWorker):\n    pass\n",
            2,
            "Worker must inherit from BaseWorker",
        ),
        (
            "from abc import abstractmethod, ABC\n" + BASE + "class Worker(BaseWorker, ABC):\n"
            "    @abstractmethod\n    def pin(self): ...\n    @abstractmethod\n    def arm(self): ...\n",
            3,
            "Worker is abstract: it does not define arm, pin",
        ),
        (
            BASE + "from tests.loader.stand_ins import LegacyWorker\n"
            "class Worker(BaseWorker, LegacyWorker):\n    def __init__(self): ...\n",
            3,
            "Worker inherits from both BaseWorkers",
        ),
    ],
)
def test_a_module_that_is_no_worker(folders: Folders, source: str, line: int, reason: str) -> None:
    """Each is one error at the line where the author has to change something."""
    path = folders.prop("coffin", source)
    error = folders.only_error()
    assert (error.path, error.line) == (path, line)
    assert error.reason.startswith(reason)


def test_a_wrong_base_says_which_two_imports_exist(folders: Folders) -> None:
    """The error holds both import lines, ready to be copied."""
    folders.prop("coffin", "class Worker:\n    pass\n")
    reason = folders.only_error().reason
    assert "`from halloween_host import BaseWorker`" in reason
    assert "`from worker_host.base import BaseWorker`" in reason


def test_a_wrong_class_is_shown_where_it_is_written(folders: Folders) -> None:
    """A `Worker` that `worker.py` imports from a sibling is told at the sibling's class statement."""
    worker = folders.prop("coffin", "from .api import Worker\n", api__py="\n\nclass Worker:\n    pass\n")
    error = folders.only_error()
    assert (error.path, error.line) == (worker.parent / "api.py", 3)


def test_a_worker_may_inherit_from_a_worker(folders: Folders) -> None:
    """A base of the author's own between `BaseWorker` and `Worker` is fine."""
    folders.prop(
        "coffin", BASE + "class Lid(BaseWorker):\n    async def do_open(self): ...\nclass Worker(Lid):\n    pass\n"
    )
    assert list(folders.only_worker().actions) == ["open"]


def test_prop_id_overrides_the_folders_name(folders: Folders) -> None:
    """`PROP_ID` in the module is the prop id, for props and built-ins, also when a sibling defines it."""
    folders.prop("coffin", "from .api import *\n", api__py="PROP_ID = 'coffin 2'\n" + WORKER)
    folders.builtin("heartbeat", "PROP_ID = 'beat'\n" + WORKER)
    assert [spec.prop_id for spec in folders.load().workers] == ["beat", "coffin 2"]


@pytest.mark.parametrize(
    ("prop_id", "reason"),
    [
        ("5", "PROP_ID must be text, not int 5"),
        ("None", "PROP_ID must be text, not a NoneType"),
        ("['a']", "PROP_ID must be text, not a list"),
        ("''", "PROP_ID '' is empty"),
        ("'a/b'", "PROP_ID 'a/b' is no prop id"),
        ("'worker_host'", "PROP_ID 'worker_host' is the host's own name"),
    ],
)
def test_a_prop_id_that_cannot_be_used(folders: Folders, prop_id: str, reason: str) -> None:
    """A wrong `PROP_ID` is told at its line."""
    folders.prop("coffin", f"import os\nPROP_ID = {prop_id}\n" + WORKER)
    error = folders.only_error()
    assert error.line == 2
    assert error.reason.startswith(reason)


def test_a_prop_id_is_given_once(folders: Folders) -> None:
    """The second worker with a prop id is an error that names both files; the first keeps it."""
    first = folders.prop("apple", "PROP_ID = 'same'\n" + WORKER)
    second = folders.prop("coffin", "PROP_ID = 'same'\n" + WORKER)
    catalog = folders.load()
    (error,) = catalog.errors
    assert [spec.path for spec in catalog.workers] == [first]
    assert error.path == second
    assert error.line == 1
    assert f"the prop id 'same' is taken by {first}" in error.reason


def test_a_prop_keeps_its_id_from_a_builtin(folders: Folders) -> None:
    """What the operator put into props goes before what came along, and the error says how to have peace."""
    prop = folders.prop("heartbeat")
    builtin = folders.builtin("heartbeat")
    catalog = folders.load()
    (error,) = catalog.errors
    assert [spec.path for spec in catalog.workers] == [prop]
    assert error.path == builtin
    assert error.reason.endswith("or WORKER_BUILTINS_DISABLE=heartbeat")


def test_a_prop_id_stays_with_a_worker_that_failed(folders: Folders) -> None:
    """Commands for a prop never reach another one because its config happens to be wrong."""
    folders.prop("apple", "PROP_ID = 'same'\n" + WORKER + "    async def do_x(self, a: 'NoSuch'): ...\n")
    folders.prop("coffin", "PROP_ID = 'same'\n" + WORKER)
    assert (folders.load().workers, len(folders.load().errors)) == ((), 2)


def test_a_handlers_annotation_that_cannot_be_resolved(folders: Folders) -> None:
    """It is an error at the handler's own line, in the file where that stands."""
    worker = folders.prop(
        "coffin",
        "from .api import *\n",
        api__py=WORKER + "\n    async def do_open(self, angle: 'Angel'):\n        ...\n",
    )
    error = folders.only_error()
    assert (error.path, error.line) == (worker.parent / "api.py", 6)
    assert "do_open()" in error.reason
    assert "Angel" in error.reason
