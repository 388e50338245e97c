"""Threads run in real time, so virtual time stands still while one works; a short call is over before anything else happens."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import attrs

from halloween_host.errors import StageError
from halloween_host.testing._calls import PATIENCE_S, Call, StageThreads, Wait, here
from halloween_host.testing._hooks import FROM_THREAD, POOL_CALL, THREAD_CACHE, replaced, serves_anyio, thread_body

__all__ = ["counted_threads"]

_one_rehearsal: Final = threading.Lock()


@contextmanager
def counted_threads(*, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> Iterator[StageThreads]:
    """While open, every thread that starts is counted; enter it in the event loop's thread. One at a time in a process.

    Counted are calls in `trio.to_thread` (and anyio's, in asyncio too), in any `ThreadPoolExecutor` (asyncio's `to_thread` and
    `run_in_executor` too), and a `threading.Thread` from its start to its end. `say` gets one line about each call that
    took longer than `patience_s` real seconds and is no longer counted.

    Raises:
        StageError: when another rehearsal is open.
    """
    if not _one_rehearsal.acquire(blocking=False):
        raise StageError("a rehearsal is open already in this process; one at a time: end it before the next begins")
    threads = StageThreads(say, patience_s)
    begins, waits = _Beginnings(threads), _Waits(threads)
    try:
        with ExitStack() as stack:
            for place, make in (
                (THREAD_CACHE, begins.in_trios_threads),
                (POOL_CALL, begins.after_pool_calls),
                ((ThreadPoolExecutor, "submit"), begins.in_pools),
                ((threading.Thread, "start"), begins.in_other_threads),
                (FROM_THREAD, waits.for_trio),
                ((Future, "result"), waits.for_a_future),
                ((Future, "exception"), waits.for_a_future),
            ):
                stack.enter_context(replaced(place, make))
            yield threads
    finally:
        _one_rehearsal.release()


@attrs.frozen
class _Beginnings:
    """Where calls come from: each method returns what stands in a function's place while a rehearsal is open."""

    threads: StageThreads

    def in_trios_threads(self, original: Any) -> Any:
        def start_thread_soon(
            cache: Any, fn: Callable[[], Any], deliver: Callable[[Any], object], name: str | None = None
        ) -> None:
            call = self.threads.begin()

            def counted() -> Any:
                here.call, call.thread = call, threading.get_ident()
                return fn()

            def delivered(result: Any) -> None:
                try:
                    deliver(result)
                finally:
                    here.call = None
                    self.threads.rest(call)

            with self._filling_a_pool(call):
                original(cache, counted, delivered, name)
            self.threads.give_a_moment(call)

        return start_thread_soon

    def in_pools(self, original: Any) -> Any:
        def submit(pool: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            call = self.threads.begin()

            def counted(*args: Any, **kwargs: Any) -> Any:
                here.call, call.thread = call, threading.get_ident()
                return fn(*args, **kwargs)

            with self._filling_a_pool(call):
                future: Future[Any] = original(pool, counted, *args, **kwargs)
            future.add_done_callback(lambda future: self.threads.rest(call) if future.cancelled() else None)
            self.threads.give_a_moment(call)
            return future

        return submit

    def after_pool_calls(self, original: Any) -> Any:
        def run(item: Any, *args: Any) -> None:
            try:
                original(item, *args)
            finally:  # the future's callbacks have run: the loop knows
                call, here.call = here.call, None
                if call is not None:
                    self.threads.rest(call)

        return run

    def in_other_threads(self, original: Any) -> Any:
        def start(thread: threading.Thread) -> None:
            if here.fills_a_pool:
                original(thread)
                return
            if serves_anyio(thread):
                thread.queue = _Jobs(thread.queue, self.threads)  # type: ignore[attr-defined] # it has one
                original(thread)
                return
            call = self.threads.begin()

            def counted(body: Callable[[], None]) -> Callable[[], None]:
                def run() -> None:
                    here.call, call.thread = call, threading.get_ident()
                    try:
                        body()
                    finally:
                        self.threads.rest(call)

                return run

            thread_body(thread, counted)
            with self._filling_a_pool(call):
                original(thread)
            self.threads.give_a_moment(call)

        return start

    @contextmanager
    def _filling_a_pool(self, call: Call) -> Iterator[None]:
        """What is started now is counted by its calls, not by its threads; a call that could not start has ended."""
        here.fills_a_pool = True
        try:
            yield
        except BaseException:
            self.threads.rest(call)
            raise
        finally:
            here.fills_a_pool = False


@attrs.frozen
class _Jobs:
    """The queue of a thread of anyio's: what is put there is a call, which has ended when the thread comes for the next."""

    queue: Any
    threads: StageThreads
    calls: deque[Call] = attrs.field(factory=deque)

    def put_nowait(self, job: object) -> None:
        if job is None:  # the thread may go
            self.queue.put_nowait(job)
            return
        call = self.threads.begin()
        self.calls.append(call)
        self.queue.put_nowait(job)
        self.threads.give_a_moment(call)

    def get(self) -> object:
        if here.call is not None:
            self.threads.rest(here.call)
        here.call = None
        job: object = self.queue.get()
        if job is not None:
            here.call = self.calls.popleft()
            here.call.thread = threading.get_ident()
        return job

    def task_done(self) -> None:
        self.queue.task_done()


@attrs.frozen
class _Waits:
    """Where calls wait for the event loop, which may have to let virtual time pass for its answer."""

    threads: StageThreads

    def for_trio(self, original: Any) -> Any:
        def send(token: Any, message: Any) -> Any:
            # Its answer comes through `queue`; by the time that the thread takes from it the message is on its way.
            object.__setattr__(message, "queue", _Answer(message.queue, Wait(self.threads)))
            return original(token, message)

        return send

    def for_a_future(self, original: Any) -> Any:
        def result(future: Future[Any], timeout: float | None = None) -> Any:
            if here.call is None or future.done():
                return original(future, timeout)
            wait = Wait(self.threads)

            def answered(_: object) -> None:
                wait.over()
                wait.moment()

            future.add_done_callback(answered)
            wait.begin()
            try:
                return original(future, timeout)
            finally:
                wait.over()

        return result


@attrs.frozen
class _Answer:
    """A queue of one: the answer to a thread that asked Trio."""

    queue: Any
    wait: Wait

    def get(self) -> Any:
        self.wait.begin()
        try:
            return self.queue.get()
        finally:
            self.wait.over()

    def put_nowait(self, answer: Any) -> None:
        self.wait.over()
        self.queue.put_nowait(answer)
        self.wait.moment()
