"""Every private name of Trio, anyio and CPython that the stage leans on stands in this module.

Tried with trio 0.35 and anyio 4.16 on CPython 3.11, 3.12 and 3.13. tests/testing/test_threads.py and test_seed.py fail when one of them
moves: each looks at what the name does, not at whether it is there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import thread as pools
from contextlib import contextmanager
from typing import Any, Final

import trio
from trio import _threads as trio_threads
from trio._core import _run as trio_run
from trio._core._thread_cache import ThreadCache

from halloween_host.errors import StageError

__all__ = [
    "FROM_THREAD",
    "POOL_CALL",
    "THREAD_CACHE",
    "deterministic_scheduler",
    "replaced",
    "serves_anyio",
    "thread_body",
]

#: An object and the name of the function in it that is replaced while a rehearsal is open.
Place = tuple[Any, str]

#: `trio.to_thread` and `trio.lowlevel.start_thread_soon` both end here: (cache, function, deliver, name).
THREAD_CACHE: Final[Place] = (ThreadCache, "start_thread_soon")
#: `trio.from_thread` ends here: (token, message); the thread waits in `message.queue.get()`.
FROM_THREAD: Final[Place] = (trio_threads, "_send_message_to_trio")
#: A call in a ThreadPoolExecutor, and then its future's callbacks: (item).
POOL_CALL: Final[Place] = (pools._WorkItem, "run")


@contextmanager
def replaced(place: Place, make: Callable[[Any], Any]) -> Iterator[None]:
    """While open, the function at `place` is what `make` makes of it."""
    owner, name = place
    original = getattr(owner, name, None)
    if original is None:
        raise StageError(
            f"trio {trio.__version__} or this Python has no {owner.__name__}.{name}: the stage cannot see threads"
        )
    setattr(owner, name, make(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def thread_body(thread: Any, make: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
    """What a `threading.Thread` is going to run, its excepthook included, is what `make` makes of it."""
    thread._bootstrap_inner = make(thread._bootstrap_inner)


def serves_anyio(thread: Any) -> bool:
    """Whether it is a thread of anyio's own, as it has them under asyncio: it takes call after call from its `queue`."""
    return (type(thread).__module__, type(thread).__name__) == ("anyio._backends._asyncio", "WorkerThread")


@contextmanager
def deterministic_scheduler(seed: int) -> Iterator[None]:
    """While open, Trio shuffles each batch of tasks, sorted by age, with a generator of this seed."""
    shuffler: random.Random = trio_run._r
    state, allowed = shuffler.getstate(), trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc] # pytest-trio does the same for Hypothesis
    shuffler.seed(seed)
    try:
        yield
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc]
        shuffler.setstate(state)
