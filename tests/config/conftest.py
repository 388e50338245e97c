"""What the tests of config share: a file is written, and loaded or refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from halloween_host.config import LoadedConfig, load_config
from halloween_host.errors import ConfigError

Read = Callable[..., LoadedConfig]
Refused = Callable[..., str]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write one config file and load it."""

    def write_then_load(content: str | bytes, name: str = "config.yaml", **environ: str) -> LoadedConfig:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_config(tmp_path, environ)

    return write_then_load


@pytest.fixture
def refused(read: Read, tmp_path: Path) -> Refused:
    """Load a file that must be refused; gives the error's text without the folder."""

    def load(content: str | bytes, name: str = "config.yaml") -> str:
        with pytest.raises(ConfigError) as caught:
            read(content, name)
        assert caught.value.path == tmp_path / name
        return str(caught.value).removeprefix(f"{tmp_path}/")

    return load


def load_text(content: bytes, name: str) -> LoadedConfig:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        return load_config(Path(folder), {"HOME": "/home/haunt"})
