"""A plain handler's thread cannot be cancelled: after a panic it is named, with the line at which it stands."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from halloween_host import BaseWorker
from halloween_host.legacy import open_legacy_home
from halloween_host.native import open_native_home
from halloween_host.worker import HomeFactory
from tests.yard import open_yard
from worker_host.base import BaseWorker as AsyncioWorker


@pytest.mark.parametrize(
    ("base", "home"),
    [(BaseWorker, open_native_home), (AsyncioWorker, open_legacy_home)],
    ids=["native", "legacy"],
)
async def test_a_thread_that_runs_on_is_unsafe(base: type[Any], home: HomeFactory) -> None:
    """In real time, since virtual time waits for threads: the report says which handler is still in one, and where."""
    release = threading.Event()

    class Worker(base):  # type: ignore[misc]
        def do_fire(self, arg: str | None) -> None:
            self.telemetry("fire", "begins")
            release.wait(30)

        async def safe(self) -> None:
            self.command(self.prop_id, "close")

    async with open_yard(Worker, home, safe_timeout_s=0.2) as yard:
        yard.send("fire")
        await yard.expect("telemetry/fire begins")
        try:
            yard.supervisor.panic("rehearsed")
            safety = await yard.supervisor.make_safe()
            assert safety.unsafe is not None
            assert "thread still in" in safety.unsafe
            assert "do_fire" in safety.unsafe
            assert "test_threads.py:" in safety.unsafe
            await yard.expect('cmd {"action": "close", "args": null}')
        finally:
            release.set()
