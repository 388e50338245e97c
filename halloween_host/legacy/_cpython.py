"""Every private name of CPython and Trio that the guest loop leans on stands in this module.

The alarm for a Python or Trio that changes one of them is CPython's own suite on our loop (`just asyncio-suite`).
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import weakref
from asyncio import events
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import trio
from sniffio import thread_local as sniffio_thread
from trio._core._run import GLOBAL_RUN_CONTEXT, SystemClock

__all__ = ["TRIED_PYTHONS", "NeverBlockingSelector", "SteppedLoop", "forget", "is_real_clock", "untried_python"]

#: Pythons whose own asyncio tests were run on the guest loop, with trio 0.35.
TRIED_PYTHONS: Final = ((3, 11), (3, 12), (3, 13))

_Outside = tuple[asyncio.AbstractEventLoop | None, str | None, Any, trio.lowlevel.Task | None]


def untried_python(version: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """A warning line for an interpreter on which the guest loop was never tried, None for one on which it was."""
    if version[:2] in TRIED_PYTHONS:
        return None
    here, tried = ".".join(map(str, version[:2])), ", ".join(".".join(map(str, each)) for each in TRIED_PYTHONS)
    return f"Python {here} was never tried with asyncio workers (tried: {tried}); native workers do not mind"


def is_real_clock(clock: trio.abc.Clock) -> bool:
    """Whether Trio goes by the computer's clock, not by a mock's."""
    return isinstance(clock, SystemClock)


def forget(task: asyncio.Task[Any]) -> None:
    """Give up a task whose loop will never turn again, without asyncio's "destroyed but pending" later on."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]


class NeverBlockingSelector(selectors.DefaultSelector):
    """Tells what is ready now; the waiting is Trio's."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class SteppedLoop(asyncio.SelectorEventLoop):
    """CPython's own loop, turned from outside: `turn` runs one iteration, which never blocks."""

    if TYPE_CHECKING:
        _default_executor: Any
        _ready: deque[asyncio.Handle]
        _scheduled: list[asyncio.TimerHandle]
        _selector: selectors.BaseSelector
        _stopping: bool
        _thread_id: int | None
        _transports: Mapping[int, asyncio.Transport]
        _asyncgen_firstiter_hook: Callable[[Any], None]
        _asyncgen_finalizer_hook: Callable[[Any], None]
        _check_closed: Callable[[], None]
        _run_once: Callable[[], None]
        _set_coroutine_origin_tracking: Callable[[bool], None]
        _write_to_self: Callable[[], None]

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        super().__init__(selector or NeverBlockingSelector())
        self._servers: weakref.WeakSet[asyncio.Server] = weakref.WeakSet()
        self._children: weakref.WeakSet[asyncio.SubprocessTransport] = weakref.WeakSet()

    @property
    def poll_fd(self) -> int:
        """Readable when anything that the loop waits for is ready (epoll's and kqueue's own descriptor)."""
        return self._selector.fileno()  # type: ignore[attr-defined, no-any-return] # DefaultSelector has it on Linux and macOS

    @property
    def thread(self) -> int | None:
        """The thread that turns the loop; None while nobody does, and `is_running()` goes by it."""
        return self._thread_id

    @thread.setter
    def thread(self, ident: int | None) -> None:
        self._thread_id = ident

    @property
    def has_work(self) -> bool:
        """Whether the next turn has something to do; a cancelled timer in front counts, since a turn removes it."""
        return bool(self._ready) or bool(self._scheduled and self._scheduled[0].cancelled())

    @property
    def next_timer(self) -> float | None:
        """When the next timer is due, in the loop's time; None without any."""
        return self._scheduled[0].when() if self._scheduled else None

    def wake_from_thread(self) -> None:
        """Make `poll_fd` readable; for other threads than the loop's."""
        self._write_to_self()

    def turn(self) -> BaseException | None:
        """Run one iteration; returns what leaves it (asyncio lets SystemExit and KeyboardInterrupt through)."""
        outside = self._enter()
        try:
            self._run_once()
        except BaseException as error:  # noqa: BLE001 the guest's border: what worker code raises must not end Trio's task
            return error
        finally:
            self._leave(outside)
        return None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """While open, this is the running loop of the current thread, and Trio's task is out of sight."""
        if events._get_running_loop() is self:
            yield
            return
        outside = self._enter()
        try:
            yield
        finally:
            self._leave(outside)

    def _enter(self) -> _Outside:
        # Trio's current task is taken away: a worker that calls trio by mistake gets an error at that line, instead of
        # hanging its cancel scopes on the task that drives it.
        outside = (
            events._get_running_loop(),
            sniffio_thread.name,
            sys.get_asyncgen_hooks(),
            GLOBAL_RUN_CONTEXT.__dict__.pop("task", None),
        )
        events._set_running_loop(self)
        sniffio_thread.name = "asyncio"
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        if self.get_debug():
            self._set_coroutine_origin_tracking(True)
        return outside

    def _leave(self, outside: _Outside) -> None:
        running, library, hooks, task = outside
        self._set_coroutine_origin_tracking(False)
        sys.set_asyncgen_hooks(*hooks)
        sniffio_thread.name = library
        events._set_running_loop(running)
        if task is not None:
            GLOBAL_RUN_CONTEXT.task = task

    # -- what a worker may leave open: CPython keeps no list of it

    def _start_serving(self, *args: Any, **kwargs: Any) -> None:
        self._servers.update(each for each in (*args, *kwargs.values()) if isinstance(each, asyncio.Server))
        super()._start_serving(*args, **kwargs)  # type: ignore[misc]

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> asyncio.SubprocessTransport:
        transport: asyncio.SubprocessTransport = await super()._make_subprocess_transport(*args, **kwargs)  # type: ignore[misc]
        self._children.add(transport)
        return transport

    async def put_away(self) -> None:
        """Close async generators, servers, connections and child processes left open (run it inside the loop)."""
        await self.shutdown_asyncgens()
        for server in list(self._servers):
            server.close()
        for transport in list(self._transports.values()):
            transport.abort()
        children = [each for each in self._children if each.get_returncode() is None]
        for child in children:
            child.close()
        for child in children:
            await child._wait()  # type: ignore[attr-defined]
        await asyncio.sleep(0)  # connection_lost() of what was aborted
