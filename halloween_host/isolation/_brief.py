"""The brief is all that an isolated worker's process is told at its start: by a pipe, because a password is in it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from halloween_host.settings import BrokerSettings, Settings

__all__ = ["Brief", "read_brief"]

_LENGTH_BYTES: Final = 4


@attrs.frozen
class Brief:
    """Which worker (`name` is its folder's or file's), where it stands, and what it goes by.

    `latched` is the reason of a panic that stands. `restarts` counts what came before, the last one for `restarted_for`.
    """

    prop_id: str
    name: str
    builtin: bool
    props: Path
    builtins: tuple[Path, ...]
    settings: Settings
    broker: BrokerSettings
    client_id: str
    latched: str | None = None
    restarts: int = 0
    restarted_for: str | None = None

    def encode(self) -> bytes:
        """Its length, then a pickle: who reads it is our own program, started from the same files a moment ago."""
        data = pickle.dumps(self)
        return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def read_brief(stream: BinaryIO) -> Brief | None:
    """What `encode` made; None when the host was gone before it wrote all of it."""
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
    data = stream.read(length)
    if not length or len(data) < length:
        return None
    brief = pickle.loads(data)
    assert isinstance(brief, Brief)
    return brief
