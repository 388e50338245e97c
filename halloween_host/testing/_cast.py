"""The cast: a worker class, classes by prop id, or a props folder, made into what the host would have loaded."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from halloween_host import legacy, topics
from halloween_host.errors import StageError
from halloween_host.loader import Again, WorkerSpec, load_workers, spec_of, unload_workers
from halloween_host.settings import Settings
from halloween_host.worker import CommonWorker

__all__ = ["Cast", "cast_of"]

Cast = type[CommonWorker] | Sequence[type[CommonWorker]] | Mapping[str, type[CommonWorker]] | Path | str


@contextmanager
def cast_of(
    workers: Cast, config: Mapping[str, Mapping[str, Any]], settings: Settings, environ: Mapping[str, str]
) -> Iterator[tuple[tuple[WorkerSpec, ...], Again | None]]:
    """What to run, and what loads from its folder again, if it is one; a folder's modules are let go at the end.

    Raises:
        LoadError: when a worker does not load, or its config does not fit (a group, when there are several).
        StageError: when `config` names a prop that is not in the cast.
    """
    if isinstance(workers, Path | str):
        refine = partial(_with_config, config=config, settings=settings)
        again = Again(
            Path(workers).absolute(),
            (),
            settings,
            environ,
            progress=lambda text: None,
            loading=legacy.loading,
            discard=legacy.discard,
            refine=refine,
        )
        with _loaded(Path(workers), settings, environ) as specs:
            yield tuple(map(refine, specs)), again
        return
    if isinstance(workers, Mapping):
        named = dict(workers)
    else:
        classes = [workers] if isinstance(workers, type) else list(workers)
        named = {_name_of(each): each for each in classes}
    if strangers := sorted(config.keys() - named.keys()):
        raise StageError(f"a config for {', '.join(strangers)}, but on the stage are {', '.join(named)}")
    given = (
        spec_of(topics.check_prop_id(prop_id), each, _source(each), dict(config.get(prop_id, {})), settings)
        for prop_id, each in named.items()
    )
    yield tuple(given), None


@contextmanager
def _loaded(props: Path, settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[WorkerSpec, ...]]:
    if not props.is_dir():
        raise StageError(f"{props} is no folder: give the folder that holds <prop>/backend/worker.py")
    try:
        catalog = load_workers(
            props=props,
            builtins=(),
            settings=settings,
            environ=environ,
            loading=legacy.loading,
            discard=legacy.discard,
            progress=lambda text: None,
        )
        if catalog.errors:
            raise ExceptionGroup("workers that do not load", catalog.errors)
        yield catalog.workers
    finally:
        unload_workers()


def _name_of(worker_class: type[CommonWorker]) -> str:
    """Its folder's name when it was loaded from one, its module's `PROP_ID`, or its own name in small letters."""
    module = sys.modules.get(worker_class.__module__)
    if isinstance(named := getattr(module, "PROP_ID", None), str):
        return named
    root, _, rest = worker_class.__module__.partition(".")
    return rest.partition(".")[0] if root == "props" and rest else worker_class.__name__.lower()


def _source(worker_class: type[CommonWorker]) -> Path:
    return Path(inspect.getsourcefile(worker_class) or f"{worker_class.__name__}.py")


def _with_config(spec: WorkerSpec, config: Mapping[str, Mapping[str, Any]], settings: Settings) -> WorkerSpec:
    """The worker with the config that was given for it, or else its folder's own."""
    if spec.prop_id not in config:
        return spec
    given = spec_of(spec.prop_id, spec.worker_class, spec.path, dict(config[spec.prop_id]), settings)
    return attrs.evolve(spec, config=given.config, terms=given.terms)
