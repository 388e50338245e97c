"""Authors' modules live in two packages of our own, `props` and `halloween_builtins`, compiled from source every time.

Python's own finder would read a ``.pyc``: an edit of equal size within the same second then runs yesterday's code.
"""

from __future__ import annotations

import importlib.machinery
import io
import linecache
import sys
import tokenize
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.readers import FileReader
from pathlib import Path
from typing import Final

__all__ = ["BUILTINS", "PROPS", "anew", "drop", "foreign", "install", "unload_workers"]

#: 2025's name of the package that holds every prop.
PROPS: Final = "props"
#: Never `builtins`: that is the standard library's.
BUILTINS: Final = "halloween_builtins"


class _Package(types.ModuleType):
    """A package without a file whose folders are given; by its class we know it as ours."""

    def __init__(self, name: str, folders: Sequence[Path]) -> None:
        super().__init__(name, "Made by halloween_host before the first worker is loaded.")
        self.__path__ = [str(folder.absolute()) for folder in folders]
        self.__package__ = name
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        self.__spec__.submodule_search_locations = self.__path__


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source as it is now; no ``.pyc`` is read or written."""

    def get_code(self, fullname: str) -> types.CodeType:
        source = self.get_data(self.path)
        text = _decode(source, self.path)
        # No time stamp: a traceback shows the lines that run, not those that an editor saved since.
        linecache.cache[self.path] = (len(source), None, io.StringIO(text, newline=None).readlines(), self.path)
        code: types.CodeType = self.source_to_code(source, self.path)
        return code


class _FolderLoader(InspectLoader):
    """A folder without ``__init__.py`` is a package, as Python has it; `importlib.resources` reaches its files."""

    def __init__(self, folder: str) -> None:
        self.path = str(Path(folder) / "__init__.py")

    def is_package(self, fullname: str) -> bool:
        return True

    def get_source(self, fullname: str) -> str:
        return ""

    def exec_module(self, module: types.ModuleType) -> None:
        pass

    def get_resource_reader(self, fullname: str) -> FileReader:
        return FileReader(self)  # type: ignore[arg-type] # it asks for nothing but `path`


class _Finder(MetaPathFinder):
    """Python's own rules for what a name means in a folder, with our loaders."""

    _loaders = (
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
    )

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is None or not isinstance(sys.modules.get(fullname.partition(".")[0]), _Package):
            return None
        folders: list[str] = []
        for entry in path:
            # a finder of this moment: its listing of the folder is never older than the question
            spec = importlib.machinery.FileFinder(entry, *self._loaders).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
            folders += (spec.submodule_search_locations or []) if spec is not None else []
        if not folders:
            # ours to answer: the finders behind us would take a leftover .pyc
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        package = importlib.machinery.ModuleSpec(fullname, _FolderLoader(folders[0]), is_package=True)
        package.submodule_search_locations = folders
        return package


_FINDER: Final = _Finder()


def foreign() -> Iterator[tuple[str, str]]:
    """Packages of others under our two names, with the file or folders they came from."""
    for name in (PROPS, BUILTINS):
        module = sys.modules.get(name)
        if module is not None and not isinstance(module, _Package):
            folders = ", ".join(getattr(module, "__path__", ["an unknown place"]))
            yield name, getattr(module, "__file__", None) or folders


def install(props: Path, builtins: Sequence[Path]) -> None:
    """Forget what was loaded before and make both packages; in `builtins` the first folder wins."""
    unload_workers()
    sys.modules[PROPS] = _Package(PROPS, [props])
    sys.modules[BUILTINS] = _Package(BUILTINS, builtins)
    sys.meta_path.insert(0, _FINDER)


def unload_workers() -> None:
    """Take the workers' modules, both packages and the finder out of Python; instances that run keep their code."""
    for name in (PROPS, BUILTINS):
        if isinstance(sys.modules.get(name), _Package):
            drop(name)
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


def drop(package: str) -> dict[str, types.ModuleType]:
    """Forget a module and all below it; returns them, so that they can be put back."""
    dropped = {}
    for name in list(sys.modules):
        if name == package or name.startswith(f"{package}."):
            dropped[name] = sys.modules.pop(name)
    parent, _, last = package.rpartition(".")
    vars(sys.modules[parent]).pop(last, None) if parent in sys.modules else None
    return dropped


@contextmanager
def anew(package: str) -> Iterator[None]:
    """Imports in the body read the files anew; when it raises, the old modules, and their source lines, return."""
    old = drop(package)
    files = [str(getattr(module, "__file__", None)) for module in old.values()]
    lines = {file: linecache.cache[file] for file in files if file in linecache.cache}
    try:
        yield
    except BaseException:
        drop(package)
        sys.modules.update(old)
        linecache.cache.update(lines)
        parent, _, last = package.rpartition(".")
        if package in old and parent in sys.modules:
            setattr(sys.modules[parent], last, old[package])
        raise


def _decode(source: bytes, path: str) -> str:
    """The text of a Python file by its coding line, else UTF-8; what cannot be read is a SyntaxError with its line."""
    encoding = "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(iter(source.splitlines(keepends=True)).__next__)
        text = source.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(source, encoding, error, path) from None
    except SyntaxError as problem:  # the coding line is wrong, or there is none and its place is not UTF-8
        try:
            source.decode()
        except UnicodeDecodeError as error:
            raise _undecodable(source, "utf-8", error, path) from None
        raise SyntaxError(str(problem), (path, 1, None, None)) from None
    if "\0" in text:
        raise SyntaxError("holds a NUL character", (path, text[: text.index("\0")].count("\n") + 1, None, None))
    return text


def _undecodable(source: bytes, encoding: str, error: UnicodeDecodeError, path: str) -> SyntaxError:
    line, column = source.count(b"\n", 0, error.start) + 1, error.start - source.rfind(b"\n", 0, error.start)
    problem = f"is not {encoding.upper()}: byte 0x{source[error.start]:02x}; save the file as UTF-8"
    return SyntaxError(problem, (path, line, column, None))
