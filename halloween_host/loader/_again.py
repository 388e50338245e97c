"""One worker's files are imported again beside all that runs: nothing of it is Python's before somebody puts it there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import attrs

from halloween_host.errors import LoadError
from halloween_host.loader._catalog import WorkerSpec
from halloween_host.loader._discovery import Found, find, found_as
from halloween_host.loader._finder import Modules, put_aside
from halloween_host.loader._isolating import isolated_if_named
from halloween_host.loader._load import discard_nothing, load_again
from halloween_host.loader._watch import Watch, place_in
from halloween_host.settings import Settings

__all__ = ["Again", "Anew", "Import"]


@attrs.frozen(eq=False)
class Anew:
    """What came of the files: `spec`, or `errors`. `modules` are the new ones, `before` those that were there, and are."""

    spec: WorkerSpec | None
    errors: tuple[LoadError, ...]
    warnings: tuple[str, ...]
    modules: Modules
    before: Modules


def _as_it_is(spec: WorkerSpec) -> WorkerSpec:
    return spec


@attrs.frozen
class Again:
    """Where workers lie (absolute paths), and what their import needs: see `load_workers`, which was called for them before.

    `refine` has the last word on what was loaded. `progress` is told from the thread that imports, or one of ours.
    """

    props: Path
    builtins: Sequence[Path]
    settings: Settings
    environ: Mapping[str, str]
    progress: Callable[[str], None]
    loading: Callable[[], AbstractContextManager[object]] = nullcontext
    discard: Callable[[object], None] = discard_nothing
    refine: Callable[[WorkerSpec], WorkerSpec] = _as_it_is

    def find(self, name: str) -> Found | None:
        """The worker of a folder, or a built-in's file, with this name; None when there is none, or it is hidden."""
        return find(name, self.props, self.builtins)

    def refusal(self, found: Found) -> str | None:
        """Why the settings do not permit it, None when they do."""
        return (self.settings.builtins if found.builtin else self.settings.props).permits(found.name)

    def names(self) -> list[str]:
        """What lies in the props folder, for a hint."""
        try:
            return [entry.name for entry in self.props.iterdir()]
        except OSError:
            return []

    def of(self, module: str, prop_id: str) -> Import:
        """For the worker whose module this is."""
        return Import(self, found_as(module, self.props, self.builtins), prop_id, {})

    def of_new(self, found: Found, modules: Mapping[str, str]) -> Import:
        """For one that does not run; `modules` are those that do, by prop id."""
        taken = {prop_id: found_as(module, self.props, self.builtins).path for prop_id, module in modules.items()}
        return Import(self, found, None, taken)


class Import:
    """`run` it in a thread of its own, and no other meanwhile; `give_up` what takes too long."""

    def __init__(self, again: Again, found: Found, prop_id: str | None, taken: Mapping[str, Path]) -> None:
        self.found = found
        #: Whether the thread is through, also after it was given up.
        self.over = False
        self._again = again
        self._prop_id = prop_id
        self._taken = taken
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._before: Modules | None = None
        self._given_up = False

    def run(self) -> Anew:
        """Import and check. Meanwhile Python knows the new modules and not those that run."""
        again = self._again
        with Watch(again.progress) as watch:
            with self._lock:
                if self._given_up:
                    raise RuntimeError("given up before it began")
                self._thread = threading.get_ident()
                self._before = before = put_aside(self.found.package)
            try:
                catalog = load_again(
                    self.found,
                    prop_id=self._prop_id,
                    taken=self._taken,
                    settings=again.settings,
                    environ=again.environ,
                    watch=watch,
                    loading=again.loading,
                    discard=again.discard,
                )
            finally:
                with self._lock:
                    modules = put_aside(self.found.package)
                    before.put_back()
                    self.over = True
            spec = next(iter(catalog.workers), None)
            if spec is not None and self._given_up:
                again.discard(spec.cargo)
            elif spec is not None:
                spec = again.refine(isolated_if_named(spec, again.settings.isolate))
            return Anew(spec, catalog.errors, catalog.warnings, modules, before)

    def give_up(self) -> None:
        """Let it run on alone: the modules that were there are there again, and what it imports is dropped at its end."""
        with self._lock:
            self._given_up = True
            if self._before is not None and not self.over:
                self._before.put_back()

    def place(self) -> str:
        """The author's line in which it stands."""
        return str(self.found.path) if self._thread is None else place_in(self.found, self._thread)
