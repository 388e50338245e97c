"""structlog and paho import more than a host uses of them; here they are imported without it.

structlog draws tracebacks by rich wherever rich is installed (a third of the time that Trio takes to import, and our lines are
our own), and imports asyncio for methods that nobody here calls; paho imports urllib.request, with its HTTP and its mail, for
the proxies of the environment. Who really uses asyncio or urllib.request gets it then.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["import_paho", "import_structlog"]


class _OnDemand(types.ModuleType):
    """Stands for a module in those that imported it; its first use imports the module itself."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def import_structlog() -> None:
    """Import it without rich and asyncio."""
    with _instead("rich", None), _instead("asyncio", _OnDemand("asyncio")):
        import structlog.stdlib  # noqa: F401


def import_paho() -> None:
    """Import our MQTT client, and paho under it, without urllib.request."""
    with _instead("urllib.request", _OnDemand("urllib.request")):
        importlib.import_module("halloween_host.mqtt")


@contextmanager
def _instead(name: str, stand_in: types.ModuleType | None) -> Iterator[None]:
    """What is imported in the body finds `stand_in` (None: there is no such module); who comes later finds the module."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = stand_in  # type: ignore[assignment] # for None see the language reference, 5.3.1
    parent, _, last = name.rpartition(".")
    if parent:  # as an import would have done
        setattr(importlib.import_module(parent), last, stand_in)
    try:
        yield
    finally:
        del sys.modules[name]
