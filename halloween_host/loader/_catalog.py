"""What loading gives: the workers to run, and for each that does not run, the reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs

from halloween_host.config import LoadedConfig
from halloween_host.errors import LoadError
from halloween_host.terms import Terms
from halloween_host.worker import Action, CommonWorker

__all__ = ["Catalog", "Skipped", "WorkerSpec"]


@attrs.frozen
class WorkerSpec:
    """A worker that can be run.

    `config` is without the host's section, which is in `terms`. `cargo` is what `loading` yielded around its import, None
    for a native one.
    """

    prop_id: str
    path: Path
    module: str
    worker_class: type[CommonWorker]
    dialect: Literal["native", "legacy"]
    config: LoadedConfig
    builtin: bool
    warnings: tuple[str, ...] = ()
    actions: Mapping[str, Action] = attrs.field(factory=dict)
    terms: Terms = attrs.field(factory=Terms)
    cargo: object | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def name(self) -> str:
        """Its folder's or, for a built-in, its file's name."""
        return self.path.stem if self.builtin else self.path.parents[1].name

    @property
    def kind(self) -> str:
        """``native``, or ``legacy, isolated``."""
        return f"{self.dialect}, isolated" if self.terms.isolate else self.dialect


@attrs.frozen
class Skipped:
    """A worker that was found and, by somebody's wish, not loaded. `name` is its folder's or file's name."""

    name: str
    path: Path
    reason: str


@attrs.frozen
class Catalog:
    """`workers` by prop id; every error names its file, and its line where it has one.

    `warnings` are the toggles' and those of every class and config that was read, also of a worker that then failed.
    """

    workers: tuple[WorkerSpec, ...] = ()
    errors: tuple[LoadError, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
