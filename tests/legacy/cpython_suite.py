"""CPython's own asyncio tests pass on the guest loop: `just asyncio-suite` runs them all, a module in a process of its own.

Every loop that the tests make is the guest loop, and its `run_forever` is a `trio.run` that drives it until `stop()`.
Needs an interpreter that ships `test.test_asyncio` (pyenv's do; Debian's comes with libpython3-testsuite).

    python -m tests.legacy.cpython_suite                      all of `MODULES`, a line each
    python -m tests.legacy.cpython_suite test_tasks test_ssl  these
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import importlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from asyncio import events, unix_events
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import trio

from halloween_host.legacy._loop import GuestLoop

MODULES: Final = (
    "test_base_events",
    "test_buffered_proto",
    "test_context",
    "test_eager_task_factory",
    "test_events",
    "test_futures",
    "test_futures2",
    "test_locks",
    "test_pep492",
    "test_protocols",
    "test_queues",
    "test_runners",
    "test_selector_events",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_staggered",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_tasks",
    "test_threads",
    "test_timeouts",
    "test_transports",
    "test_unix_events",
    "test_waitfor",
)

#: A module that takes longer hangs.
TIMEOUT_S: Final = 300.0

_RESULT: Final = "RESULT "

#: Tests that may fail on the guest loop, by pattern of their id, each with the reason.
EXPECTED: Final[dict[str, str]] = {
    "test_events.*.test_add_signal_handler": "signals are the host's: its inner workings (set_wakeup_fd) are Trio's",
    "test_unix_events.SelectorEventLoopSignalTests.*": "signals are the host's: asyncio's inner workings are mocked there",
    "test_events.*.test_internal_fds": "the guest loop has no self-pipe",
    "test_events.HandleTests.test_handle_source_traceback": "the last frame is our call_soon, not the caller's",
}

#: Tests that are not run at all.
LEFT_OUT: Final[dict[str, str]] = {
    "*.test_get_event_loop_new_process": "forks inside trio.run, and every loop of this harness is a trio.run",
}


class _NeverBlocks:
    """A selector that a test brought along, made to tell what is ready now."""

    def __init__(self, selector: Any) -> None:
        self._selector = selector

    def select(self, timeout: float | None = None) -> Any:
        return self._selector.select(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


class SuiteLoop(GuestLoop):
    """The guest loop as the tests want one: made outside of Trio, run and stopped several times, its crashes raised."""

    stop = asyncio.SelectorEventLoop.stop
    run_until_complete = asyncio.SelectorEventLoop.run_until_complete

    def __init__(self, selector: Any = None) -> None:
        super().__init__()
        self._left: BaseException | None = None
        self.on_crash = self._leave_drive
        if selector is not None:
            self._selector = _NeverBlocks(selector)  # type: ignore[assignment]

    @property
    def has_work(self) -> bool:
        return super().has_work or self._stopping

    @property
    def poll_fd(self) -> int | None:
        return super().poll_fd if self._has_descriptor else -1

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        # 3.11's child watchers cannot do without; asyncio's own goes through signal.set_wakeup_fd, which is Trio's here
        self._check_signal(sig)  # type: ignore[attr-defined]
        self._check_closed()
        handle = events.Handle(callback, args, self, None)
        self._signal_handlers[sig] = handle  # type: ignore[attr-defined]
        signal.signal(sig, lambda *_: self._add_callback_signalsafe(handle))  # type: ignore[attr-defined]

    def run_forever(self) -> None:  # type: ignore[override]
        self._check_closed()
        self._check_running()  # type: ignore[attr-defined]
        trio.run(self._drive_until_stopped)

    async def _drive_until_stopped(self) -> None:
        self.adopt()
        self._left = None
        try:
            async with trio.open_nursery() as nursery:
                await self.drive(nursery)
        finally:
            self._stopping = False
        if self._left is not None:
            raise self._left

    def turn(self) -> BaseException | None:
        error = super().turn()
        if self._stopping:
            self.end_drive()
        return error

    def _leave_drive(self, error: BaseException) -> None:
        self._left = error
        self.end_drive()

    @property
    def _has_descriptor(self) -> bool:
        return not isinstance(self._selector, _NeverBlocks) or hasattr(self._selector, "fileno")

    async def _watch(self, scope: trio.CancelScope) -> None:
        if self._has_descriptor:
            return await super()._watch(scope)
        with scope:
            while True:  # select() and poll() have no descriptor to wait for
                await trio.sleep(0.001)
                if self._selector.select():
                    self._turn()


@attrs.frozen
class Outcome:
    """What became of a module's tests; `unexpected` and `expected` are ids of those that failed."""

    module: str
    run: int = 0
    skipped: int = 0
    unexpected: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    broken: str = ""

    def __str__(self) -> str:
        if self.broken:
            return f"{self.module}: {self.broken}"
        counts = f"{self.run} run, {self.skipped} skipped, {len(self.expected)} known to differ"
        lines = [f"{self.module}: {counts}, {len(self.unexpected)} failed", *self.unexpected]
        return "\n    ".join(lines)


