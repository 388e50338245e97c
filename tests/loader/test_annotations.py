"""A handler's annotations mean what `typing.get_type_hints` says, though texts are remembered from one worker to the next."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Callable
from typing import Any

import pytest

from halloween_host.worker import _annotations
from tests.loader.conftest import Folders

HEAD = "from __future__ import annotations\nfrom typing import *\nfrom pathlib import Path\nfrom halloween_host import BaseWorker\n"

TEXTS = (
    "str",
    "str | None",
    "int | float",
    "None",
    "dict[str, Any]",
    "list['int']",
    "tuple[int, ...]",
    "Any",
    "Path | None",
    "Optional[str]",
    "Literal['a', 'b']",
    "Annotated[int, 'volts']",
    "Own",
    "list[Own]",
)
#: What a module or a class may say before its handlers.
SCOPES = (
    "Own = int",
    "str = bytes\nOwn = str",
    "int = str\nAny = bool\nOwn = list[Any]",
    "class Path: ...\nOwn = Path",
)


def made(text: str, scope: str, *, inside: bool) -> tuple[Callable[..., Any], type]:
    """A handler with the annotation and its class, whose module or body begins with `scope`."""
    body = f"async def do_x(self, arg: {text}) -> None: ..."
    if inside:
        body = f"{scope}\n{body}"
    source = f"{HEAD}{'Own = float' if inside else scope}\nclass Worker(BaseWorker):\n{textwrap.indent(body, '    ')}\n"
    names: dict[str, Any] = {"__name__": "props.coffin.backend.worker"}
    exec(compile(source, "worker.py", "exec"), names)
    return names["Worker"].do_x, names["Worker"]


@pytest.mark.parametrize("inside", [False, True], ids=["module", "class"])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("text", TEXTS)
def test_it_means_the_same(text: str, scope: str, inside: bool) -> None:
    """Also where a module or a class calls something of its own `str`, before and after another worker meant Python's."""
    function, owner = made(text, scope, inside=inside)
    wanted = typing.get_type_hints(function, localns=dict(vars(owner)))
    for _ in range(2):
        assert dict(_annotations.resolve(function, owner).by_name) == wanted


def test_a_text_that_many_use_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second worker's `str | None` is not evaluated again."""
    function, owner = made("str | None", "", inside=False)
    assert _annotations.resolve(function, owner).by_name["arg"] == str | None
    monkeypatch.setattr(typing, "get_type_hints", None)
    function, owner = made("str | None", "", inside=False)
    assert _annotations.resolve(function, owner).by_name["arg"] == str | None


@pytest.mark.parametrize(
    ("annotated", "said"),
    [
        ("arg: Nobody", "NameError: name 'Nobody' is not defined"),
        ("arg: str, *, more: Nobody = 1", "NameError: name 'Nobody' is not defined"),
        ("arg: str |", None),
    ],
)
def test_one_that_means_nothing_is_a_load_error(folders: Folders, annotated: str, said: str | None) -> None:
    """Of any parameter, at the handler's own line."""
    path = folders.prop("coffin", f"{HEAD}class Worker(BaseWorker):\n    def do_x(self, {annotated}) -> None: ...\n")
    (error,) = folders.load().errors
    assert (error.path, error.line) == (path, 6)
    if said is not None:
        assert error.reason == f"do_x(): its annotation cannot be resolved: {said}"


def test_the_actions_are_those_of_the_signature(folders: Folders) -> None:
    """Whatever is between `def` and the handler that the class has, a handler takes what its signature says."""
    folders.prop(
        "coffin",
        HEAD
        + textwrap.dedent("""
        import functools

        def told(function):
            @functools.wraps(function)
            async def wrapper(*args):
                return await function(*args)
            return wrapper

        class Parent(BaseWorker):
            def do_inherited(self, arg: int): ...

        class Worker(Parent):
            def do_nothing(self): ...
            def do_one(self, arg: int): ...
            def do_default(self, arg: int = 3): ...
            def do_keyword(self, *, arg=1): ...
            def do_many(self, *args: int): ...
            @staticmethod
            def do_static(arg: int): ...
            @classmethod
            def do_of_class(cls, arg: int): ...
            @told
            async def do_wrapped(self, arg: int): ...
            do_partial = functools.partialmethod(do_one, 5)
        """),
    )
    (spec,) = folders.load().workers
    takes = {name: (each.takes_argument, each.has_default, each.hint) for name, each in spec.actions.items()}
    assert takes == {
        "inherited": (True, False, int),
        "nothing": (False, False, None),
        "one": (True, False, int),
        "default": (True, True, int),
        "keyword": (False, False, None),
        "many": (True, False, int),
        "static": (True, False, int),
        "of_class": (True, False, int),
        "wrapped": (True, False, int),
        "partial": (False, False, None),
    }
