"""Random programs of workers, as values, and two interpreters: one for native workers, one for asyncio ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs
import trio
from hypothesis import strategies as st

from halloween_host import BaseWorker
from worker_host.base import BaseWorker as AsyncioWorker

__all__ = ["Book", "Plan", "Step", "plans", "worker_of"]

Kind = Literal[
    "sleep",
    "lock",
    "channel",
    "say",
    "command",
    "thread",
    "raise",
    "panic",
    "group",
    "shield",
    "finally",
    "spawn",
    "task",
]
SafeKind = Literal["none", "quick", "slow", "fails", "hangs"]


@attrs.frozen
class Step:
    """One statement of an author's; `programs` are the blocks inside it."""

    kind: Kind
    seconds: float = 0.0
    programs: tuple[tuple[Step, ...], ...] = ()

    def __repr__(self) -> str:
        inside = [f"{self.seconds:g}"] * bool(self.seconds) + [repr(list(each)) for each in self.programs]
        return f"{self.kind}({', '.join(inside)})"


Program = tuple[Step, ...]


@attrs.frozen
class Plan:
    """A worker: what `start()` does, what it spawns, what `do_go` does, and what its `safe()` is like."""

    native: bool
    start: Program
    spawned: tuple[Program, ...]
    go: Program
    safe: SafeKind


#: Ends soon and in order, also where a cancellation is not heard: what follows a shield or stands in a `finally`.
_brief = st.builds(Step, st.just("sleep"), st.sampled_from((0.005, 0.4))) | st.sampled_from(
    (Step("say"), Step("command"))
)
_shield = st.builds(Step, st.just("shield"), st.sampled_from((0.01, 0.5, 2.0)))
_leaf = (
    st.builds(Step, st.just("sleep"), st.sampled_from((0.0, 0.01, 0.5, 1.0, 1_000.0)))
    | st.sampled_from((Step("lock"), Step("channel"), Step("say"), Step("command"), Step("thread")))
    | _shield
)
_rare = st.sampled_from((*(_common := (Step("say"),) * 6), Step("raise"), Step("panic")))


def _program(step: st.SearchStrategy[Step], most: int = 4) -> st.SearchStrategy[Program]:
    return st.lists(step, max_size=most).map(tuple)


