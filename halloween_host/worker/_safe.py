"""`safe()` is what a worker does when all must stop: close the valve, switch off the motor."""

from __future__ import annotations

import inspect
from typing import Any

from halloween_host.worker._actions import is_async

__all__ = ["has_safe"]


def has_safe(worker_class: type[Any]) -> bool:
    """Whether the class has an ``async def safe(self)``; anything else of that name is the author's own and not called."""
    function = inspect.getattr_static(worker_class, "safe", None)
    if not inspect.isfunction(function) or not is_async(function):
        return False
    return len(inspect.signature(function).parameters) == 1
