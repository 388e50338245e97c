"""Classes as a worker may declare them for its config."""

from __future__ import annotations

from typing import Literal

import attrs
from attrs import validators


@attrs.frozen
class Lamp:
    pin: int
    colour: Literal["red", "green"] = "red"


@attrs.frozen
class FoggerConfig:
    duration_ms: int = attrs.field(default=500, validator=validators.gt(0))
    label: str = ""
    lamps: list[Lamp] = attrs.Factory(list)
    levels: dict[str, float] = attrs.Factory(dict)
    lid: Lamp | None = None


@attrs.frozen
class Needy:
    pin: int
