"""2025's config: a module-level pydantic `ConfigModel`, which is the author's, and `resolve_config_var`."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pydantic
import pydantic_settings
import pytest
from trio.testing import MockClock

from halloween_host.errors import HalloweenHostError, ModelError
from halloween_host.legacy import open_legacy_home
from tests.yard import open_yard
from worker_host.base import BaseWorker


@pytest.fixture
def worker_class() -> Iterator[type[BaseWorker]]:
    """A Worker in an api.py beside worker.py, as loaded from a package."""
    modules = {name: types.ModuleType(name) for name in ("props.lamp.backend.worker", "props.lamp.backend.api")}
    sys.modules.update(modules)

    class Worker(BaseWorker):
        async def do_show(self, arg: str | None) -> None:
            self.telemetry("config", repr(self.config))

    Worker.__module__ = "props.lamp.backend.api"
    yield Worker
    for name in modules:
        del sys.modules[name]


async def test_a_pydantic_model_makes_the_config(worker_class: type[BaseWorker], autojump_clock: MockClock) -> None:
    """A module-level `ConfigModel` of worker.py validates the config, and its instance is `self.config`."""

    class ConfigModel(pydantic.BaseModel):
        brightness: int
        name: str = "lamp"

    setattr(sys.modules["props.lamp.backend.worker"], "ConfigModel", ConfigModel)  # noqa: B010
    worker_class.check_config({"brightness": "5"})
    with pytest.raises(ModelError, match=r"ConfigModel: brightness: .*; name: ") as caught:
        worker_class.check_config({"brightness": "hunter2", "name": 1})
    assert isinstance(caught.value, HalloweenHostError)
    assert "hunter2" not in str(caught.value), "a wrong value may be a secret"
    async with open_yard(worker_class, open_legacy_home, config={"brightness": 5}) as yard:
        yard.send("show")
        await yard.expect("telemetry/config ConfigModel(brightness=5, name='lamp')")


def test_a_base_settings_reads_the_environment(worker_class: type[BaseWorker], monkeypatch: pytest.MonkeyPatch) -> None:
    """2025's `BaseSettings` models take what the config file does not say from the environment."""

    class ConfigModel(pydantic_settings.BaseSettings):
        lamp_token: str
        brightness: int = 1

    setattr(sys.modules["props.lamp.backend.api"], "ConfigModel", ConfigModel)  # noqa: B010
    with pytest.raises(ModelError, match="lamp_token"):
        worker_class.check_config({})
    monkeypatch.setenv("LAMP_TOKEN", "s3cret")
    assert worker_class._halloween_config({"brightness": 2}) == ConfigModel(lamp_token="s3cret", brightness=2)


def test_a_validator_that_raises_something_else_is_told_too(worker_class: type[BaseWorker]) -> None:
    """Any class called ConfigModel will do, and whatever it raises is the config's error."""

    class ConfigModel:
        def __init__(self, **values: object) -> None:
            self.values = values
            if "boom" in values:
                raise OSError("no such lamp")

    setattr(sys.modules["props.lamp.backend.api"], "ConfigModel", ConfigModel)  # noqa: B010
    assert worker_class._halloween_config({"a": 1}).values == {"a": 1}
    with pytest.raises(ModelError, match="OSError: no such lamp"):
        worker_class.check_config({"boom": 1})


async def test_resolve_config_var(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config's value with ${ENV} filled in; the default when the key or the variable is missing."""
    monkeypatch.setenv("LAMP_HOST", "10.0.0.5")

    class Worker(BaseWorker):
        async def do_show(self, arg: str | None) -> None:
            keys = ("plain", "number", "whole", "part", "missing", "unset")
            self.telemetry("config", [self.resolve_config_var(key, "fallback") for key in keys])
            self.telemetry("none", self.resolve_config_var("missing"))

    config = {
        "plain": "text",
        "number": 5,
        "whole": "${LAMP_HOST}",
        "part": "http://${LAMP_HOST}/",
        "unset": "${LAMP_UNSET}",
    }
    async with open_yard(Worker, open_legacy_home, config=config) as yard:
        yard.send("show")
        await yard.expect("telemetry/config ['text', 5, '10.0.0.5', 'http://10.0.0.5/', 'fallback', 'fallback']")
        await yard.expect("telemetry/none None")
