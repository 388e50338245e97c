"""asyncio workers, unchanged since 2025, on CPython's own loop as a guest of Trio; asyncio is imported nowhere else.

Nor here before the first of them: each name below is imported when somebody asks for it (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from halloween_host.legacy._pythons import untried_python

if TYPE_CHECKING:
    from halloween_host.legacy._cargo import discard, loading
    from halloween_host.legacy._home import open_legacy_home
    from halloween_host.legacy._mqtt import LegacyMessage, LegacyMqtt
    from halloween_host.legacy._worker import BaseWorker

__all__ = [
    "BaseWorker",
    "LegacyMessage",
    "LegacyMqtt",
    "discard",
    "loading",
    "open_legacy_home",
    "untried_python",
]

_MODULES: Final = {
    "BaseWorker": "_worker",
    "LegacyMessage": "_mqtt",
    "LegacyMqtt": "_mqtt",
    "discard": "_cargo",
    "loading": "_cargo",
    "open_legacy_home": "_home",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
