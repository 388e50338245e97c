"""halloween_host runs the brains of a haunt's props as supervised workers and bridges them to MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from halloween_host.worker import BaseWorker, action

__all__ = ["BaseWorker", "action"]


def __getattr__(name: str) -> Any:
    """The names of `__all__`, imported when an author asks for one: our own commands need no worker (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from halloween_host import worker

    return getattr(worker, name)
