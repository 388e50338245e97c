"""A test's stage: a broker of its own, under a clock that jumps."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from trio.testing import MockClock

from halloween_host.mqtt import Will
from halloween_host.testing._broker import StageBroker
from halloween_host.testing._client import StageClient
from tests.testing.yards import line

__all__ = ["WILL", "heard", "in_virtual_time", "subscriber"]

WILL: Final = Will("will", "gone", 1)


def in_virtual_time(test: Callable[[StageBroker], Awaitable[None]]) -> Callable[[], None]:
    """Run the test with a stage broker, under a clock that jumps."""

    async def main() -> None:
        async with StageBroker() as broker:
            await test(broker)

    @functools.wraps(test)
    def run() -> None:
        trio.run(main, clock=MockClock(autojump_threshold=0))

    del run.__wrapped__  # pytest would look for a fixture called broker
    return run


@asynccontextmanager
async def subscriber(broker: StageBroker, **options: Any) -> AsyncIterator[StageClient]:
    async with StageClient(broker, identifier="sub", **options) as sub:
        await sub.subscribe("#", 1)
        yield sub


async def heard(client: StageClient) -> tuple[float, list[str]]:
    """When the next messages came, and which."""
    batch = await client.messages.batch()
    return trio.current_time(), [line(each) for each in batch]
