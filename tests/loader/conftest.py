"""`folders` are a props folder and a builtins folder of real files, with what loading them said."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import pytest

from halloween_host.errors import LoadError
from halloween_host.loader import Again, Anew, Catalog, WorkerSpec, load_workers, unload_workers
from halloween_host.settings import load_settings
from tests.loader.stand_ins import gate

#: The shortest worker there is.
WORKER: Final = """\
from halloween_host import BaseWorker

class Worker(BaseWorker):
    pass
"""

#: The same in another dialect; the comment is what `loading` is opened for.
LEGACY: Final = """\
# as from worker_host.base
from tests.loader.stand_ins import LegacyWorker

class Worker(LegacyWorker):
    pass
"""


class Folders:
    """Writes files and loads them."""

    def __init__(self, folder: Path) -> None:
        self.props = folder / "props"
        self.builtins = folder / "builtins"
        self.more_builtins: list[Path] = []
        self.said: list[str] = []
        self.discarded: list[object] = []
        self.loading: Callable[[], AbstractContextManager[object]] = nullcontext
        self.props.mkdir()
        self.builtins.mkdir()

    def prop(self, name: str, source: str | bytes = WORKER, **others: str) -> Path:
        """Write `props/<name>/backend/worker.py`, more beside: `relay__py` is relay.py, `hw___gpio__py` hw/gpio.py."""
        backend = self.props / name / "backend"
        for other, text in others.items():
            write(backend / other.replace("___", "/").replace("__", "."), text)
        return write(backend / "worker.py", source)

    def builtin(self, name: str, source: str = WORKER) -> Path:
        return write(self.builtins / f"{name}.py", source)

    def load(self, **environ: str) -> Catalog:
        return load_workers(
            props=self.props,
            builtins=[self.builtins, *self.more_builtins],
            settings=load_settings(environ),
            environ=environ,
            progress=self.said.append,
            loading=self.loading,
            discard=self.discarded.append,
        )

    def loads_again(self, **environ: str) -> Again:
        return Again(
            self.props,
            [self.builtins, *self.more_builtins],
            load_settings(environ),
            environ,
            progress=self.said.append,
            loading=self.loading,
            discard=self.discarded.append,
        )

    def again(self, spec: WorkerSpec) -> Anew:
        """Load one that runs beside itself."""
        return self.loads_again().of(spec.module, spec.prop_id).run()

    def only_worker(self, **environ: str) -> WorkerSpec:
        """Load; everything must be well and there must be one worker."""
        catalog = self.load(**environ)
        assert not catalog.errors, catalog.errors
        (spec,) = catalog.workers
        return spec

    def only_error(self, **environ: str) -> LoadError:
        """Load; there must be one error, on one line, and the good prop that is put beside must be there."""
        self.prop("good_neighbour")
        catalog = self.load(**environ)
        assert [spec.prop_id for spec in catalog.workers] == ["good_neighbour"]
        (error,) = catalog.errors
        assert "\n" not in str(error)
        return error

    def place(self, error: LoadError) -> tuple[str, int | None]:
        """The error's file below `props`, and its line."""
        return error.path.relative_to(self.props).as_posix(), error.line


def write(path: Path, source: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source if isinstance(source, bytes) else textwrap.dedent(source).encode())
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    gate.clear()
    yield Folders(tmp_path)
    unload_workers()
