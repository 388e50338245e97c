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
from contextvars import Context
from typing import TYPE_CHECKING, Any

import trio
from sniffio import thread_local as sniffio_thread
from trio._core._run import GLOBAL_RUN_CONTEXT, SystemClock
from typing_extensions import TypeVarTuple, Unpack

__all__ = ["NeverBlockingSelector", "SteppedLoop", "forget", "is_real_clock", "tasks_alive"]

ArgsT = TypeVarTuple("ArgsT")
_Outside = tuple[asyncio.AbstractEventLoop | None, str | None, Any, trio.lowlevel.Task | None]


def is_real_clock(clock: trio.abc.Clock) -> bool:
    """Whether Trio goes by the computer's clock, not by a mock's."""
    return isinstance(clock, SystemClock)


def forget(task: asyncio.Task[Any]) -> None:
    """Give up a task whose loop will never turn again, without asyncio's "destroyed but pending" later on."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def tasks_alive() -> int | None:
    """How many tasks asyncio knows of, whatever their loop; None when it keeps no such list (Python 3.14)."""
    known = getattr(asyncio.tasks, "_scheduled_tasks", None)  # 3.12 renamed it
    known = getattr(asyncio.tasks, "_all_tasks", None) if known is None else known
    return None if known is None else len(known)


class NeverBlockingSelector(selectors.DefaultSelector):
    """Tells what is ready now; the waiting is Trio's."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class _NoSelectorYet(selectors._BaseSelectorImpl):
    """Stands in until the loop has a descriptor to wait for, which most workers never have; costs no system call."""

    def __init__(self, open_selector: Callable[[], selectors.BaseSelector]) -> None:
        super().__init__()
        self._open_selector = open_selector

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._open_selector().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return []


class SteppedLoop(asyncio.SelectorEventLoop):
    """CPython's own loop, turned from outside: `turn` runs one iteration, which never blocks.

    Work that comes while it is `asleep` calls `wake`, work from other threads `wake_from_thread`: there is no self-pipe. The
    selector opens with the first descriptor, which calls `wake` too.
    """

    if TYPE_CHECKING:
        _default_executor: Any
        _ready: deque[asyncio.Handle]
        _scheduled: list[asyncio.TimerHandle]
        _closed: bool
        _debug: bool
        _coroutine_origin_tracking_enabled: bool
        _selector: selectors.BaseSelector
        _stopping: bool
        _thread_id: int | None
        _transports: Mapping[int, asyncio.Transport]
        _asyncgens: weakref.WeakSet[Any]
        _asyncgens_shutdown_called: bool
        _asyncgen_firstiter_hook: Callable[[Any], None]
        _asyncgen_finalizer_hook: Callable[[Any], None]
        _check_closed: Callable[[], None]
        _run_once: Callable[[], None]
        _set_coroutine_origin_tracking: Callable[[bool], None]

    #: Whether nobody is going to turn the loop unless `wake` is called.
    asleep: object = None
    _servers: weakref.WeakSet[asyncio.Server] | None = None
    _children: weakref.WeakSet[asyncio.SubprocessTransport] | None = None

    def __init__(self) -> None:
        super().__init__(_NoSelectorYet(self._open_selector))

    def wake(self) -> None:
        """There is something to do, or to wait for; from whichever thread brought it."""
        raise NotImplementedError

    def wake_from_thread(self) -> None:
        """Another thread, or a signal's handler, has brought something to do."""
        raise NotImplementedError

    @property
    def poll_fd(self) -> int | None:
        """Readable when anything that the loop waits for is ready (epoll's and kqueue's own descriptor); None without any such thing."""
        if isinstance(self._selector, _NoSelectorYet):
            return None
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
    def backlog(self) -> int:
        """How many callbacks and steps of tasks the next turn has before it."""
        return len(self._ready)

    @property
    def next_timer(self) -> float | None:
        """When the next timer is due, in the loop's time; None without any."""
        return self._scheduled[0].when() if self._scheduled else None

    def call_soon(
        self, callback: Callable[[Unpack[ArgsT]], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.Handle:
        if self._debug or self._closed:
            handle = super().call_soon(callback, *args, context=context)
        else:  # the same in a third of the frames: every step of every task comes through here
            handle = asyncio.Handle(callback, args, self, context)
            self._ready.append(handle)
        if self.asleep is not None:
            self.wake()
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[ArgsT]], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        if self.asleep is not None:
            self.wake()
        return handle

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
        if self._debug:
            self._set_coroutine_origin_tracking(True)
        return outside

    def _leave(self, outside: _Outside) -> None:
        running, library, hooks, task = outside
        if self._coroutine_origin_tracking_enabled:
            self._set_coroutine_origin_tracking(False)
        sys.set_asyncgen_hooks(*hooks)
        sniffio_thread.name = library
        events._set_running_loop(running)
        if task is not None:
            GLOBAL_RUN_CONTEXT.task = task

    # -- in place of the self-pipe, and of a selector of one's own from the start

    def _make_self_pipe(self) -> None:
        pass

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        self.wake_from_thread()

    def _open_selector(self) -> selectors.BaseSelector:
        self._selector = NeverBlockingSelector()
        if self.asleep is not None:
            self.wake()
        return self._selector

    # -- what a worker may leave open: CPython keeps no list of it

    def _start_serving(self, *args: Any, **kwargs: Any) -> None:
        if self._servers is None:
            self._servers = weakref.WeakSet()
        self._servers.update(each for each in (*args, *kwargs.values()) if isinstance(each, asyncio.Server))
        super()._start_serving(*args, **kwargs)  # type: ignore[misc]

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> asyncio.SubprocessTransport:
        transport: asyncio.SubprocessTransport = await super()._make_subprocess_transport(*args, **kwargs)  # type: ignore[misc]
        if self._children is None:
            self._children = weakref.WeakSet()
        self._children.add(transport)
        return transport

    def is_tidy(self) -> bool:
        """Whether nothing is left for `put_away` to do: then it need not run, and generators come too late from here on all the same."""
        if self._ready or self._asyncgens or self._servers or self._transports or self._children:
            return False
        self._asyncgens_shutdown_called = True
        return True

    async def put_away(self) -> None:
        """Close async generators, servers, connections and child processes left open (run it inside the loop)."""
        await self.shutdown_asyncgens()
        for server in list(self._servers or ()):
            server.close()
        for transport in list(self._transports.values()):
            transport.abort()
        children = [each for each in self._children or () if each.get_returncode() is None]
        for child in children:
            child.close()
        for child in children:
            await child._wait()  # type: ignore[attr-defined]
        await asyncio.sleep(0)  # connection_lost() of what was aborted
