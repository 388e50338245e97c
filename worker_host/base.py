"""``from worker_host.base import BaseWorker``: the import of asyncio workers since 2025."""

from halloween_host.legacy import BaseWorker
from halloween_host.worker import action

__all__ = ["BaseWorker", "action"]
