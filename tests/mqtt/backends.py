"""Our client belongs to no event loop: what is told of it here is shown under Trio and under asyncio."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.abc
import pytest

from halloween_host.mqtt import Client
from tests.mosquitto import Mosquitto

DEADLINE_S = 30.0

CONNACK = b"\x20\x02\x00\x00"
DISCONNECT = b"\xe0\x00"
CONNACK_5 = b"\x20\x03\x00\x00\x00"


def on_both(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test twice, under Trio and under asyncio, with a deadline."""

    @functools.wraps(test)
    def run(backend: str, **fixtures: Any) -> None:
        async def within_deadline() -> None:
            with anyio.fail_after(DEADLINE_S):
                await test(**fixtures)

        anyio.run(within_deadline, backend=backend)

    backend = inspect.Parameter("backend", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.signature(test)
    run.__signature__ = signature.replace(parameters=[backend, *signature.parameters.values()])  # type: ignore[attr-defined]  # pytest reads fixtures from it
    both: Callable[[Callable[..., None]], Callable[..., None]] = pytest.mark.parametrize("backend", ["trio", "asyncio"])
    return both(run)


def client_of(broker: Mosquitto, **arguments: Any) -> Client:
    return Client(broker.host, broker.port, **{"timeout": 10.0, **arguments})


Handler = Callable[[anyio.abc.SocketStream], Awaitable[None]]


@asynccontextmanager
async def scripted_broker(handler: Handler) -> AsyncIterator[int]:
    """A listener on 127.0.0.1 whose connections are served by `handler`; yields its port. Its byte streams are scripts:

    what no mosquitto can be made to say.
    """

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await handler(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def until_closed(stream: anyio.abc.SocketStream) -> bytes:
    """All that the client sends until it closes or says DISCONNECT."""
    sent = b""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while not sent.endswith(DISCONNECT):
            sent += await stream.receive()
    return sent
