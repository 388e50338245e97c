"""An isolated worker lives in a process of its own; here it is kept alive: a new process after a crash, one end for each.

The process speaks for the worker over its own connection. While there is none, or it does not speak yet, we do: `offline`,
health, and a refusal for each command.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.errors import CommandError
from halloween_host.flag import Flag
from halloween_host.isolation._crashes import describe_end
from halloween_host.isolation._launcher import Child, Launcher
from halloween_host.isolation._logs import Relay
from halloween_host.isolation._steered import Steered
from halloween_host.isolation._verdict import Verdict
from halloween_host.loader import WorkerSpec
from halloween_host.outbox import Post
from halloween_host.presence import HostVoice
from halloween_host.states import Health, read_health
from halloween_host.supervisor import Dispatcher, Phase, Refusals, Safety, Standing, Surroundings, Turns
from halloween_host.worker import Arrival

__all__ = ["Isolated"]

#: Characters of a crash that stand in `status/health`; `status/error` has them all.
REASON_CHARS: Final = 200
HOST_STOPPED: Final = "the host stopped"

_log: Final = structlog.stdlib.get_logger()


class _Voice(HostVoice):
    """It says `offline` alone, beside the will of the process."""

    present = True


class Isolated(Steered):
    """To the host it is what a `Supervisor` is; all calls come from Trio's thread. `request_panic` takes who asks and a reason."""

    def __init__(
        self,
        spec: WorkerSpec,
        launcher: Launcher,
        around: Surroundings,
        *,
        request_panic: Callable[[str, str], None],
    ) -> None:
        self.prop_id = spec.prop_id
        #: Set once the process has ended for good.
        self.settled = Flag()
        #: A process leaves nothing behind.
        self.left_behind: list[str] = []
        self._spec = spec
        self._terms = spec.terms
        self._launcher = launcher
        self._request_panic = request_panic
        self._outbox = around.outbox
        self._reporter = around.reporter
        self._reviews = around.reviews
        self._turns = Turns(spec.terms, around.random)
        self._refusals = Refusals(self._outbox.now)
        self._dispatcher = Dispatcher(
            self.prop_id,
            {},
            capacity=1,
            clock=self._outbox.now,
            wall=around.wall,
            post=self._outbox.post,
            refused=self._refused,
        )
        self._voice = _Voice(self.prop_id, self._outbox)
        self._standing = Standing(
            self.prop_id,
            spec.dialect,
            self._voice,
            self._outbox,
            around.reviews,
            wall=around.wall,
            mailbox=self._dispatcher,
            isolated=True,
        )
        self._child: Child | None = None
        self._told: Health | None = None  # by the process that runs
        self._word: str | None = None
        self._hears = self._linked = False
        self._failure = ""
        self._restarted_for: str | None = None
        self._verdict: Verdict | None = None
        self._resumes = True
        self._at_rest = Flag()
        self._wake = Flag()

    # -- what the host and the router call

    @property
    def said(self) -> str | None:
        """See `witness.Subject`."""
        return self._standing.said if self._told is None else self._word

    def repeat(self) -> None:
        if self._told is None:
            self._standing.repeat()
        elif self._child is not None:
            self._child.order("repeat")

    @property
    def stop_timeout_s(self) -> float:
        return self._terms.stop_timeout_s

    @property
    def refused_count(self) -> int:
        return self._dispatcher.refused_count + (0 if self._told is None else self._told.refused)

    def deliver(self, arrival: Arrival) -> None:
        """A message for this worker: its process hears it too. While that does not, it is refused here."""
        if self._hears:
            return
        state = self._standing.reason or "its process starts"
        self._dispatcher.deliver(arrival, f"the worker is offline: {state}")
        self._standing.count_changed()

    def fall_silent(self) -> None:
        """The topics are another host's: neither we nor the process say anything any more."""
        self._standing.speaks = False
        if self._child is not None:
            self._child.order("fall_silent")

    def ask_to_stop(self) -> None:
        """End the process for good, in good order; `settled` is set when that is over."""
        self._turns.end()
        self._end_child(HOST_STOPPED)
        self._wake.set()

    # -- one process after another

    async def run(self, latched: str | None = None) -> None:
        """Live until asked to stop. With `latched`, the reason of a panic, `safe()` runs and the worker starts at `rearm`."""
        structlog.contextvars.bind_contextvars(worker=self.prop_id)
        if latched is not None and self._standing.phase is not Phase.PANIC:
            self.panic(latched)
            self.tell_panic()
        while not self._turns.over:
            began = trio.current_time()
            if self._standing.phase is not Phase.PANIC:
                self._standing.enter(Phase.STARTING)
                await self._run_child(None)
            elif self._owes_safe() and self._verdict is not None:
                await self._run_child(self._verdict.reason)
            await self._wait_for_turn(began)
        self._judge_panic(HOST_STOPPED)
        self._standing.enter(Phase.STOPPED, HOST_STOPPED)
        self.settled.set()

    async def _run_child(self, latched: str | None) -> None:
        self._at_rest, self._failure = Flag(), ""
        self._turns.begin()
        standing = self._standing
        try:
            with trio.CancelScope(shield=True):
                child = await self._launcher.launch(
                    self._spec, latched=latched, restarts=standing.restarts, restarted_for=self._restarted_for
                )
        except OSError as error:
            self._crashed(f"its process cannot be started: {error}")
            return
        self._child, self._restarted_for = child, None
        self._reviews.ask(trio.current_time() + self._terms.start_timeout_s, partial(self._name_slow_start, child))
        try:
            self._catch_up(child, latched)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, child)
                status = await child.wait()
                child.kill()  # what it started itself, so that nobody holds its pipes
        finally:
            await child.close()
            self._child = self._told = self._word = None
            self._hears = False
        self._take_over(child.log, status)

    def _catch_up(self, child: Child, latched: str | None) -> None:
        """What was asked while the process was being made."""
        child.order("link", up=self._linked)
        if self._verdict is not None and self._verdict.open and latched is None:
            child.order("panic", reason=self._verdict.reason)
        if self._turns.over or self._standing.phase is Phase.STOPPED:
            self._end_child(HOST_STOPPED if self._turns.over else self._standing.reason or "")

    def _name_slow_start(self, child: Child) -> None:
        if child is self._child and child.pid is None:
            self._reporter.error(self.prop_id, f"its process is not up in {self._terms.start_timeout_s:g} s")

    async def _wait_for_turn(self, began: float) -> None:
        standing = self._standing
        if standing.phase is Phase.DOWN and not self._turns.over:
            _log.info(f"restarts in {self._turns.plan(began):.1f} s")
        self._at_rest.set()
        while not (self._turns.over or self._owes_safe()):
            self._wake = Flag()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._turn)
                await self._wake.wait()
                nursery.cancel_scope.cancel()
            if self._turns.wanted or standing.phase not in (Phase.PANIC, Phase.STOPPED):
                break
        if standing.phase is Phase.DOWN and not self._turns.over:
            self._restarted_for = standing.reason or ""
            standing.restarted(self._restarted_for)

    async def _turn(self) -> None:
        await self._turns.wait(list, trio.sleep_forever, lambda text: None)
        self._wake.set()

    # -- what the process says

    async def _listen(self, child: Child) -> None:
        async for word in child.words():
            match word:
                case {"kind": "up", "pid": pid}:
                    child.pid = pid
                case {"kind": "health", "payload": payload}:
                    self._hear_health(read_health(payload))
                case {"kind": "said", "word": said}:
                    self._word = said
                case {"kind": "hears", "hears": hears}:
                    self._hears = hears
                case {"kind": "failed", "text": text}:
                    self._failure = text
                case {"kind": "panic", "reason": reason}:
                    self._request_panic(self.prop_id, reason)
                case {"kind": "taken"} if self._verdict is not None:
                    self._verdict.take()
                case {"kind": "safety"} if self._verdict is not None:
                    self._verdict.passed(Safety(word["took_ms"], word["unsafe"]))
                case {"kind": "publish"}:
                    self._publish(child, word)

    def _hear_health(self, health: Health) -> None:
        if self._told is None:  # from here on the process speaks
            self._standing.speaks = False
            self._voice.withdraw()
        self._told = health
        self._standing.restarts = max(self._standing.restarts, health.restarts)
        self._standing.tell()

    def _publish(self, child: Child, word: dict[str, Any]) -> None:
        """What its watchdog says while its loop is blocked."""
        if word["topic"] == topics.health(self.prop_id):
            self._hear_health(read_health(word["payload"]))
        acknowledged = partial(child.order, "acknowledged", number=word["number"])
        payload, now = word["payload"].encode(), self._outbox.now()
        post = Post(
            self.prop_id,
            word["topic"],
            payload,
            "status" if word["retain"] else "line",
            1,
            word["retain"],
            now,
            out=acknowledged,
        )
        self._outbox.post(post)

    # -- its end

    def _take_over(self, log: Relay, status: int) -> None:
        """The process has ended, and with it its connection: from here on we speak."""
        standing = self._standing
        standing.speaks = True
        standing.repeat()
        how = describe_end(status, log, self._spec.path.parent)
        if standing.phase is Phase.PANIC:
            self._after_panic(how)
        elif standing.phase is Phase.STARTING and not self._turns.over:
            self._crashed(self._failure or how)
        elif not self._turns.over:
            standing.say_health()

    def _crashed(self, text: str) -> None:
        self._standing.enter(Phase.DOWN, text[:REASON_CHARS])
        self._reporter.error(self.prop_id, text)

    def _refused(self, error: CommandError) -> None:
        if (line := self._refusals.line(str(error))) is not None:
            self._reporter.error(self.prop_id, line)
