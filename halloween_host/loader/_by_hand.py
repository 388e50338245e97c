"""A worker class that was not found in a folder: a rehearsal's, given by hand with its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from halloween_host.config import LoadedConfig
from halloween_host.errors import HalloweenHostError, LoadError, SourceError
from halloween_host.loader._catalog import WorkerSpec
from halloween_host.loader._terms import class_terms, environment_terms, section_terms, take_section
from halloween_host.settings import Settings
from halloween_host.structuring import structure
from halloween_host.worker import CommonWorker, read_actions

__all__ = ["spec_of"]


def spec_of(
    prop_id: str, worker_class: type[CommonWorker], path: Path, values: dict[str, Any], settings: Settings
) -> WorkerSpec:
    """What loading would have given for this class, with `values` as its config.

    Raises:
        LoadError: when a handler or the config is wrong, as `load_workers` would have said.
    """
    actions = read_actions(worker_class, prop_id, path)
    terms, ignored = class_terms(worker_class, environment_terms(settings))
    try:
        config, section = take_section(LoadedConfig(values), worker_class)
        terms = section_terms(section, terms)
        if worker_class.settings_class is not None:
            structure(config.values, worker_class.settings_class)
        worker_class.check_config(config.fresh())
    except SourceError as error:
        raise LoadError(prop_id, error.path, error.reason, line=error.line, column=error.column) from error
    except HalloweenHostError as error:
        raise LoadError(prop_id, path, f"its config: {error}") from error
    return WorkerSpec(
        prop_id=prop_id,
        path=path,
        module=worker_class.__module__,
        worker_class=worker_class,
        dialect=worker_class.dialect,
        config=config,
        builtin=False,
        warnings=(*config.warnings, *ignored),
        actions=actions,
        terms=terms,
    )