def _wider(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    blocks = st.lists(inner, min_size=1, max_size=3).map(tuple)
    one = inner.map(lambda program: (program,))
    ends = st.tuples(inner, _program(_brief | _shield, 3))
    step = (
        _leaf
        | st.builds(Step, st.just("group"), programs=blocks)
        | st.builds(Step, st.sampled_from(("spawn", "task")), programs=one)
        | st.builds(Step, st.just("finally"), programs=ends)
    )
    return _program(step)


_programs: Final = st.recursive(_program(_leaf | _rare), _wider, max_leaves=6)

plans: Final = st.builds(
    Plan,
    native=st.booleans(),
    start=_programs | st.just(()),
    spawned=st.lists(_programs, max_size=2).map(tuple),
    go=_programs,
    safe=st.sampled_from(("quick", "quick", "slow", "none", "fails", "hangs")),
)


class Book:
    """What the workers of one trial really do. `latched` tells whether a panic stands."""

    def __init__(self, latched: Callable[[], bool]) -> None:
        self.latched = latched
        self.lies: list[str] = []
        #: How many blocks of each prop are being run.
        self.alive: dict[str, int] = {}
        #: How often each prop's `safe()` began while latched.
        self.safes: dict[str, int] = {}

    def word(self) -> str:
        return "latched" if self.latched() else "free"

    def entered(self, prop_id: str) -> None:
        self.alive[prop_id] = self.alive.get(prop_id, 0) + 1

    def left(self, prop_id: str) -> None:
        self.alive[prop_id] -= 1

    def begins(self, prop_id: str, what: str) -> None:
        if self.latched():
            self.lies.append(f"{what} of {prop_id} begins while latched")

    def safe(self, prop_id: str) -> None:
        if self.latched():
            self.safes[prop_id] = self.safes.get(prop_id, 0) + 1


def worker_of(plan: Plan, book: Book) -> type[Any]:
    """The class that does what `plan` says."""
    made = _native(plan, book) if plan.native else _legacy(plan, book)
    if plan.safe == "none":
        del made.safe
    return made


def _native(plan: Plan, book: Book) -> type[Any]:
    class Native(BaseWorker):
        async def start(self) -> None:
            book.begins(self.prop_id, "start()")
            await super().start()
            self.lock = trio.Lock()
            self.send, self.receive = trio.open_memory_channel[int](1)
            for program in plan.spawned:
                self.spawn(self._run, program)
            await self._run(plan.start)

        async def do_go(self) -> None:
            book.begins(self.prop_id, "do_go")
            await self._run(plan.go)

        async def safe(self) -> None:
            book.safe(self.prop_id)
            self.telemetry("safe", book.word())
            if plan.safe == "fails":
                raise OSError("no relay")
            await trio.sleep({"slow": 0.3, "hangs": trio.current_time() + 1_000}.get(plan.safe, 0))
            self.command(self.prop_id, "close")

        async def _run(self, program: Program) -> None:
            book.entered(self.prop_id)
            try:
                for step in program:
                    await self._do(step)
            finally:
                book.left(self.prop_id)

        async def _do(self, step: Step) -> None:
            match step.kind:
                case "sleep":
                    await trio.sleep(step.seconds)
                case "lock":
                    async with self.lock:
                        await trio.sleep(30)
                case "channel":
                    await self.send.send(1)
                case "thread":
                    await trio.to_thread.run_sync(int)
                case "group":
                    async with trio.open_nursery() as nursery:
                        for program in step.programs:
                            nursery.start_soon(self._run, program)
                case "shield":
                    with trio.CancelScope(shield=True):
                        await trio.sleep(step.seconds)
                        self.telemetry("shielded", book.word())
                case "finally":
                    try:
                        await self._run(step.programs[0])
                    finally:
                        await self._run(step.programs[1])
                case "spawn" | "task" if not book.latched():
                    self.spawn(self._run, step.programs[0])
                case _:
                    _speak(self, step, book)

    return Native


def _legacy(plan: Plan, book: Book) -> type[Any]:
    class Legacy(AsyncioWorker):
        async def start(self) -> None:
            book.begins(self.prop_id, "start()")
            await super().start()
            self.lock = asyncio.Lock()
            self.queue: asyncio.Queue[int] = asyncio.Queue(1)
            self.kept: list[asyncio.Task[None]] = []
            for program in plan.spawned:
                self.spawn(self._run(program))
            await self._run(plan.start)

        async def do_go(self, arg: str | None) -> None:
            book.begins(self.prop_id, "do_go")
            await self._run(plan.go)

        async def safe(self) -> None:
            book.safe(self.prop_id)
            self.telemetry("safe", book.word())
            if plan.safe == "fails":
                raise OSError("no relay")
            await asyncio.sleep({"slow": 0.3, "hangs": 1_000_000}.get(plan.safe, 0))
            self.command(self.prop_id, "close")

        async def _run(self, program: Program) -> None:
            book.entered(self.prop_id)
            try:
                for step in program:
                    await self._do(step)
            finally:
                book.left(self.prop_id)

        async def _do(self, step: Step) -> None:
            match step.kind:
                case "sleep":
                    await asyncio.sleep(step.seconds)
                case "lock":
                    async with self.lock:
                        await asyncio.sleep(30)
                case "channel":
                    await self.queue.put(1)
                case "thread":
                    await asyncio.to_thread(int)
                case "group":
                    async with asyncio.TaskGroup() as group:
                        for program in step.programs:
                            group.create_task(self._run(program))
                case "shield":
                    await _deaf(step.seconds)
                    self.telemetry("shielded", book.word())
                case "finally":
                    try:
                        await self._run(step.programs[0])
                    finally:
                        await self._run(step.programs[1])
                case "spawn" if not book.latched():
                    self.spawn(self._run, step.programs[0])
                case "task":
                    self.kept.append(asyncio.create_task(self._run(step.programs[0])))
                case _:
                    _speak(self, step, book)

    return Legacy


async def _deaf(seconds: float) -> None:
    """Sleep through every cancellation, and heed it afterwards."""
    loop = asyncio.get_running_loop()
    until, cancelled = loop.time() + seconds, False
    while (left := until - loop.time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _speak(worker: Any, step: Step, book: Book) -> None:
    match step.kind:
        case "say":
            worker.telemetry("said", book.word())
        case "command":
            worker.command("firmware", "open", book.word())
        case "raise":
            raise RuntimeError("a bug")
        case "panic":
            worker.panic("from a program")
