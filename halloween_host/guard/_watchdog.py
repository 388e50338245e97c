"""Who blocks the event loop is named while he does it, and a loop that stays blocked ends the process.

The watchdog is a thread that looks when a step of the loop began. An idle loop costs it nothing: it sleeps, the loop sets its
alarm when it wakes, and stops it when it goes to rest. While the loop turns, the watchdog looks once in `name_s`.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import attrs
import trio

from halloween_host import topics
from halloween_host.guard._alarm import Alarm
from halloween_host.guard._cpu import CpuAccount
from halloween_host.guard._culprits import Culprit, find_culprit, waits
from halloween_host.guard._deadline import Deadline
from halloween_host.guard._guard import BLOCKED
from halloween_host.guard._last_words import log_stacks
from halloween_host.guard._reach import EVERYBODY, Reach
from halloween_host.guard._stall import Stall
from halloween_host.guard._words import Level
from halloween_host.reporter import encode_line
from halloween_host.steps import StepWatch

__all__ = ["Blame", "Voice", "Watchdog"]

#: Seconds that a word may take to be acknowledged, and that the stacks may take to be written.
WORD_S: Final = 0.2
STACKS_S: Final = 0.5
#: Seconds that our thread has to end.
CLOSE_S: Final = 0.2


class Voice(Protocol):
    """Speaks while the loop is blocked."""

    @property
    def connected(self) -> bool: ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, wait_s: float = 0.0) -> None: ...

    def say(self, level: Level, text: str, worker: str | None = None) -> None: ...


class Blame(Protocol):
    """What a worker's standing has to do with it."""

    def accuse(self, prop_id: str, reason: str) -> bytes | None:
        """In the watchdog's thread: the `status/health` of a worker that blocks now; None: nothing is to be said."""

    def acquit(self, prop_id: str) -> None:
        """In Trio's thread, once that was published and the block is over: say its health anew."""


@attrs.define
class _Block:
    """A step in which somebody was named."""

    began: float
    culprit: Culprit
    #: Whether the broker was told, and of whose health.
    told: bool = False
    accused: str | None = None


