"""Whatever an author's file raises at import becomes one LoadError: the author's own file and line, and what to do."""

from __future__ import annotations

import ast
import difflib
import linecache
import os
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from halloween_host.errors import LoadError, did_you_mean
from halloween_host.loader._discovery import Found, there
from halloween_host.loader._finder import BUILTINS, PROPS
from halloween_host.loader._requirements import listed, requirements_file

__all__ = ["blame", "bound_at", "bound_in_class", "one_line"]

#: Characters of an author's error text that go into our line.
_TEXT_CHARS: Final = 400
#: Packages that an author's first line names; a slip in one of them is worth a guess.
_KNOWN: Final = ("halloween_host", "worker_host", "asyncio", "trio", "anyio")


def blame(found: Found, error: BaseException, *, doing: str = "import") -> LoadError:
    """The one LoadError for what `error` says; its `__cause__` is the error itself, with its traceback for the log."""
    path, line = _place(found, error)
    column = None
    if isinstance(error, SyntaxError) and _authors(found, error.filename):
        path, line, column = Path(str(error.filename)), error.lineno, error.offset
        reason = f"{type(error).__name__}: {one_line(error.msg)}"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        reason = _missing(found, error, error.name, path, line)
    elif isinstance(error, OSError) and _authors(found, error.filename) and line is None:
        path, reason = Path(os.fsdecode(error.filename)), f"cannot be read: {error.strerror or one_line(error)}"
    elif isinstance(error, ImportError):
        reason = one_line(error)
    else:
        text = one_line(error)
        reason = f"{doing} failed with {type(error).__name__}{': ' + text if text else ''}"
    made = LoadError(found.name, path, reason, line=line or None, column=column or None)
    made.__cause__ = error
    return made


def one_line(error: object) -> str:
    """An author's text, on one line and of bounded length; an error whose text cannot be made has none."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 an author's __str__
        return ""
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"


def bound_at(path: Path, name: str) -> int | None:
    """The line of a file at which `name` is last bound at its top level (also below `if`, `try` and `with`)."""
    return max(_bindings(_statements(path).body, name), default=None)


def bound_in_class(path: Path, class_name: str, name: str) -> int | None:
    """The line of a file at which `name` is last bound in the body of the class."""
    bodies = [
        node.body for node in ast.walk(_statements(path)) if isinstance(node, ast.ClassDef) and node.name == class_name
    ]
    return max((line for body in bodies for line in _bindings(body, name)), default=None)


def _statements(path: Path) -> ast.Module:
    """The file as it was loaded; empty for one that is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # they were said when the file was compiled
            return ast.parse("".join(linecache.getlines(str(path))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _authors(found: Found, file: object) -> bool:
    return isinstance(file, str | bytes | os.PathLike) and Path(os.fsdecode(file)).is_relative_to(found.root)


def _place(found: Found, error: BaseException) -> tuple[Path, int | None]:
    """Where the innermost of the authors' frames stood."""
    place: tuple[Path, int | None] = found.path, None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _authors(found, frame.f_code.co_filename):
            place = Path(frame.f_code.co_filename), line
    return place


def _missing(found: Found, error: ModuleNotFoundError, name: str, path: Path, line: int | None) -> str:
    top = name.partition(".")[0]
    if top in (PROPS, BUILTINS):
        parent, _, last = name.rpartition(".")
        folder = found.root.joinpath(*parent.split(".")[1:])
        return f"{one_line(error)}{did_you_mean(last, [entry.stem for entry in folder.glob('*.py')])}"
    if (importer := _importer(error)) is not None and not _authors(found, importer):
        return f"{one_line(error)}, which {importer} imports"
    if (sibling := _sibling(found, top, path)) is not None:
        dots, file_name = sibling
        fix = _relative(path, line, name, dots)
        return f"a bare import of {top!r} does not find the file {file_name}: write `{fix}`"
    if name != top:
        return one_line(error)
    if near := difflib.get_close_matches(top, _KNOWN, n=1, cutoff=0.8):
        return f"there is no module called {top!r}; did you mean {near[0]!r}?"
    if found.builtin:
        return f"the package {top!r} is not installed where the host runs"
    if top in listed(found):
        return f"the package {top!r} is not installed; backend/requirements.txt lists it: run `just setup`"
    file = requirements_file(found)
    return f"the package {top!r} is not installed: write the package that has it into {file}, then run `just setup`"


def _importer(error: ModuleNotFoundError) -> str | None:
    """The file whose import failed, None for our own call."""
    file = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in ("importlib", __package__.partition(".")[0]):
            file = frame.f_code.co_filename
    return file


def _sibling(found: Found, top: str, importer: Path) -> tuple[str, str] | None:
    """The dots and the file that a bare `import top` in `importer` meant: beside it, or above it in the backend."""
    if not importer.is_relative_to(found.root):
        return None
    dots, folder = ".", importer.parent
    while folder.is_relative_to(found.folder):
        for candidate in (folder / f"{top}.py", folder / top):
            if there(candidate):
                return dots, candidate.relative_to(found.folder).as_posix()
        dots, folder = dots + ".", folder.parent
    return None


def _relative(path: Path, line: int | None, name: str, dots: str) -> str:
    """The import statement at that line, written as a relative one."""
    for node in ast.walk(_statements(path)):
        if not isinstance(node, ast.Import | ast.ImportFrom) or node.lineno != line:
            continue
        if isinstance(node, ast.ImportFrom):
            return f"from {dots}{node.module or ''} import {', '.join(map(_spelled, node.names))}"
        for alias in node.names:
            if alias.name.partition(".")[0] == name.partition(".")[0]:
                parent, _, last = alias.name.rpartition(".")
                return f"from {dots}{parent} import {_spelled(ast.alias(last, alias.asname))}"
    return f"from {dots} import {name}"


def _spelled(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _bindings(body: list[ast.stmt], name: str) -> Iterator[int]:
    for node in body:
        bound: list[str] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound = [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        else:
            for field in ("body", "handlers", "orelse", "finalbody"):
                yield from _bindings(getattr(node, field, []), name)
        if name in bound:
            yield node.lineno
