"""What workers and the host itself do, on the rehearsal stage in virtual time, cancelled after each step of any task."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from faults.rows._belongings import leaving_nothing, live_tasks, more_tasks
from faults.rows._injection import Injector, armed
from faults.rows._troupe import DEEDS, PAIR, Book, troupe
from faults.rows._verdicts import Verdict, Verdicts
from halloween_host import topics
from halloween_host.errors import StageError
from halloween_host.latch import LATCH_FILE
from halloween_host.testing import Show, StageBroker, rehearse

__all__ = ["ACTS", "PROPS", "cancel_acts", "cancel_deeds", "cancel_own_stop"]

CLIENT_ID: Final = "halloween-stage"
PROPS: Final = ("coffin", "fogger")
#: Virtual seconds within which a prop is back, after whatever was done to it.
BACK_S: Final = 40.0
#: Real seconds without an event after which time jumps while a cancelled show unwinds.
UNWIND_JUMP_S: Final = 0.001


async def _nothing(show: Show) -> None:
    """The start, or the end, is the act."""


async def _command(show: Show) -> None:
    for prop_id in PROPS:
        show.send(prop_id, "open", 1, id="1")
    for prop_id in PROPS:
        await show.expect(f"{prop_id}/ack", lambda text: '"done"' in text)


async def _restart(show: Show) -> None:
    show.send("coffin", "open", 30)
    for prop_id in PROPS:
        show.send(topics.HOST, "restart", prop_id)
    await _back(show)


async def _crash(show: Show) -> None:
    for prop_id in PROPS:
        show.crash(prop_id)
    await _back(show)


async def _stop_and_start(show: Show) -> None:
    for verb in ("stop", "start"):
        for prop_id in PROPS:
            show.send(topics.HOST, verb, prop_id)
    await _back(show)


async def _panic(show: Show) -> None:
    show.send("coffin", "open", 30)
    show.panic()
    await show.expect("worker_host/status/panic", lambda text: bool(json.loads(text).get("took_ms")))


async def _rearm(show: Show) -> None:
    show.rearm()
    await _back(show)


async def _drain(show: Show) -> None:
    """The broker is away, and what was said meanwhile leaves once it is back."""
    for prop_id in PROPS:
        show.send(prop_id, "act", "say")
    show.broker.down(for_s=3)
    await show.expect("worker_host/status/availability", "online", within_s=BACK_S)
    await _back(show)


async def _back(show: Show) -> None:
    for prop_id in PROPS:
        await show.expect(f"{prop_id}/status/availability", "online", within_s=BACK_S)


@attrs.frozen
class Act:
    """`before` is not cancelled; `opening` and `ending`: the show's own start or end is."""

    name: str
    run: Callable[[Show], Awaitable[None]] = _nothing
    before: Callable[[Show], Awaitable[None]] = _nothing
    opening: bool = False
    ending: bool = False


ACTS: Final = (
    Act("start of the host", opening=True),
    Act("commands", _command),
    Act("restart of workers", _restart),
    Act("crash of workers", _crash),
    Act("stop and start of workers", _stop_and_start),
    Act("panic", _panic),
    Act("rearm", _rearm, before=_panic),
    Act("drain of the outbox", _drain),
    Act("stop of the host", ending=True),
    Act("stop of a latched host", before=_panic, ending=True),
)


async def cancel_acts(act: Act, folder: Callable[[], Path], verdicts: Verdicts, stride: int, seed: int = 0) -> None:
    """The whole host is cancelled at every `stride`-th step of `act`; another one on its state and broker must be well.

    `seed` is the order in which tasks that are due at the same moment have their turn.
    """
    for at in itertools.count(1, stride):
        if not await _cancelled_act(act, at, folder(), verdicts, seed):
            return


async def _cancelled_act(act: Act, at: int, folder: Path, verdicts: Verdicts, seed: int) -> bool:
    async with StageBroker() as broker:
        words: list[bytes] = []
        broker.observers.append(lambda event: words.append(event.payload) if event.topic.endswith("/said") else None)
        async with leaving_nothing() as left:
            with trio.CancelScope() as scope:
                connected: list[str] = []
                injector = Injector(at, partial(_cancel_all, scope, broker, connected))
                await _play(act, injector, broker, folder, seed)
            await wait_all_tasks_blocked()
        half = [f"{word!r} was said" for word in set(words) if not _whole(word)]
        half += [
            f"{prop_id} is online and its host is gone"
            for prop_id in _seen_online(broker)
            if _client_of(prop_id) in connected
        ]
        held = await _trouble_of_the_next_host(broker, folder)
        verdicts.add(
            f"{act.name}, seed {seed}, cancelled at step {at}", Verdict(", ".join(left), held, ", ".join(half))
        )
    return injector.done


