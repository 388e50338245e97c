"""A module of an author's is found by asking the file system at this moment, and compiled from its source every time.

Python's own finder would read a ``.pyc``: an edit of equal size within the same second then runs yesterday's code. And it lists
a folder to find one name in it, which for each of a thousand props is a list of a thousand.
"""

from __future__ import annotations

import codecs
import importlib.machinery
import io
import linecache
import os
import sys
import tokenize
import types
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:  # to import them costs more than a prop
    from importlib.abc import InspectLoader
    from importlib.readers import FileReader
else:
    InspectLoader = object

__all__ = ["FolderLoader", "spec_in"]

#: Where a file may be found by a name that is not quite its own.
_CASE_IS_NOT_KEPT: Final = sys.platform == "darwin"


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source as it is now; no ``.pyc`` is read or written."""

    def get_code(self, fullname: str) -> types.CodeType:
        source = self.get_data(self.path)
        text = _decode(source, self.path)
        # No time stamp: a traceback shows the lines that run, not those that an editor saved since.
        linecache.cache[self.path] = (len(source), None, _Lines(text), self.path)  # type: ignore[assignment] # as good as a list
        code: types.CodeType = self.source_to_code(source, self.path)
        return code


class _Lines(Sequence[str]):
    """The lines of a text, packed until a traceback wants one: of most workers none ever does."""

    __slots__ = ("_packed",)

    def __init__(self, text: str) -> None:
        # with zlib's usual quarter of a megabyte it would take five times as long
        packer = zlib.compressobj(zlib.Z_BEST_SPEED, wbits=12, memLevel=4)
        self._packed = packer.compress(text.encode(errors="surrogatepass")) + packer.flush()

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._split()[index]

    def __len__(self) -> int:
        return len(self._split())

    def __iter__(self) -> Iterator[str]:
        return iter(self._split())

    def _split(self) -> list[str]:
        text = zlib.decompress(self._packed).decode(errors="surrogatepass")
        return io.StringIO(text, newline=None).readlines()


class FolderLoader(InspectLoader):
    """A folder without ``__init__.py`` is a package, as Python has it; `importlib.resources` reaches its files."""

    __slots__ = ("_folder",)

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @property
    def path(self) -> str:
        return os.path.join(self._folder, "__init__.py")  # noqa: PTH118

    def is_package(self, fullname: str) -> bool:
        return True

    def get_source(self, fullname: str) -> str:
        return ""

    def get_code(self, fullname: str) -> types.CodeType:
        code: types.CodeType = compile("", self.path, "exec", dont_inherit=True)
        return code

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Python makes it."""

    def exec_module(self, module: types.ModuleType) -> None:
        pass

    def get_resource_reader(self, fullname: str) -> FileReader:
        from importlib.readers import FileReader

        return FileReader(self)  # type: ignore[arg-type] # it asks for nothing but `path`


class _Spec(importlib.machinery.ModuleSpec):
    """Of a module from a file. It names no ``.pyc``: there is none."""

    cached = None


#: In the order of Python's own finder.
_LOADERS: Final = [
    *((suffix, importlib.machinery.ExtensionFileLoader) for suffix in importlib.machinery.EXTENSION_SUFFIXES),
    *((suffix, _SourceLoader) for suffix in importlib.machinery.SOURCE_SUFFIXES),
]


def spec_in(folder: str, fullname: str) -> importlib.machinery.ModuleSpec | str | None:
    """What `fullname` means in `folder`, by Python's rules: a module, or the path of a folder that has no ``__init__.py``."""
    path = os.path.join(folder, fullname.rpartition(".")[2])  # noqa: PTH118
    is_folder = os.path.isdir(path) and _is_called_so(path)  # noqa: PTH112
    if is_folder and (spec := _file_of(f"{path}/__init__", fullname, [path])) is not None:
        return spec
    return _file_of(path, fullname, None) or (path if is_folder else None)


def _file_of(path: str, fullname: str, package: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    """The first file there is of those that begin with `path`."""
    for suffix, loader in _LOADERS:
        file = path + suffix
        # most are not there, which `access` says in half the time
        if os.access(file, os.F_OK) and os.path.isfile(file) and _is_called_so(file):  # noqa: PTH113
            made = loader(fullname, file)
            spec = _Spec(fullname, made, origin=file)
            spec.submodule_search_locations, spec.has_location = package, True
            return spec
    return None


def _is_called_so(path: str) -> bool:
    """Whether what is there under this name has just this name."""
    if not _CASE_IS_NOT_KEPT:
        return True
    folder, name = os.path.split(path)
    return name in os.listdir(folder)  # noqa: PTH208


def _decode(source: bytes, path: str) -> str:
    """The text of a Python file by its coding line, else UTF-8; what cannot be read is a SyntaxError with its line."""
    encoding = "utf-8"
    if b"coding" not in source and not source.startswith(codecs.BOM_UTF8) and source.isascii() and b"\0" not in source:
        return source.decode()  # as most are; what is below reads two lines and tries several codecs
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
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
