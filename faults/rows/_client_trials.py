"""The client's operations on a real mosquitto, under Trio and under asyncio, cancelled after each step they take."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import trio

from faults.rows._belongings import leaving_nothing, live_tasks, more_tasks
from faults.rows._client_operations import (
    OPERATIONS,
    SMALL,
    Case,
    Operation,
    Surroundings,
    trouble_of_the_next,
)
from faults.rows._counted_loop import CountedLoop
from faults.rows._injection import Cancellation, Swallowed, by_scope, by_task, injected
from faults.rows._verdicts import Verdict, Verdicts
from tests.listener import Listener
from tests.mosquitto import Mosquitto

__all__ = ["SETTINGS", "Setting", "cancel_client_operations"]

#: What a case's client says last on its topic: nothing follows.
LAST_WORD: Final = b"the last word"
NEVER: Final = 10**9


@attrs.frozen
class Setting:
    """The event loop that the client runs in, as `anyio.run` takes it, and who cancels."""

    name: str
    backend: str
    cancellation: Cancellation
    options: Mapping[str, Any] = attrs.field(factory=dict)


SETTINGS: Final = (
    Setting("Trio", "trio", by_scope),
    Setting("asyncio", "asyncio", by_scope, {"loop_factory": CountedLoop}),
    Setting("asyncio, by Task.cancel", "asyncio", by_task, {"loop_factory": CountedLoop}),
)


async def cancel_client_operations(
    setting: Setting,
    surroundings: Surroundings,
    folder: Path,
    verdicts: Verdicts,
    stride: int,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Every `stride`-th step of each operation is cancelled, and of the connection itself.

    `progress` is called after each. All runs in a thread, in an event loop of its own: its tasks are the client's.
    """
    work = partial(_cancel_all, setting, surroundings, folder, verdicts, stride, progress)
    await trio.to_thread.run_sync(
        partial(anyio.run, work, backend=setting.backend, backend_options=dict(setting.options))
    )


async def _cancel_all(
    setting: Setting,
    surroundings: Surroundings,
    folder: Path,
    verdicts: Verdicts,
    stride: int,
    progress: Callable[[], None],
) -> None:
    broker = Mosquitto(folder=folder)
    broker.start()
    try:
        async with broker.listen("#", qos=2) as listener:
            trials = _Trials(setting, surroundings, broker, listener, verdicts)
            for operation in OPERATIONS:
                await trials.cancel_everywhere(operation, 1 if stride == 1 else stride * operation.thinned)
                progress()
            await trials.cancel_the_connection(stride)
            progress()
    finally:
        broker.stop()


@attrs.define
class _Trials:
    _setting: Setting
    _surroundings: Surroundings
    _broker: Mosquitto
    _listener: Listener
    _verdicts: Verdicts
    _number: int = 0

    def _topic(self) -> str:
        """The next one; none is given out any more when the row is to end."""
        trio.from_thread.check_cancelled()
        self._number += 1
        return f"{self._surroundings}/{self._number}"

    async def cancel_everywhere(self, operation: Operation, stride: int) -> None:
        _, idle = await self._cancelled_at(operation, NEVER, None)
        for at in itertools.count(1, stride):
            done, _ = await self._cancelled_at(operation, at, idle)
            if not done:
                return

    async def _cancelled_at(self, operation: Operation, at: int, idle: list[str] | None) -> tuple[bool, list[str]]:
        """Whether it was cancelled before it ended, and the tasks that were there then; `idle` are those that may."""
        topic = self._topic()
        async with (
            leaving_nothing() as left,
            self._surroundings.client(self._broker, max_inflight_messages=operation.window) as client,
        ):
            case = Case(client, topic, operation.payload)
            await operation.prepare(case)
            done, held = await self._injected(at, partial(operation.run, case))
            held = held or await trouble_of_the_next(case, operation)
            seen = None if held else await self._seen(case)
            await anyio.wait_all_tasks_blocked()
            tasks = live_tasks()
        if idle is not None:
            half = "" if seen is None or operation.whole(seen, done) else f"{len(seen)} copies"
            leaked = ", ".join([*more_tasks(idle, tasks), *left])
            self._verdicts.add(self._where(operation.name, topic, at), Verdict(leaked, held, half))
        return done, tasks

    async def cancel_the_connection(self, stride: int) -> None:
        """`async with Client(…)` itself: opening, a publish, and the good-bye."""
        for at in itertools.count(1, stride):
            topic = self._topic()
            async with leaving_nothing() as left:
                done, held = await self._injected(
                    at, partial(self._surroundings.connect_and_publish, self._broker, topic)
                )
            async with self._surroundings.client(self._broker) as client:  # neither refused, nor taken for the other
                seen = await self._seen(Case(client, topic))
            whole = set(seen) <= {SMALL} and len(seen) <= 1
            self._verdicts.add(
                self._where("connect, publish, close", topic, at),
                Verdict(", ".join(left), held, "" if whole else f"{seen}"),
            )
            if not done:
                return

    async def _injected(self, at: int, operation: Callable[[], Awaitable[object]]) -> tuple[bool, str]:
        """Whether it was cancelled before it ended, and what is wrong with how it ended."""
        try:
            return await injected(at, operation, self._setting.cancellation), ""
        except Swallowed:
            return True, "the cancellation was swallowed"

    def _where(self, operation: str, topic: str, at: int) -> str:
        return f"{operation} ({self._setting.name}, {topic}), cancelled at step {at}"

    async def _seen(self, case: Case) -> list[bytes]:
        """What a subscriber saw on the case's topic; the last word of the same client shows that nothing follows."""
        await case.client.publish(case.topic, LAST_WORD, 2)
        await self._listener.expect(f"{case.topic} {LAST_WORD.decode()}")
        lines = [line for line in self._listener.lines if line.topic == case.topic]
        self._listener.lines.clear()
        self._listener._matched.clear()
        return [line.payload for line in lines if line.payload != LAST_WORD]