def missing() -> str | None:
    """Why the suite cannot run here, None when it can."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_asyncio") is None:
        return f"{sys.executable} has no test.test_asyncio (pyenv's Python has; on Debian: libpython3-testsuite)"
    return None


def _why(name: str, table: Mapping[str, str]) -> str | None:
    return next((why for pattern, why in table.items() if fnmatch.fnmatch(name, pattern)), None)


def _name(test: unittest.TestCase) -> str:
    return test.id().partition("test_asyncio.")[2]


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


def run_module(module: str, flags: Sequence[str] = ()) -> Outcome:
    """Run a module's tests in a process of its own."""
    command = [sys.executable, *flags, "-m", "tests.legacy.cpython_suite", "--here", module]
    with tempfile.TemporaryFile("w+") as said:
        # a session of its own and no pipes: children that a test leaves behind must neither live on nor hold us
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            child.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return Outcome(module, broken=f"hangs: not done in {TIMEOUT_S:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        said.seek(0)
        text = said.read()
    for line in text.splitlines():
        if line.startswith(_RESULT):
            facts = json.loads(line.removeprefix(_RESULT))
            return Outcome(**facts | {key: tuple(facts[key]) for key in ("unexpected", "expected")})
    return Outcome(module, broken=f"ended with status {child.returncode}: {text[-2000:]}")


def run_here(module: str) -> Outcome:
    """Run a module's tests in this process, whose every loop is a guest from here on."""
    for name in ("SelectorEventLoop", "EventLoop", "_UnixSelectorEventLoop"):
        for each in (asyncio, unix_events):
            if hasattr(each, name):
                setattr(each, name, SuiteLoop)
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = SuiteLoop  # type: ignore[attr-defined]
    loaded = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(f"test.test_asyncio.{module}"))
    suite = unittest.TestSuite(test for test in _flat(loaded) if _why(_name(test), LEFT_OUT) is None)
    said = io.StringIO()
    result = unittest.TextTestRunner(stream=said, verbosity=0).run(suite)
    if "SHOW" in os.environ:
        sys.stderr.write(said.getvalue())
    failed = sorted({_name(test) for test, _ in result.failures + result.errors})
    unexpected = tuple(each for each in failed if _why(each, EXPECTED) is None)
    return Outcome(
        module,
        result.testsRun,
        len(result.skipped),
        unexpected,
        tuple(each for each in failed if each not in unexpected),
    )


def main(arguments: Sequence[str]) -> int:
    if why := missing():
        sys.stdout.write(f"{why}\n")
        return 2
    if arguments[:1] == ["--here"]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            outcome = run_here(arguments[1])
        sys.stdout.write(f"\n{_RESULT}{json.dumps(attrs.asdict(outcome))}\n")
        return 0
    flags = [each for each in arguments if each.startswith("-")]
    modules = [each for each in arguments if not each.startswith("-")] or [
        each for each in MODULES if importlib.util.find_spec(f"test.test_asyncio.{each}")
    ]
    outcomes = []
    for module in modules:
        outcomes.append(run_module(module, flags))
        sys.stdout.write(f"{outcomes[-1]}\n")
        sys.stdout.flush()
    bad = sum(bool(each.unexpected or each.broken) for each in outcomes)
    sys.stdout.write(f"{sum(each.run for each in outcomes):,} tests of {len(outcomes)} modules, {bad} modules failed\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
