"""A worker is found by where its file lies, `props/<name>/backend/worker.py` or `builtins/<name>.py`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from halloween_host import topics
from halloween_host.errors import LoadError, TopicError
from halloween_host.loader._catalog import Skipped
from halloween_host.loader._finder import BUILTINS, PROPS

__all__ = ["Finds", "Found", "discover", "find", "found_as", "is_folder", "python_files", "there"]


@attrs.frozen
class Found:
    """A worker's file. All that authors wrote lies below `root`; `problem` says why `path` cannot even be tried."""

    name: str
    path: Path
    root: Path
    builtin: bool
    problem: str | None = None

    @property
    def package(self) -> str:
        """The module that holds all of this worker's modules."""
        return f"{BUILTINS if self.builtin else PROPS}.{self.name}"

    @property
    def module(self) -> str:
        return self.package if self.builtin else f"{self.package}.backend.worker"

    @property
    def folder(self) -> Path:
        return self.path.parent

    def error(self, reason: str, *, line: int | None = None) -> LoadError:
        return LoadError(self.name, self.path, reason, line=line)


@attrs.define
class Finds:
    """What lies in the folders. `workers`: props, then built-ins, each sorted by name: the same on every machine."""

    workers: list[Found] = attrs.field(factory=list)
    errors: list[LoadError] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)
    skipped: list[Skipped] = attrs.field(factory=list)

    def names(self, *, builtin: bool) -> list[str]:
        return [found.name for found in self.workers if found.builtin is builtin]


def discover(props: Path, builtins: Sequence[Path]) -> Finds:
    """Look into the folders (absolute paths); of two built-ins with one name the one in the later folder is taken.

    A missing `builtins` folder holds nothing; a missing `props` folder holds nothing and is a warning.
    """
    finds = Finds()
    if not os.path.lexists(props):
        finds.warnings.append(f"there is no props folder {props}")
    for entry in _entries(props, finds):
        found = _prop(entry, props, finds)
        if found is not None:
            finds.workers.append(found)
    chosen: dict[str, Found] = {}
    for folder in builtins:
        for entry in _entries(folder, finds):
            if entry.suffix == ".py":
                if (earlier := chosen.get(entry.stem)) is not None:
                    finds.skipped.append(Skipped(earlier.name, earlier.path, f"replaced by {entry}"))
                chosen[entry.stem] = _builtin(entry)
    finds.workers += [chosen[name] for name in sorted(chosen)]
    return finds


def find(name: str, props: Path, builtins: Sequence[Path]) -> Found | None:
    """The prop, or else the built-in, that `discover` would find under this name."""
    if _hidden(name) or name.startswith("_"):
        return None
    files = [folder / f"{name}.py" for folder in reversed(builtins)]
    found = _prop(props / name, props, Finds())
    return found or next((_builtin(file) for file in files if there(file)), None)


def found_as(module: str, props: Path, builtins: Sequence[Path]) -> Found:
    """The worker whose module has this name, whether its file is still there or not."""
    package, name, *_ = module.split(".")
    if package == PROPS:
        worker = props / name / "backend" / "worker.py"
        return Found(name, worker, props, builtin=False, problem=_file_problem(worker))
    files = [folder / f"{name}.py" for folder in reversed(builtins)]
    return _builtin(next((file for file in files if there(file)), files[0]))


def python_files(found: Found) -> Iterator[Path]:
    """A worker's sources: a built-in's own file, else all below the prop's `backend` and the prop's `__init__.py`."""
    if found.builtin:
        yield found.path
        return
    if there(init := found.folder.parent / "__init__.py"):
        yield init
    for folder, below, files in os.walk(found.folder):
        below[:] = sorted(name for name in below if not _hidden(name) and not there(Path(folder, name, "pyvenv.cfg")))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _entries(folder: Path, finds: Finds) -> list[Path]:
    if not os.path.lexists(folder):
        return []
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        finds.errors.append(LoadError(topics.HOST, folder, f"cannot be listed: {error.strerror}"))
        return []
    shown = [entry for entry in entries if not _hidden(entry.name)]
    for entry in shown:
        if entry.name.startswith("_") and (entry.suffix == ".py" or is_folder(entry)):
            finds.skipped.append(Skipped(entry.stem, entry, "its name starts with '_'"))
    return [entry for entry in shown if not entry.name.startswith("_")]


def _prop(prop: Path, props: Path, finds: Finds) -> Found | None:
    """The worker of a prop's folder, also one that cannot be opened; None for a prop without one."""
    backend = prop / "backend"
    try:
        sources = sorted(name for name in os.listdir(backend) if name.endswith(".py") and name != ".py")  # noqa: PTH208
    except OSError as error:
        for link in (prop, backend):
            if _dangles(link):
                return Found(prop.name, link, props, builtin=False, problem=_dangling(link))
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            return Found(prop.name, backend, props, builtin=False, problem=f"cannot be listed: {error.strerror}")
        return None
    if "worker.py" in sources:
        worker = backend / "worker.py"
        if (problem := _name_problem(prop.name, "folder")) is not None:
            return Found(prop.name, prop, props, builtin=False, problem=problem)
        return Found(prop.name, worker, props, builtin=False, problem=_file_problem(worker))
    if sources:
        finds.skipped.append(Skipped(prop.name, backend, f"it has no worker.py ({', '.join(sources)})"))
    return None


def _builtin(file: Path) -> Found:
    problem = _name_problem(file.stem, "file") or _file_problem(file)
    return Found(file.stem, file, file.parent, builtin=True, problem=problem)


def _name_problem(name: str, what: str) -> str | None:
    try:
        topics.check_prop_id(name)
    except TopicError as error:
        return f"{error}; rename the {what}"
    if "." in name:
        return f"{name!r} has a dot, which ends a module's name in Python; rename the {what}"
    return None


def _file_problem(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return _dangling(path) if _dangles(path) else f"cannot be read: {error.strerror}"
    return "is a folder, not a file" if stat.S_ISDIR(mode) else None


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


# pathlib's own raise for a folder that we may not enter; to these, what we may not see is not there.
def there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _dangles(path: Path) -> bool:
    return os.path.islink(path) and not there(path)  # noqa: PTH114


def _dangling(path: Path) -> str:
    return f"is a link to nowhere ({path.readlink()})"
