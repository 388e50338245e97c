"""What workers ask of the host, from any thread: a panic, the time, an answer, their store."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import attrs

from halloween_host.asks import Asks
from halloween_host.express import Express
from halloween_host.store import Stores
from halloween_host.worker import Question

__all__ = ["HostHooks"]


@attrs.frozen
class HostHooks:
    """The `Hooks` of all workers. `panic` takes a reason and who asks; `wall` returns Unix seconds."""

    panic: Callable[[str, str], None]
    wall: Callable[[], float]
    asks: Asks
    stores: Stores
    express: Express

    def request_panic(self, prop_id: str, reason: str) -> None:
        self.panic(reason, prop_id)

    def ask(self, question: Question) -> None:
        self.asks.ask(question)

    def forget(self, question: Question) -> None:
        self.asks.forget(question)

    def store(self, prop_id: str) -> MutableMapping[str, Any]:
        return self.stores.of(prop_id)