def _cancel_all(scope: trio.CancelScope, broker: StageBroker, connected: list[str]) -> None:
    """The stage's own time is cancelled too: Trio's goes on while the rest unwinds."""
    connected += broker.connected
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    clock.autojump_threshold = UNWIND_JUMP_S
    scope.cancel()


async def _play(act: Act, injector: Injector, broker: StageBroker, folder: Path, seed: int) -> None:
    with ExitStack() as stack:
        if act.opening:
            stack.enter_context(armed(injector))
        async with rehearse(troupe(Book()), broker=broker, state=folder, seed=seed) as show:
            await _back(show)
            stack.close()
            await act.before(show)
            if not act.opening and not act.ending:
                with armed(injector):
                    await act.run(show)
            if act.ending:
                stack.enter_context(armed(injector))


def _whole(word: bytes) -> bool:
    return set(json.loads(word)) == {"number"}


def _seen_online(broker: StageBroker) -> list[str]:
    """Props that a subscriber must take for online (docs/operations.md)."""
    host_online = broker.retained.get(topics.HOST_AVAILABILITY) == b"online"
    seen = []
    for prop_id in (*PROPS, topics.HOST):
        online = broker.retained.get(topics.availability(prop_id)) == b"online"
        health = json.loads(broker.retained.get(topics.health(prop_id), b"{}"))
        if online and (host_online or health.get("presence")):
            seen.append(prop_id)
    return seen


def _client_of(prop_id: str) -> str:
    """Whose connection could have said otherwise: what a broker kept that died before its host is no word of that host's."""
    return CLIENT_ID if prop_id == topics.HOST else f"{CLIENT_ID}-{prop_id}"


async def _trouble_of_the_next_host(broker: StageBroker, folder: Path) -> str:
    latched = (folder / LATCH_FILE).exists()
    try:
        async with rehearse(troupe(Book()), broker=broker, state=folder) as show:
            if latched is not show.report.active:
                return f"latched is {show.report.active}, and its file says {latched}"
            if latched:
                show.rearm()
            await _back(show)
            await _command(show)
    except StageError as error:
        return f"the next host: {str(error).splitlines()[0]}"
    return ""


async def cancel_deeds(
    prop_id: str, folder: Callable[[], Path], verdicts: Verdicts, stride: int, seed: int = 0
) -> None:
    """A handler's deeds are cancelled inside one host, which must do each of them afterwards as if nothing had been."""
    book = Book()
    async with rehearse(troupe(book), state=folder(), seed=seed) as show:
        await _back(show)
        for deed in DEEDS:
            # a worker keeps a few tasks for its next handlers: what leaks shows because it adds up
            for at in (10**9, 1):
                idle = await _tasks_after(show, book, prop_id, deed, at)
            for at in itertools.count(1, stride):
                where = f"{deed} in {prop_id}, seed {seed}, cancelled at step {at}"
                try:
                    tasks = await _tasks_after(show, book, prop_id, deed, at)
                except StageError as error:
                    verdicts.add(where, Verdict(held=str(error).splitlines()[0]))
                    return  # what follows says nothing any more
                asks = show._tree._asks
                waiting = len(asks._pending) + len(asks._unsent)
                leaked = more_tasks(idle, tasks)
                if book.spawned != book.ended:
                    leaked.append(f"{book.spawned - book.ended} spawned tasks live on")
                store = show.store(prop_id)
                torn = "a transaction is half there" if store.get(PAIR[0]) != store.get(PAIR[1]) else ""
                held = f"{waiting} questions are kept" if waiting else ""
                verdicts.add(where, Verdict(", ".join(leaked), held, torn))
                if not book.cancelled:
                    break


async def _tasks_after(show: Show, book: Book, prop_id: str, deed: str, at: int) -> list[str]:
    book.at, book.cancelled = at, False
    show.send(prop_id, "act", deed)
    await show.expect(f"{prop_id}/telemetry/acted", deed)
    await show.run_for(1)  # what it began elsewhere ends
    return live_tasks()


async def cancel_own_stop(
    prop_id: str, folder: Callable[[], Path], verdicts: Verdicts, stride: int, seed: int = 0
) -> None:
    """A worker's `await self.stop()` is cancelled on its way; the operator's restart must find nothing in its way."""
    book = Book()
    async with rehearse(troupe(book), state=folder(), seed=seed) as show:
        await _back(show)
        before: list[str] = []
        for at in itertools.chain((10**9, 1), itertools.count(1, stride)):
            book.at, book.cancelled = at, False
            show.send(prop_id, "act", "stop")
            await show.run_for(1)
            show.send(topics.HOST, "restart", prop_id)
            await show.run_for(BACK_S)
            held = "" if show.health(prop_id).state.available else "not back after a restart"
            tasks = live_tasks()
            if before:
                leaked = ", ".join(more_tasks(before, tasks))
                verdicts.add(f"stop() of {prop_id}, cancelled at step {at}", Verdict(leaked, held))
            before = before or tasks
            if held or (at < 10**9 and not book.cancelled):
                return
