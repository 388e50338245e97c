"""A berth is all that one instance of a worker gets from the host: its outlet, and where its tasks live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from halloween_host.outbox import Outlet

__all__ = ["Berth", "Spawner"]


class Spawner(Protocol):
    """Starts tasks of one instance. What `spawn` returns is the dialect's: a cancel scope, or an asyncio Task."""

    def spawn(self, function: Any, args: tuple[Any, ...]) -> Any:
        """Start `function(*args)`, or the coroutine object `function`, as a task of this instance."""

    async def cancel_spawned(self) -> None:
        """Cancel every spawned task but the caller's own and wait until they ended."""

    def stopped_itself(self) -> None:
        """The worker's `stop()` has run to its end; outside the host's own stop that means offline on purpose."""


@attrs.define
class Berth:
    """`outlet` takes what the worker says; `spawner` is None before `start()` and after `stop()`; `moment` says which."""

    outlet: Outlet
    subscribe: Callable[[str, int], None]
    spawner: Spawner | None = None
    moment: str = "before start()"
