"""`@action` tells its author what is wrong with it, at the line where it stands."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import halloween_host
import worker_host.base
from halloween_host import BaseWorker, action
from tests.loader.conftest import Folders

NATIVE = "from halloween_host import BaseWorker, action\n"
LEGACY = "from worker_host.base import BaseWorker, action\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"mode": "dorp"},
            "@action(mode='dorp'): no such mode; did you mean 'drop'? there are 'parallel', 'drop', 'restart', 'queue'",
        ),
        ({"mode": None}, "@action(mode=None): no such mode; there are 'parallel', 'drop', 'restart', 'queue'"),
        ({"cooldown": -1}, "@action(cooldown=-1): seconds, a number above 0, or None"),
        ({"cooldown": True}, "@action(cooldown=True): seconds, a number above 0, or None"),
        ({"timeout": "60"}, "@action(timeout='60'): seconds, a number above 0, or None"),
        ({"timeout": 0}, "@action(timeout=0): seconds, a number above 0, or None"),
        ({"timeout": float("inf")}, "@action(timeout=inf): seconds, a number above 0, or None"),
        ({"timeout": float("nan")}, "@action(timeout=nan): seconds, a number above 0, or None"),
    ],
    ids=str,
)
def test_wrong_values(given: dict[str, Any], said: str) -> None:
    """They are a TypeError where they stand."""
    with pytest.raises(TypeError) as caught:
        action(**given)
    assert str(caught.value) == said


def test_it_stands_above_a_method() -> None:
    """Bare or with brackets, above a plain, static or class method; above anything else is a clear error."""

    class Worker(BaseWorker):
        @action
        async def do_a(self, arg: str | None) -> None: ...

        @action(mode="drop")
        @staticmethod
        async def do_b(arg: str | None) -> None: ...

    assert inspect.iscoroutinefunction(Worker.do_a)
    assert Worker.do_b._halloween_action.mode == "drop"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="above a do_ method, not above a str"):
        action("drop")  # type: ignore[call-overload]


def test_both_dialects_import_the_same() -> None:
    """From the package that the worker's base comes from."""
    assert halloween_host.action is worker_host.base.action


@pytest.mark.parametrize("imports", [NATIVE, LEGACY], ids=["native", "legacy"])
@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        ("@action(timeout=5)", "do_fire(): @action(timeout=…) needs an 'async def'"),
        ('@action(mode="restart")', "do_fire(): @action(mode=\"restart\"…) needs an 'async def'"),
        ('@action(mode="dorp")', "no such mode; did you mean 'drop'?"),
    ],
)
def test_a_plain_handler_that_would_have_to_be_cancelled_is_a_load_error(
    folders: Folders,
    imports: str,
    decorator: str,
    said: str,
) -> None:
    """With the file and the line of the decorator."""
    source = imports + f"class Worker(BaseWorker):\n    {decorator}\n    def do_fire(self, arg): ...\n"
    worker = folders.prop("coffin", source)
    error = folders.only_error()
    assert (error.path, error.line) == (worker, 3)
    assert said in error.reason
