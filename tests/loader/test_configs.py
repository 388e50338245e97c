"""A worker's config is read and checked while it loads; what is wrong is told at its place in the config file."""

from __future__ import annotations

import pytest

from tests.loader.conftest import LEGACY, WORKER, Folders, write

TYPED = """\
import attrs
from halloween_host import BaseWorker

@attrs.frozen
class FoggerConfig:
    burst_ms: int
    name: str = "fog"

class Worker(BaseWorker[FoggerConfig]):
    pass
"""


def test_a_config_beside_the_worker_is_read(folders: Folders) -> None:
    """`config.yaml` beside `worker.py`, and `<name>.yaml` beside a built-in, with the environment filled in."""
    folders.prop("coffin", config__yaml="lid: ${LID}\n")
    folders.builtin("heartbeat")
    write(folders.builtins / "heartbeat.json", '{"tick_interval": 5}')
    coffin, heartbeat = folders.load(LID="oak").workers
    assert coffin.config.values == {"lid": "oak"}
    assert coffin.config.path == folders.props / "coffin" / "backend" / "config.yaml"
    assert heartbeat.config.values == {"tick_interval": 5}


def test_no_config_is_an_empty_one(folders: Folders) -> None:
    """A worker without a config file has `{}`, without a warning."""
    folders.prop("coffin")
    spec = folders.only_worker()
    assert (spec.config.values, spec.config.path, spec.warnings) == ({}, None, ())


def test_an_unreadable_config_is_a_warning(folders: Folders) -> None:
    """A file that cannot be parsed: `{}`, and a warning with file, line and column, in the spec and in the catalog."""
    worker = folders.prop("coffin", config__yaml="a: 1\nb: [1\n")
    catalog = folders.load()
    (spec,) = catalog.workers
    assert spec.config.values == {}
    (warning,) = spec.warnings
    assert catalog.warnings == spec.warnings
    assert warning.startswith(f"{worker.parent / 'config.yaml'}:")
    assert warning.split(": ")[0].count(":") == 2
    assert warning.endswith("coffin runs with an empty config")


def test_a_missing_variable_is_a_warning(folders: Folders) -> None:
    """`${NAME}` that the environment lacks is said."""
    folders.prop("coffin", config__yaml="lid: ${NO_SUCH_LID}\n")
    (warning,) = folders.load().warnings
    assert "NO_SUCH_LID" in warning


def test_typed_settings_are_checked(folders: Folders) -> None:
    """A config that fits loads; the spec's config stays the plain dict."""
    folders.prop("fogger", TYPED, config__yaml="burst_ms: 500\n")
    assert folders.only_worker().config.values == {"burst_ms": 500}


def test_every_problem_of_a_typed_config_is_an_error(folders: Folders) -> None:
    """Each wrong key and value is an error of its own with file, line and a guess; the worker does not load."""
    worker = folders.prop("fogger", TYPED, config__yaml="burst_ms: many\nnaem: x\n")
    catalog = folders.load()
    assert catalog.workers == ()
    assert [(error.prop_id, error.path, error.line) for error in catalog.errors] == [
        ("fogger", worker.parent / "config.yaml", 1),
        ("fogger", worker.parent / "config.yaml", 2),
    ]
    assert "$.burst_ms" in str(catalog.errors[0])
    assert "did you mean 'name'?" in str(catalog.errors[1])


def test_config_errors_carry_the_prop_id(folders: Folders) -> None:
    """The errors of a config are those of the prop, which `PROP_ID` may have named."""
    folders.prop("fogger", "PROP_ID = 'fog 1'\n" + TYPED, config__yaml="burst_ms: many\n")
    assert folders.only_error().prop_id == "fog 1"


def test_a_typed_config_that_cannot_be_parsed_is_one_error(folders: Folders) -> None:
    """When the empty config does not do either, the error is where the file is broken, not which keys it lacks."""
    folders.prop("fogger", TYPED, config__yaml="burst_ms: [1\n")
    catalog = folders.load()
    assert catalog.workers == ()
    assert catalog.warnings == ()
    (error,) = catalog.errors
    assert (error.prop_id, error.path.name) == ("fogger", "config.yaml")
    assert error.line is not None


def test_a_typed_config_that_cannot_be_parsed_may_be_empty(folders: Folders) -> None:
    """When every key has a default, the worker loads with `{}` and a warning, typed or not."""
    folders.prop("fogger", TYPED.replace("burst_ms: int", "burst_ms: int = 5"), config__yaml="burst_ms: [1\n")
    catalog = folders.load()
    assert [spec.config.values for spec in catalog.workers] == [{}]
    assert len(catalog.warnings) == 1


def test_a_dialects_own_check_is_heard(folders: Folders) -> None:
    """What `check_config` refuses is one error at the config file."""
    worker = folders.prop("coffin", LEGACY, config__yaml="wrong: 1\n")
    error = folders.only_error()
    assert error.path == worker.parent / "config.yaml"
    assert error.reason == "coffin: field 'wrong' is wrong"


@pytest.mark.parametrize("thrown", ["ValueError('own')", "SystemExit('own')"])
def test_a_check_that_breaks_is_that_workers(folders: Folders, thrown: str) -> None:
    """An author's validator that raises something else is an error at its line."""
    path = folders.prop(
        "coffin", WORKER + f"    @classmethod\n    def check_config(cls, values):\n        raise {thrown}\n"
    )
    error = folders.only_error()
    assert (error.path, error.line) == (path, 7)
    assert error.reason == f"loading failed with {thrown.partition('(')[0]}: own"
