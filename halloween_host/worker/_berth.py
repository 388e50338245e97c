"""A berth is all that one instance of a worker gets from the host: its outlet, and where its tasks live."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

import attrs

from halloween_host.acks import Ack
from halloween_host.express import Express
from halloween_host.outlet import Outlet

__all__ = ["Berth", "Hooks", "Question", "Spawner"]


class Spawner(Protocol):
    """Starts tasks of one instance. What `spawn` returns is the dialect's: a cancel scope, or an asyncio Task."""

    def spawn(self, function: Any, args: tuple[Any, ...]) -> Any:
        """Start `function(*args)`, or the coroutine object `function`, as a task of this instance."""

    async def cancel_spawned(self) -> None:
        """Cancel every spawned task but the caller's own and wait until they ended."""

    def stopped_itself(self) -> None:
        """The worker's `stop()` has run to its end; outside the host's own stop that means offline on purpose."""


class Hooks(Protocol):
    """What a worker may ask of the host; every call is plain and may come from any thread."""

    @property
    def express(self) -> Express:
        """Says whether a handler may run where it is started. In Trio's thread."""

    def request_panic(self, prop_id: str, reason: str) -> None:
        """Stop everything, as the operator's panic does."""

    def wall(self) -> float:
        """Unix seconds, virtual on the rehearsal stage."""

    def store(self, prop_id: str) -> MutableMapping[str, Any]:
        """What this prop keeps over the host's end: the same for all its instances."""

    def ask(self, question: Question) -> None:
        """Send the command of `question` and tell it the outcome."""

    def forget(self, question: Question) -> None:
        """Nobody waits for the answer any more."""


class Question(Protocol):
    """A command whose outcome somebody waits for."""

    prop_id: str
    id: str

    def post(self) -> None:
        """Let the command go: answers are heard now. From Trio's thread."""

    def answer(self, ack: Ack) -> None:
        """The command has ended. From Trio's thread."""


@attrs.define
class Berth:
    """`outlet` takes what the worker says; `spawner` is None before `start()` and after `stop()`; `moment` says which."""

    outlet: Outlet
    subscribe: Callable[[str, int], None]
    hooks: Hooks
    spawner: Spawner | None = None
    moment: str = "before start()"
