"""An exception out of a worker's code becomes one line that names what failed, where, and the way out of a wrong turn."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from pathlib import Path
from typing import Final

import trio

__all__ = ["describe", "leaves", "place_in_thread", "place_of", "shown_path", "shown_place", "split_cancelled"]

_OURS: Final = str(Path(__file__).parents[1])

#: How asyncio called from a native worker (and trio from a legacy one) shows itself: error type, part of its text.
_ASYNCIO_IN_NATIVE: Final = (
    (RuntimeError, "no running event loop"),
    (RuntimeError, "no current event loop"),
    (TypeError, "trio.run received unrecognized yield message"),
    (TypeError, "trio.run() got unexpected"),
    (AttributeError, "'NoneType' object has no attribute 'create_future'"),
    (AttributeError, "'NoneType' object has no attribute 'call_"),
)
_TRIO_IN_LEGACY: Final = (
    (RuntimeError, "Task got bad yield"),
    (RuntimeError, "must be called from async context"),
    (RuntimeError, "this function should only be called from inside Trio"),
)


def split_cancelled(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Part what is Trio's cancellation, which must pass, from what failed: (cancelled, failed), either may be None."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        cancelled, failed = error.split(trio.Cancelled)
        return cancelled, None if failed is None else _unwrapped(failed)
    return None, error


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, nested ones too; the exception itself when it is no group."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in leaves(inner)]


def describe(error: BaseException, dialect: str) -> str:
    """``ValueError: invalid literal…``, each exception of a group, and for a wrong turn the import to change with file and line."""
    parts = []
    for leaf in leaves(error):
        text = _text_of(leaf)
        parts.append(f"{type(leaf).__name__}: {text}" if text else type(leaf).__name__)
        if turn := _wrong_turn(leaf, dialect):
            parts[-1] += f" ({turn})"
    return "; ".join(parts)


def _text_of(error: BaseException) -> str:
    """An author's text on one line; an error whose text cannot be made has none."""
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 an author's __str__
        return ""


def place_of(error: BaseException) -> str | None:
    """``worker.py:31``-like place in the author's code where the exception came from: the last frame that is no library's."""
    frame = _authors_frame(leaves(error)[0])
    return None if frame is None else shown_place(frame.filename, frame.lineno)


def place_in_thread(thread: int) -> str | None:
    """``worker.py:31``-like place where the author's code stands in a running thread, None when it is in none of it."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if _is_authors(frame.f_code.co_filename):
            return shown_place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def shown_place(filename: str, line: int | None) -> str:
    """``props/coffin/backend/worker.py:31``, the file as `shown_path` shows it."""
    return f"{shown_path(Path(filename))}:{line}"


def shown_path(path: Path) -> str:
    """A path as an operator reads it on a phone: short where it is below the current folder."""
    return str(path).removeprefix(f"{os.getcwd()}/")  # noqa: PTH109 (Path's own take ten times as long, and each worker is shown)


def _unwrapped(error: BaseException) -> BaseException:
    """A group of one is that one; its traceback tells the same."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _authors_frame(error: BaseException) -> traceback.FrameSummary | None:
    frames = [each for each in traceback.extract_tb(error.__traceback__) if _is_authors(each.filename)]
    return frames[-1] if frames else None


def _is_authors(filename: str) -> bool:
    return not filename.startswith(("<", _OURS, *_library()))


@functools.cache
def _library() -> frozenset[str]:
    import sysconfig  # not before the first error: it reads how Python was built

    return frozenset(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def _wrong_turn(error: BaseException, dialect: str) -> str | None:
    signs = _ASYNCIO_IN_NATIVE if dialect == "native" else _TRIO_IN_LEGACY
    if not any(isinstance(error, kind) and sign in str(error) for kind, sign in signs):
        return None
    frame = _authors_frame(error)
    where = "" if frame is None else f"{shown_place(frame.filename, frame.lineno)}: "
    if dialect == "native":
        return (
            f"{where}asyncio called in a native worker: write 'import anyio' for 'import asyncio' and await anyio's functions, "
            "or make it an asyncio worker with 'from worker_host.base import BaseWorker'"
        )
    return (
        f"{where}trio called in an asyncio worker: use asyncio or anyio there, "
        "or make it a native worker with 'from halloween_host import BaseWorker'"
    )
