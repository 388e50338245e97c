"""What an operation leaves in a thread or on disk is waited for, and named when it stays."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from faults.rows import _belongings
from faults.rows._belongings import leaving_nothing

both = pytest.mark.parametrize("backend", ["trio", "asyncio"])


async def give_up(gate: threading.Event) -> None:
    """A call in a thread, which may not have begun yet."""
    async with anyio.create_task_group() as tasks:

        async def call() -> None:
            await anyio.to_thread.run_sync(gate.wait, abandon_on_cancel=True)

        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()


@both
def test_a_thread_that_was_given_up_may_end_a_moment_later(backend: str) -> None:
    async def work() -> list[str]:
        async with leaving_nothing() as left:
            gate = threading.Event()
            await give_up(gate)
            gate.set()
        return left

    assert anyio.run(work, backend=backend) == []


@both
def test_a_thread_that_stays_is_named(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_belongings, "GIVEN_UP_S", 0.01)

    async def work() -> list[str]:
        gate = threading.Event()
        async with leaving_nothing() as left:
            await give_up(gate)
        gate.set()
        return left

    (left,) = anyio.run(work, backend=backend)
    assert left.startswith("thread ")


@both
def test_a_file_that_stays_is_counted(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_belongings, "GIVEN_UP_S", 0.01)

    async def work() -> list[str]:
        async with leaving_nothing() as left:
            file = open(__file__)  # noqa: ASYNC230, PTH123, SIM115 # it stays open
        file.close()
        return left

    assert anyio.run(work, backend=backend) == ["1 open files"]
