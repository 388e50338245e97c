"""asyncio workers, unchanged since 2025, on CPython's own loop as a guest of Trio; asyncio is imported nowhere else."""

from halloween_host.legacy._cargo import discard, loading
from halloween_host.legacy._cpython import untried_python
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
