"""Where code stands, as "file:line" of the author's innermost frame: whoever will not end is named with it."""

from __future__ import annotations

import functools
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

__all__ = ["name_of_coroutine", "name_of_function", "name_of_thread"]

_LIBRARY: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS: Final = str(Path(__file__).parents[1])

_Place = tuple[CodeType, int]


def name_of_coroutine(coroutine: object) -> str:
    """``Worker._ticker (…/worker.py:31)``: the coroutine, and the author's line at which it waits now."""
    places = list(_waiting_places(coroutine))
    name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
    authors = next((code for code, _ in places if _is_authors(code)), None)
    if authors is not None and places[0][0] is not authors:  # the outermost is a wrapper of ours or a library's
        name = authors.co_qualname
    return _with_place(_plain(name), places)


def name_of_thread(ident: int) -> str | None:
    """``Worker.do_fire (…/worker.py:31)``: the author's function and line in a running thread, None when it runs none."""
    places = list(_frames(sys._current_frames().get(ident)))
    authors = [place for place in reversed(places) if _is_authors(place[0])]
    return _with_place(_plain(authors[0][0].co_qualname), authors) if authors else None


def name_of_function(function: object) -> str:
    """``Worker._read (…/worker.py:12)``, also behind `functools.partial` and `Context.run` (`to_thread` calls it so)."""
    bare = _bare(function)
    code = getattr(inspect.unwrap(bare), "__code__", None)
    name = _plain(getattr(bare, "__qualname__", type(bare).__name__))
    return _with_place(name, [(code, code.co_firstlineno)] if isinstance(code, CodeType) else [])


def _plain(qualname: str) -> str:
    return qualname.replace(".<locals>", "")


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        is_context_run = getattr(function.func, "__name__", "") == "run" and not hasattr(function.func, "__code__")
        function = function.args[0] if is_context_run and function.args else function.func
    return function


def _with_place(name: str, places: list[_Place]) -> str:
    authors = [place for place in places if _is_authors(place[0])] or places
    return f"{name} ({authors[-1][0].co_filename}:{authors[-1][1]})" if authors else name


def _waiting_places(awaitable: object) -> Iterator[_Place]:
    """From the outermost frame inwards, along what each coroutine waits for."""
    while awaitable is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaitable, f"{kind}_frame", None)
            if isinstance(frame, FrameType):
                yield frame.f_code, frame.f_lineno
            if hasattr(awaitable, f"{kind}_frame"):
                awaitable = getattr(awaitable, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            return


def _frames(frame: FrameType | None) -> Iterator[_Place]:
    while frame is not None:
        yield frame.f_code, frame.f_lineno
        frame = frame.f_back


def _is_authors(code: CodeType) -> bool:
    return not code.co_filename.startswith(("<", _OURS, *_LIBRARY))
