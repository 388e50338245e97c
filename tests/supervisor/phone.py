"""A phone that commands the prop of a `Yard` and reads what became of it; its workers are of either dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from halloween_host import BaseWorker
from halloween_host.commands import parse_command
from halloween_host.errors import CommandError
from halloween_host.legacy import open_legacy_home
from halloween_host.native import open_native_home
from halloween_host.worker import Arrival
from tests.yard import Yard, open_yard
from worker_host.base import BaseWorker as AsyncioWorker

__all__ = ["Dialect", "Phone", "both_dialects", "open_phone"]

Dialect = Literal["native", "legacy"]

both_dialects = pytest.mark.parametrize("dialect", ["native", "legacy"])


class Phone:
    """Commands are delivered as the router does it."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard

    def send(
        self,
        action: str,
        args: object = None,
        *,
        reply_to: str | None = None,
        correlation: bytes | None = None,
        **extra: object,
    ) -> None:
        self.send_raw(json.dumps({"action": action, "args": args, **extra}).encode(), reply_to, correlation)

    def send_raw(self, payload: bytes, reply_to: str | None = None, correlation: bytes | None = None) -> None:
        try:
            command: Any = parse_command(payload)
        except CommandError as error:
            command = error
        arrival = Arrival("halloween/coffin/cmd", payload, 1, False, command, reply_to, correlation)
        self.yard.supervisor.deliver(arrival)

    def acks(self, topic: str = "halloween/coffin/ack") -> list[dict[str, Any]]:
        """Every ack on `topic` so far."""
        return [json.loads(post.payload) for post in self.yard.posts if post.kind == "ack" and post.topic == topic]

    def outcomes(self, id_: object) -> list[str]:
        """What was told of a command so far: its outcomes, with the error behind a colon."""
        return [_shown(each) for each in self.acks() if each["id"] == id_]

    async def last(self, id_: object, within_s: float = 100) -> dict[str, Any]:
        """The final ack of a command, once it is there."""
        await self.yard.expect_that(
            lambda: any(each["id"] == id_ and each["outcome"] != "accepted" for each in self.acks()), within_s
        )
        return next(each for each in self.acks() if each["id"] == id_ and each["outcome"] != "accepted")


def _shown(ack: dict[str, Any]) -> str:
    return f"{ack['outcome']}: {ack['error']}" if ack["error"] else str(ack["outcome"])


@asynccontextmanager
async def open_phone(handlers: type[Any], dialect: Dialect, **options: Any) -> AsyncIterator[Phone]:
    """Run the methods of `handlers` as a worker of a dialect, once it is online; `options` are those of `open_yard`."""
    base: Any = BaseWorker if dialect == "native" else AsyncioWorker
    worker = type("Worker", (handlers, base), {"__module__": __name__})
    async with open_yard(worker, open_native_home if dialect == "native" else open_legacy_home, **options) as yard:
        await yard.expect("status/availability online")
        yield Phone(yard)