class Watchdog:
    """Open it inside Trio once nothing is loaded any more: imports may block. `steps` is an instrument of that Trio.

    A step that lasts `name_s` is named, one that lasts `exit_s` (infinity: never) ends the process by ``leave(70)``, with all
    stacks in the log. Until somebody is named, what the step waits for a CPU is taken off (`Stall`). One in which an extension
    holds the GIL stops this thread too: see `Deadline`, ``_exit(1)``.
    """

    def __init__(
        self,
        steps: StepWatch,
        voice: Voice,
        blame: Blame,
        *,
        leave: Callable[[int], object],
        name_s: float,
        exit_s: float,
        reach: Reach = EVERYBODY,
    ) -> None:
        self._steps = steps
        self._voice = voice
        self._blame = blame
        self._leave = leave
        self._name_s = name_s
        self._exit_s = exit_s
        self._reach = reach
        self._look_s = min(name_s, exit_s)
        self._stall = Stall()
        self._deadline = Deadline(exit_s)
        self._alarm = Alarm(self._look_s, math.inf)
        self._block: _Block | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._loops = CpuAccount(threading.get_native_id())
        self._steps.woken = self._wake
        self._steps.resting = self._rest
        self._steps.stood_s = self._stood_at_end_s
        self._thread.start()
        self._ours = CpuAccount(self._thread.native_id or 0)
        self._wake()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        self._steps.asleep = False
        self._alarm.set(0)
        self._thread.join(CLOSE_S)
        self._deadline.clear()
        if not self._thread.is_alive():
            self._alarm.close()
            self._loops.close()
            self._ours.close()

    def named(self) -> Culprit | None:
        """Who was named in the step that just ended, or runs. In Trio's thread."""
        block = self._block
        return block.culprit if block is not None and block.began == self._steps.began else None

    # -- in Trio's thread

    def _wake(self) -> None:
        self._deadline.set()
        self._stall.begin(self._loops.spent())
        self._look_in(self._look_s)

    def _rest(self) -> None:
        """The loop is about to wait for long. The thread may look at this very moment: then it looks once more for nothing."""
        if self._block is None and not self._closed:
            self._deadline.clear()
            self._alarm.set(math.inf)
            self._steps.asleep = True

    def _stood_at_end_s(self, now: float) -> float:
        """Of the step that ends now. Who was named stood for long enough."""
        if self.named() is not None or not (self._loops.known and self._ours.known):
            return math.inf
        return self._stall.at_end(self._steps.began, now, self._loops.spent(), self._ours.spent())

    # -- in our own thread

    def _run(self) -> None:
        while True:
            self._alarm.wait()
            if self._closed:
                return
            try:
                self._look()
            except Exception as bug:  # noqa: BLE001 a watchdog that died of a bug of ours would bark at nobody
                self._voice.say("error", f"a bug in the watchdog, which goes on: {type(bug).__name__}: {bug}")
                self._alarm.set(self._look_s)

    def _look(self) -> None:
        began, now = self._steps.began, time.monotonic()
        if self._block is not None and self._block.began != began:
            self._end_block(self._block)
        if now - began >= self._look_s and waits(self._loop_thread):
            self._sleep()
            return
        stood_s = self._stood_s(began, now)
        # once somebody is named it is a block, and lasts for as long as it keeps the others
        held_s = stood_s if self._block is None else self._stall.lasted_s
        self._deadline.put_off(now - held_s)
        if held_s >= self._exit_s:
            self._end_process()
        if stood_s >= self._name_s:
            self._name(began)
        left_s = self._name_s - stood_s if stood_s < self._name_s else self._name_s
        self._look_in(max(0.001, min(left_s, self._exit_s - held_s)))

    def _stood_s(self, began: float, now: float) -> float:
        stood_s = self._stall.look(began, now, self._loops.spent(), self._ours.spent())
        if stood_s >= self._look_s and self._loops.runnable():  # it may wait for a CPU, which is told when it has one
            return min(stood_s, self._stall.ran_s)
        return stood_s

    def _look_in(self, seconds: float) -> None:
        self._stall.expect(time.monotonic() + seconds, self._ours.spent())
        self._alarm.set(seconds)

    def _sleep(self) -> None:
        """Until the loop wakes us. It may have begun a step by now: then it saw nobody asleep."""
        self._deadline.clear()
        self._steps.asleep = True
        if not waits(self._loop_thread) and self._steps.asleep:
            self._steps.asleep = False
            self._wake()

    def _name(self, began: float) -> None:
        block = self._block
        if block is None:
            culprit = find_culprit(self._loop_thread)
            if culprit is None or self._steps.began != began:  # it went on while we looked
                return
            block = self._block = _Block(began, culprit)
            self._voice.say("error", self._reach.charge(culprit), culprit.prop_id)
        if not block.told and self._voice.connected:
            block.told = True
            self._tell(block.culprit, self._reach.charge(block.culprit))
            if self._accuse(block.culprit):
                block.accused = block.culprit.prop_id

    def _tell(self, culprit: Culprit, text: str, wait_s: float = 0.0) -> None:
        topic = topics.status(self._reach.of(culprit), "error")
        self._voice.publish(topic, encode_line(text), wait_s=wait_s)

    def _accuse(self, culprit: Culprit) -> bool:
        if culprit.prop_id is None:
            return False
        health = self._blame.accuse(culprit.prop_id, self._reach.reason(culprit))
        if health is not None:
            self._voice.publish(topics.health(culprit.prop_id), health, retain=True, wait_s=WORD_S)
        return health is not None

    def _end_block(self, block: _Block) -> None:
        """What the loop says of that health comes after what we said: ours was acknowledged by now."""
        self._block = None
        if block.accused is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._blame.acquit, block.accused)

    def _end_process(self) -> None:
        """What is left is a last word, the stacks, and every connection's will."""
        try:
            self._deadline.set()
            culprit = find_culprit(self._loop_thread)
            text = f"the event loop has stood still for {self._exit_s:g} s"
            text = f"{text}: {self._reach.whole} ends itself (status {BLOCKED})"
            words = threading.Thread(
                target=log_stacks, args=(self._loop_thread, culprit, text), name="watchdog stacks", daemon=True
            )
            words.start()
            if culprit is not None and self._voice.connected:
                self._tell(culprit, f"{text}; blocks it {culprit.where}", WORD_S)
            words.join(STACKS_S)
        finally:
            self._leave(BLOCKED)
