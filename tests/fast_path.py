"""A test run's own `MQTT_FAST_PATH` reaches every process that it starts, though their environment is else their own.

`MQTT_FAST_PATH=0 just test` is the whole suite without the fast path, hosts that are processes of their own included; what is
counted in `tests/counts` is skipped then.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["CHOSEN", "FAST"]

_NAME: Final = "MQTT_FAST_PATH"

#: What a process gets beside its own variables, which win: the run's choice, or nothing.
CHOSEN: Final[dict[str, str]] = {_NAME: os.environ[_NAME]} if _NAME in os.environ else {}

#: Whether this run's clients take it, unless one was told otherwise.
FAST: Final = os.environ.get(_NAME, "1").strip() != "0"
