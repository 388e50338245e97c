"""What the tests' worker files import: a legacy-like base, and a gate that a file's import can wait at."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from halloween_host.errors import HalloweenHostError
from halloween_host.worker import CommonWorker

#: Set to let go an import that waits.
gate = threading.Event()


class LegacyWorker(CommonWorker):
    """As `worker_host.base.BaseWorker` is to the loader: another dialect with a config check of its own."""

    dialect: ClassVar = "legacy"

    @classmethod
    def check_config(cls, values: Mapping[str, Any]) -> None:
        if "wrong" in values:
            raise HalloweenHostError("coffin: field 'wrong' is wrong")
