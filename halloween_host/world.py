"""The world outside of one host, as far as a rehearsal replaces it."""

from __future__ import annotations

import platform
import random
import secrets
import time
from collections.abc import Callable

import attrs

__all__ = ["World"]


@attrs.frozen
class World:
    """`wall` returns Unix seconds, `random` numbers from 0 to 1; `host_name` and `nonce` (new for each run) sign us."""

    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    host_name: str = attrs.field(factory=platform.node)
    nonce: str = attrs.field(factory=lambda: secrets.token_hex(8))
