"""A show: workers of both dialects on the stage, a phone to command them, and a broker that fails at a word."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.commands import encode_command
from halloween_host.doorbell import Doorbell
from halloween_host.errors import StageError, did_you_mean
from halloween_host.keeper import Keeper
from halloween_host.latch import Latch
from halloween_host.loader import Again, WorkerSpec
from halloween_host.outbox import Outbox
from halloween_host.panic import Report
from halloween_host.reporter import Reporter
from halloween_host.settings import BrokerSettings, Settings, load_settings
from halloween_host.states import Health
from halloween_host.store import Store, Stores
from halloween_host.testing._broker import StageBroker
from halloween_host.testing._cast import Cast, cast_of
from halloween_host.testing._network import no_network
from halloween_host.testing._packets import BrokerEvent
from halloween_host.testing._seed import seeded, stage_wall
from halloween_host.testing._stores import stage_stores
from halloween_host.testing._time import virtual_time
from halloween_host.testing._transcript import Transcript
from halloween_host.testing._wishes import ANYTHING, fits
from halloween_host.tree import Tree
from halloween_host.world import World

__all__ = ["ANYTHING", "Show", "rehearse"]

#: Virtual seconds that the curtain waits for the host to be subscribed.
LINK_S: Final = 1.0
#: The client id of the host on the stage.
CLIENT_ID: Final = "halloween-stage"

_log: Final = structlog.stdlib.get_logger()


class Show:
    """What runs on the stage, and all that a test does to it. Made by `rehearse`."""

    def __init__(self, tree: Tree, broker: StageBroker, transcript: Transcript, stores: Stores) -> None:
        #: The broker: `down(for_s=…)`, `drop`, `cut`, `stall`, `block`, `forget_retained` and what it has retained.
        self.broker = broker
        #: The lines so far; ``str(show.transcript)`` has them all.
        self.transcript = transcript
        self._tree = tree
        self._stores = stores
        self._began = trio.current_time()
        self._heard: dict[str, list[BrokerEvent]] = {}
        self._seen: dict[str, int] = {}
        self._news = trio.Event()
        broker.observers.append(self._hear)

    @property
    def now(self) -> float:
        """Seconds since the show began."""
        return trio.current_time() - self._began

    @property
    def report(self) -> Report:
        """What `worker_host/status/panic` says."""
        return self._tree.panic.report

    def send(
        self,
        prop_id: str,
        action: str,
        args: object = None,
        *,
        id: str | int | None = None,
        ts: float | None = None,
        ttl: float | None = None,
    ) -> None:
        """Command a prop (or `worker_host`) as the operator's phone does.

        Raises:
            StageError: when no such prop is on the stage.
            CommandError, PayloadError: when no such command can be sent.
        """
        self._check(prop_id, (*self._tree.supervisors, topics.HOST))
        self.publish(topics.command(prop_id), encode_command(action, args, id=id, ts=ts, ttl=ttl))

    def publish(self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish anything, as a stranger."""
        self.broker.publish(topic, payload, qos, retain)

    async def expect(self, topic: str, value: object = ANYTHING, /, *, within_s: float = 5.0) -> str:
        """Wait for a message on `topic` with `value`, and return its payload as text.

        `topic` may leave out ``halloween/``. Messages count once: what an `expect` of the same topic returned, or passed by, is
        not looked at again. `value` is text that the payload equals, a JSON value that it holds, or a function of the text that
        returns whether this is it. `within_s` are virtual seconds.

        Raises:
            StageError: when it did not come in time; what came instead is named.
        """
        full = topic if topic.startswith(f"{topics.PREFIX}/") else f"{topics.PREFIX}/{topic}"
        passed: list[str] = []
        with trio.move_on_after(within_s) as scope:
            while (text := self._next(full, value, passed)) is None:
                self._news = trio.Event()
                await self._news.wait()
            return text
        if scope.cancelled_caught and (text := self._next(full, value, passed)) is not None:  # in the very last moment
            return text
        instead = f"; there was {', '.join(passed[-5:])}" if passed else "; nothing came there"
        raise StageError(f"{full} {value!r} was not published within {within_s:g} s{instead}")

    def _next(self, topic: str, value: object, passed: list[str]) -> str | None:
        """The next message that fits; those before it are passed by."""
        messages, seen = self._heard.get(topic, []), self._seen.get(topic, 0)
        for index in range(seen, len(messages)):
            self._seen[topic] = index + 1
            text = messages[index].payload.decode(errors="backslashreplace")
            if fits(text, value):
                return text
            passed.append(text)
        return None

    async def run_for(self, seconds: float) -> None:
        """Let virtual time pass."""
        await trio.sleep(seconds)

    def health(self, prop_id: str) -> Health:
        """What `status/health` of a prop says."""
        return self._tree.supervisors[prop_id].health

    def store(self, prop_id: str) -> Store:
        """A prop's `self.store`, to look at and to change. Raises StageError when no such prop is on the stage."""
        self._check(prop_id, self._tree.supervisors)
        return self._stores.of(prop_id)

    def crash(self, prop_id: str, error: BaseException | None = None) -> None:
        """The worker crashes, as if a spawned task of it had raised `error`."""
        self._tree.supervisors[prop_id].crashed("the rehearsal's crash", error or RuntimeError("show.crash()"))

    def panic(self, reason: str = "rehearsed") -> None:
        """The operator's panic, by the broker."""
        self.send(topics.HOST, "panic", reason)

    def rearm(self) -> None:
        """The operator's rearm, by the broker."""
        self.send(topics.HOST, "rearm")

    def _check(self, prop_id: str, there: Collection[str]) -> None:
        if prop_id not in there:
            raise StageError(f"no prop {prop_id!r} on the stage{did_you_mean(prop_id, self._tree.supervisors)}")

    def _hear(self, event: BrokerEvent) -> None:
        if event.kind in ("publish", "will"):
            self._heard.setdefault(event.topic, []).append(event)
            self._news.set()


