"""Authors' modules live in two packages of our own, `props` and `halloween_builtins`."""

from __future__ import annotations

import importlib.machinery
import linecache
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from halloween_host.loader._sources import FolderLoader, spec_in

__all__ = ["BUILTINS", "PROPS", "Modules", "drop", "foreign", "install", "put_aside", "unload_workers"]

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


class _Finder:
    """Python's own rules for what a name means in a folder, with our loaders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is None or not isinstance(sys.modules.get(fullname.partition(".")[0]), _Package):
            return None
        folders: list[str] = []
        for entry in path:
            found = spec_in(entry, fullname)
            if isinstance(found, importlib.machinery.ModuleSpec):
                return found
            folders += [] if found is None else [found]
        if not folders:
            # ours to answer: the finders behind us would take a leftover .pyc
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        package = importlib.machinery.ModuleSpec(fullname, FolderLoader(folders[0]), is_package=True)
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


@attrs.frozen(eq=False)
class Modules:
    """A package's modules, put aside, with the source lines that their tracebacks quote."""

    package: str
    modules: Mapping[str, types.ModuleType]
    lines: Mapping[str, Any]

    def put_back(self) -> None:
        """Python knows these of the package from here on, and no others."""
        drop(self.package)
        sys.modules.update(self.modules)
        linecache.cache.update(self.lines)
        parent, _, last = self.package.rpartition(".")
        if self.package in self.modules and parent in sys.modules:
            setattr(sys.modules[parent], last, self.modules[self.package])


def put_aside(package: str) -> Modules:
    """Take a package's modules out of Python: the next import reads its files anew."""
    modules = drop(package)
    files = [str(getattr(module, "__file__", None)) for module in modules.values()]
    return Modules(package, modules, {file: linecache.cache[file] for file in files if file in linecache.cache})
