"""Under Trio and asyncio a cancellation comes after the very step it is meant for; what is left then is found."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from faults.rows._client_operations import SURROUNDINGS
from faults.rows._client_trials import SETTINGS, Setting, cancel_client_operations
from faults.rows._injection import Injector, Swallowed, armed, by_task, injected
from faults.rows._verdicts import Verdicts
from halloween_host.mqtt import Client
from tests.faults.test_cancellation import sums

#: Of each operation, every so-many-th step is cancelled here; `just faults` cancels each.
STRIDE = 25

_, ASYNCIO, BY_TASK = SETTINGS
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


def run(setting: Setting, work: Callable[[], Awaitable[None]]) -> None:
    anyio.run(work, backend=setting.backend, backend_options=dict(setting.options))


def cancelled(setting: Setting, folder: Path) -> Verdicts:
    verdicts = Verdicts()
    trio.run(partial(cancel_client_operations, setting, SURROUNDINGS[0], folder, verdicts, STRIDE))
    verdicts.say()
    return verdicts


@every_setting
def test_the_nth_checkpoint_is_the_one_that_is_cancelled(setting: Setting) -> None:
    async def operation(reached: list[int]) -> None:
        for number in range(5):
            reached.append(number)
            await anyio.lowlevel.checkpoint()

    async def work() -> None:
        for at in range(1, 6):
            reached: list[int] = []
            assert await injected(at, partial(operation, reached), setting.cancellation)
            assert reached == list(range(at))
            await anyio.lowlevel.checkpoint()  # anyio's scope leaves a callback behind
        assert not await injected(7, partial(operation, []), setting.cancellation)

    run(setting, work)


def test_what_makes_a_task_due_is_a_moment_of_its_own() -> None:
    """A readable or writable file, a timer, a thread's answer: each counts beside the step that waits for it."""
    reading, writing = os.pipe()
    os.write(writing, b"x")

    async def answered_by_a_thread() -> None:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        thread = threading.Thread(target=partial(loop.call_soon_threadsafe, answer.set_result, None))
        thread.start()
        await answer
        thread.join()

    async def work() -> None:
        for operation in (
            partial(anyio.wait_readable, reading),
            partial(anyio.wait_writable, writing),
            partial(asyncio.sleep, 0.001),
            answered_by_a_thread,
        ):
            with armed(Injector(10**9, lambda: None)) as injector:
                await operation()
            assert injector.steps == 2, operation

    run(ASYNCIO, work)
    os.close(reading)
    os.close(writing)


def test_a_cancellation_that_is_swallowed_is_told() -> None:
    """asyncio says it once: who does not pass it on goes on for ever."""

    async def operation() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(100)

    async def work() -> None:
        with pytest.raises(Swallowed):
            await injected(1, operation, by_task)
        await anyio.lowlevel.checkpoint()  # of which nothing is left

    run(BY_TASK, work)


@every_setting
def test_a_client_leaves_nothing_held_or_half_done(setting: Setting, tmp_path: Path) -> None:
    verdicts = cancelled(setting, tmp_path)
    assert len(verdicts) > 20
    assert sums(verdicts) == [0, 0, 0]


def test_a_task_that_a_client_leaves_in_asyncio_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unsubscribe = Client.unsubscribe
    left: list[asyncio.Task[None]] = []

    async def leave_a_task(client: Client, *args: Any) -> None:
        left.append(asyncio.create_task(asyncio.sleep(100)))
        await unsubscribe(client, *args)
        left.pop().cancel()

    monkeypatch.setattr(Client, "unsubscribe", leave_a_task)
    assert sums(cancelled(ASYNCIO, tmp_path))[0] > 0


def test_a_cancellation_that_a_client_swallows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Client.room

    async def go_on(client: Client) -> None:
        with suppress(asyncio.CancelledError):
            await room(client)

    monkeypatch.setattr(Client, "room", go_on)
    assert sums(cancelled(BY_TASK, tmp_path))[1] > 0