@asynccontextmanager
async def rehearse(
    workers: Cast,
    *,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
    seed: int = 0,
    state: Path | None = None,
    store: Mapping[str, Mapping[str, Any]] | None = None,
    broker: StageBroker | None = None,
) -> AsyncIterator[Show]:
    """Run workers on the stage: the host's real supervisor, router and outbox, in virtual time, on a broker in memory.

    `workers` is a worker class, several, a mapping from prop id to worker class, or the path of a props folder. `config` holds each
    prop's config by prop id (a folder's own files count, but for the props named here). `environ` are the host's variables,
    as in ``{"WORKER_RESTART_LIMIT": "2"}``. The same `seed` gives the same transcript. `state` is the host's STATE_DIR: give two
    shows the same one, and the second is a restart of the first. `store` holds what each prop stored before, by prop id.
    `broker` may be one that is open already.

    Raises:
        StageError: outside of virtual time (the text says how to get into it), while another show runs, and at the end when a
            worker reached for the network or another program, even if it swallowed the error.
        StoreError: when a value of `store` is not JSON.
        LoadError: when a worker does not load.
    """
    environ = {**(environ or {})}
    with ExitStack() as stack:
        folder = state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
        settings = load_settings({**environ, "STATE_DIR": str(folder)})
        specs, again = stack.enter_context(cast_of(workers, config or {}, settings, environ))
        began = trio.current_time()
        transcript = Transcript(lambda: trio.current_time() - began, replace=(str(folder), "STATE_DIR"))
        reached: list[StageError] = []
        async with AsyncExitStack() as open_:
            open_.enter_context(_one_error())
            open_.enter_context(seeded(seed))
            open_.enter_context(transcript.logging())
            reached = open_.enter_context(no_network())
            open_.enter_context(_noted(transcript))
            await open_.enter_async_context(virtual_time(say=transcript.note))
            stage = broker if broker is not None else await open_.enter_async_context(StageBroker())
            stage.observers.append(transcript.hear)
            outbox, doorbell = _outbox()
            keeper = Keeper(Reporter(outbox), lambda prop_id, reason: tree.supervisors[prop_id].degrade(reason))
            prop_ids = {spec.prop_id for spec in specs}
            stores = open_.enter_context(stage_stores(state, store or {}, prop_ids, keeper, stage.later))
            tree = _plant(specs, again, settings, stage, Latch(folder), stores, seed, outbox, doorbell)
            show = Show(tree, stage, transcript, stores)
            async with trio.open_nursery() as nursery:
                await nursery.start(tree.run)
                with trio.move_on_after(LINK_S):  # a broker that is away from the start is no reason to wait
                    await tree.linked.wait()
                yield show
                tree.stop()
            for observer in (transcript.hear, show._hear):
                stage.observers.remove(observer)
        if reached:  # also what a worker swallowed: the rehearsal showed something else than the show
            raise reached[0]


@contextmanager
def _one_error() -> Iterator[None]:
    """An error that is alone in its exception groups leaves bare, so that `pytest.raises` sees it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, BaseExceptionGroup):
            raise
    else:
        return
    raise error


def _outbox() -> tuple[Outbox, Doorbell]:
    doorbell = Doorbell()
    outbox = Outbox(
        wake=doorbell.ring,
        clock=trio.lowlevel.current_clock().current_time,
        dropped=lambda prop_id, text: _log.warning(text, worker=prop_id),
    )
    return outbox, doorbell


def _plant(
    specs: tuple[WorkerSpec, ...],
    again: Again | None,
    settings: Settings,
    stage: StageBroker,
    latch: Latch,
    stores: Stores,
    seed: int,
    outbox: Outbox,
    doorbell: Doorbell,
) -> Tree:
    return Tree(
        specs,
        settings,
        BrokerSettings(host="stage", protocol="5"),
        stage.dial,
        latch,
        stores,
        World(stage_wall(), Random(f"jitter {seed}").random, "stage", f"nonce {seed}"),
        client_id=CLIENT_ID,
        outbox=outbox,
        doorbell=doorbell,
        reporter=Reporter(outbox),
        leave=_leave,
        again=again,
    )


def _leave(status: int) -> None:
    """Where the real host ends its process past what refuses to end, a rehearsal must say so: it cannot leave a task behind."""
    raise StageError("a worker refuses to end (see the transcript); the real host would leave it behind and exit")


@contextmanager
def _noted(transcript: Transcript) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        first = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        first.add_note(transcript.tail())
        raise
