"""STOP reaches the host while a worker blocks its event loop: it is heard, latched and, if need be, enforced by threads.

No thread of the guard waits for Trio, for the log or, over half a second, for the disk: each of these may hang.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

import attrs
import trio

from halloween_host import topics
from halloween_host.commands import Command
from halloween_host.guard._culprits import find_culprit
from halloween_host.guard._last_words import blocked_ack, blocked_report, log_stacks
from halloween_host.guard._panics import encode_panic, panic_arguments, read_panic
from halloween_host.guard._signal import SignalPipe
from halloween_host.guard._watch import Watch
from halloween_host.guard._words import Level, Trouble, Words
from halloween_host.latch import Latch, PanicRecord
from halloween_host.mqtt import BlockingClient, Message, MqttError, ProtocolVersion
from halloween_host.settings import BrokerSettings
from halloween_host.tls import tls_of

__all__ = ["BLOCKED", "PANIC_TAKEN_S", "Guard", "HostRequest"]

#: The exit status of a host whose event loop did not take a panic: restart it (sysexits.h, EX_SOFTWARE).
BLOCKED: Final = 70
#: Seconds that the event loop has to take a panic.
PANIC_TAKEN_S: Final = 2.0
#: Seconds that the disk has for the latch, the broker for our last words, and the log for more than that.
LATCH_S: Final = 0.5
LAST_WORDS_S: Final = 0.5
STACKS_S: Final = 0.5
#: Seconds from SUBACK until the host's own connection leaves the topic to us: what it heard before is its own.
OVERLAP_S: Final = 1.0
#: Seconds that an attempt to connect may take.
CONNECT_TIMEOUT_S: Final = 10.0
#: Seconds that each thread has to end.
CLOSE_S: Final = 0.2
#: Requests that may wait for the event loop; beyond it the newest is dropped, the first panic excepted.
ROOM: Final = 1_000

_PROTOCOLS: Final = {"auto": None, "5": ProtocolVersion.V5, "3.1.1": ProtocolVersion.V311}


@attrs.frozen
class HostRequest:
    """A message on the host's own `cmd` topic, or what stands for one. `by` is mqtt, signal or a prop.

    One that is `retained` is to be refused.
    """

    payload: bytes
    retained: bool = False
    by: str = "mqtt"


@attrs.frozen
class _Heard:
    """A request, with the panic that it is, if it is one."""

    request: HostRequest
    panic: Command | None = None


class _Call:
    """What else may stand in the inbox."""

    BEAT: Final = object()
    END: Final = object()


class Guard:
    """Open it inside Trio; `hand_over` is called in Trio's thread with each request, in their order.

    A panic is latched before it is handed over. When the event loop does not turn within 2 s of it, or stands still for
    as long in the seconds after, the guard logs all stacks, tells the broker, and calls ``leave(70)``. `elsewhere` tells, in any
    thread, whether the host's own connection is lost too: then that one's line in the log speaks for ours.

    Raises:
        InvalidSettings: as `tls_of`.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        latch: Latch,
        hand_over: Callable[[HostRequest], None],
        *,
        client_id: str,
        leave: Callable[[int], object],
        elsewhere: Callable[[], bool] = lambda: False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        assert broker.host is not None, "an embedded broker's address is filled in before"
        self._latch = latch
        self._hand_over = hand_over
        self._leave = leave
        self._wall = wall
        # SimpleQueue's put is reentrant: panic() may be called by a signal handler that interrupted another one.
        # Unbounded, because its consumer never waits for long; what waits for Trio is bounded by ROOM.
        self._inbox: SimpleQueue[object] = SimpleQueue()
        self._handed = 0  # counted in our thread
        self._given = 0  # counted in Trio's
        self._words = Words()
        self._link_trouble = Trouble(self._words.say, elsewhere=elsewhere)
        self._flood = Trouble(self._words.say, after_s=0.0)
        self._subscribed_at = math.inf
        self._signal = SignalPipe(self._panic_by_signal)
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._watch: Watch | None = None
        self._client = BlockingClient(
            broker.host,
            broker.port,
            identifier=client_id,
            filters=[topics.HOST_COMMAND],
            on_message=self._hear,
            on_subscribed=self._take_note,
            on_trouble=self._complain,
            protocol=_PROTOCOLS[broker.protocol],
            username=broker.username,
            password=broker.password,
            tls_context=tls_of(broker),
            transport=broker.transport,
            keepalive=broker.keepalive_s,
            timeout=CONNECT_TIMEOUT_S,
        )

    def __enter__(self) -> Self:
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._words.start()
        self._thread.start()
        self._signal.__enter__()
        self._client.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._signal.__exit__(kind, error, traceback)
        self._client.close(CLOSE_S)
        self._inbox.put(_Call.END)
        self._thread.join(CLOSE_S)
        self._words.close()

    @property
    def subscribed(self) -> bool:
        """Whether the guard takes the host's commands now. While not, the host's own connection does, and the guard only panics."""
        return self._client.subscribed and time.monotonic() - self._subscribed_at >= OVERLAP_S

    def panic(self, reason: str, by: str) -> None:
        """Stop everything. From any thread, from a signal handler too; never waits and never raises."""
        record = PanicRecord(0.0, reason, by)  # for its text: one line that has a form in JSON
        command = Command("panic", {"reason": record.reason, "by": record.by})
        self._inbox.put(_Heard(HostRequest(encode_panic(command), by=record.by), command))

    # -- Voice: what the watchdog speaks by, from its own thread

    @property
    def connected(self) -> bool:
        return self._client.connected

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, wait_s: float = 0.0) -> None:
        """By our own connection, QoS 1; return once it is acknowledged, after `wait_s` at the latest."""
        self._client.publish(topic, payload, 1, retain, wait_s=wait_s)

    def say(self, level: Level, text: str, worker: str | None = None) -> None:
        self._words.say(level, text, worker)

    def _panic_by_signal(self) -> None:
        self.panic("SIGUSR1", "signal")

    # -- in the connection's thread

    def _hear(self, message: Message) -> None:
        payload, retained = bytes(message.payload), bool(message.retain)
        command = None if retained else read_panic(payload)
        if command is not None:
            self._inbox.put(_Heard(HostRequest(encode_panic(command)), command))
        elif self.subscribed:  # whoever it is handed to says what is wrong with it
            self._inbox.put(_Heard(HostRequest(payload, retained)))

    def _take_note(self) -> None:
        self._subscribed_at = time.monotonic()
        self._link_trouble.over("the guard hears STOP again")

    def _complain(self, error: MqttError) -> None:
        self._subscribed_at = math.inf  # before the next SUBACK: `subscribed` must not see it with this one's time
        rest = "STOP is heard by SIGUSR1, and by MQTT only while no worker blocks the host"
        self._link_trouble.tell(f"the guard has no connection of its own: {error}; {rest}")

    # -- in the guard's thread

    def _run(self) -> None:
        while True:
            try:
                item = self._inbox.get(timeout=None if self._watch is None else self._watch.due_s())
            except Empty:
                item = None
            if item is _Call.END:
                return
            try:
                if isinstance(item, _Heard):
                    self._take(item)
                self._look()
            except Exception as bug:  # noqa: BLE001 a thread that died of a bug of ours would take STOP with it
                self._words.say("error", f"a bug in the guard, which goes on: {type(bug).__name__}: {bug}")

    def _take(self, heard: _Heard) -> None:
        if self._handed - self._given >= ROOM and (heard.panic is None or self._watch is not None):
            self._flood.tell(f"over {ROOM:,} commands to the host wait: the newest are dropped")
            return
        if heard.panic is not None:
            self._latch_within_limits(self._record(heard.panic))
        self._handed += 1
        if not self._soon(lambda: self._give(heard.request)):
            return
        if heard.panic is not None and self._watch is None:
            self._watch = Watch(heard.panic, PANIC_TAKEN_S)
        elif heard.panic is not None and self._watch is not None:
            self._watch.extend(heard.panic)

    def _look(self) -> None:
        """Send the event loop its next beat when it is due, and end the process when the last one did not come back."""
        watch = self._watch
        if watch is None:
            return
        match watch.look():
            case "beat":
                if not self._soon(lambda: self._return_beat(watch)):
                    self._watch = None
            case "over":
                self._watch = None
            case "blocked":
                self._end(watch.panic)
                self._watch = None  # a `leave` that returns is a test's

    def _soon(self, call: Callable[[], object]) -> bool:
        """Let Trio call this; False when its run is over, and with it all that could be stopped."""
        try:
            self._token.run_sync_soon(call)
        except trio.RunFinishedError:
            return False
        return True

    def _record(self, command: Command) -> PanicRecord:
        reason, by = panic_arguments(command.args)
        return PanicRecord(self._wall(), reason, by)

    def _latch_within_limits(self, record: PanicRecord) -> bool:
        """Latch, in memory at once and on the disk if it answers within LATCH_S: the rest of STOP waits no longer for it."""
        outcome: list[bool] = []
        writer = threading.Thread(target=lambda: outcome.append(self._latch.engage(record)), name="latch", daemon=True)
        try:
            writer.start()
        except RuntimeError:  # the process may have no more threads
            return self._latch.engage(record)
        writer.join(LATCH_S)
        return outcome == [True]

    def _end(self, command: Command) -> None:
        """The event loop is blocked: what is left is the latch, a last word, and every connection's will."""
        try:
            record = self._record(command)
            durable = self._latch_within_limits(record)
            culprit = find_culprit(self._loop_thread)
            text = f"PANIC not taken by the event loop within {PANIC_TAKEN_S:g} s"
            text = f"{text}: the host ends itself (status {BLOCKED}), latched"
            words = threading.Thread(
                target=log_stacks, args=(self._loop_thread, culprit, text), name="guard stacks", daemon=True
            )
            words.start()
            deadline = time.monotonic() + LAST_WORDS_S
            report = blocked_report(self._latch.read() or record, culprit, durable=durable)
            ack = blocked_ack(command.id, culprit, PANIC_TAKEN_S)
            for topic, payload, retain in ((topics.HOST_PANIC, report, True), (topics.HOST_ACK, ack, False)):
                self._client.publish(topic, payload, 1, retain, wait_s=max(0.0, deadline - time.monotonic()))
            words.join(max(0.0, deadline + STACKS_S - time.monotonic()))
        finally:
            self._leave(BLOCKED)

    # -- in Trio's thread

    def _give(self, request: HostRequest) -> None:
        self._given += 1
        self._hand_over(request)

    def _return_beat(self, watch: Watch) -> None:
        watch.beaten()
        self._inbox.put(_Call.BEAT)  # wakes the guard's thread for the next one
