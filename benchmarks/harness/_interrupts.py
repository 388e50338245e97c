"""Ctrl-C and SIGTERM end a run alike: first every process that it started, then itself."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")


def run_interruptible(work: Callable[[], Awaitable[T]]) -> T:
    """`trio.run`.

    Raises:
        KeyboardInterrupt: on either signal, when everything in `work` has ended.
    """
    results: list[T] = []

    async def until_told() -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:

                async def cancel_on_signal() -> None:
                    async for _ in signals:
                        nursery.cancel_scope.cancel()

                nursery.start_soon(cancel_on_signal)
                results.append(await work())
                nursery.cancel_scope.cancel()

    try:
        trio.run(until_told)
    except* KeyboardInterrupt:
        pass
    if not results:
        raise KeyboardInterrupt
    return results[0]
