"""The config beside a worker is read and checked while the worker loads: its own part, and the host's section in it."""

from __future__ import annotations

from collections.abc import Mapping

from halloween_host.config import LoadedConfig, load_config, structure_config
from halloween_host.errors import ConfigError, HalloweenHostError, InvalidConfig, LoadError, SourceError
from halloween_host.loader._discovery import Found
from halloween_host.loader._terms import section_terms, take_section
from halloween_host.terms import Terms
from halloween_host.worker import CommonWorker

__all__ = ["read_config"]


def read_config(
    prop_id: str,
    worker_class: type[CommonWorker],
    found: Found,
    environ: Mapping[str, str],
    *,
    terms: Terms,
    warnings: list[str],
) -> tuple[LoadedConfig, Terms]:
    """The worker's part of its config, checked, and `terms` with what the section of the host says put over them.

    A file that cannot be parsed is an empty config, with a warning, if that will do. All warnings are put into
    `warnings`, also when this raises: they may say why.

    Raises:
        ExceptionGroup: of one LoadError for each thing that is wrong, at its place in the file.
        LoadError: when the file cannot be parsed and the worker cannot run without it.
    """
    try:
        config = load_config(found.folder, environ, found.name if found.builtin else "config")
    except ConfigError as broken:
        config = LoadedConfig({}, path=broken.path, warnings=(f"{broken}; {prop_id} runs with an empty config",))
        if _problems(worker_class, prop_id, found, config):  # nobody wants to hear what a broken file lacks
            raise _as_load_error(prop_id, broken) from broken
        warnings.extend(config.warnings)
        return config, terms
    config, section = take_section(config, worker_class)
    warnings.extend(config.warnings)
    problems = []
    try:
        terms = section_terms(section, terms)
    except InvalidConfig as invalid:
        problems = [_as_load_error(prop_id, each) for each in invalid.problems]
    problems += _problems(worker_class, prop_id, found, config)
    if problems:
        problems.sort(key=lambda error: (error.line or 0, error.column or 0))
        raise ExceptionGroup(f"the config of {prop_id} is not valid", problems)
    return config, terms


def _problems(worker_class: type[CommonWorker], prop_id: str, found: Found, config: LoadedConfig) -> list[LoadError]:
    """What the worker's settings class and its own check refuse, as LoadErrors, which carry the prop id."""
    try:
        if worker_class.settings_class is not None:
            structure_config(config, worker_class.settings_class)
        worker_class.check_config(config.fresh())
    except InvalidConfig as invalid:
        return [_as_load_error(prop_id, each) for each in invalid.problems]
    except SourceError as error:
        return [_as_load_error(prop_id, error)]
    except HalloweenHostError as error:
        refused = LoadError(prop_id, config.path or found.path, str(error))
        refused.__cause__ = error
        return [refused]
    return []


def _as_load_error(prop_id: str, error: SourceError) -> LoadError:
    made = LoadError(prop_id, error.path, error.reason, line=error.line, column=error.column)
    made.__cause__ = error
    return made
