"""Publishes go out in order; at most `in_flight` of them wait for their acknowledgement, the others wait in line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import attrs
from paho.mqtt.properties import Properties

from ._errors import MqttCodeError, MqttError, MqttTimeoutError
from ._identifiers import MOST_IN_FLIGHT


@attrs.define(eq=False)
class Receipt:
    """One publish on its way. It is `done` when the broker acknowledged it, or when it never will (`error`).

    At QoS 0 nobody acknowledges: its receipt is done at once.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties | None = None
    mid: int = 0
    acknowledged: bool = False
    error: MqttError | None = None
    _on_done: Callable[[Receipt], None] | None = None
    _refused: bool = attrs.field(default=False, init=False)
    _event: anyio.Event | None = attrs.field(default=None, init=False)

    @property
    def done(self) -> bool:
        return self.acknowledged or self.error is not None

    async def wait(self) -> None:
        """Return once the broker acknowledged the message (QoS 1: PUBACK, QoS 2: PUBCOMP).

        Raises:
            MqttCodeError: when the broker refused it (MQTT 5).
            MqttError: when the connection was lost first; the broker may have it all the same.
        """
        if not self.done:
            self._event = self._event or anyio.Event()
            await self._event.wait()
        if self.error is not None:
            raise self.error.again()

    @property
    def refused(self) -> bool:
        """Whether the broker answered, and its answer was no (MQTT 5, section 3.4.2.1); the connection lives on."""
        return self._refused

    def settle(self, error: MqttError | None = None, *, refused: bool = False) -> None:
        """End the wait, for good (`error` is None) or for bad."""
        self.error = error
        self.acknowledged = error is None
        self._refused = refused
        if self._event is not None:
            self._event.set()
        if self._on_done is not None:
            self._on_done(self)


class Outgoing:
    """The window of unacknowledged publishes. `send` puts a receipt's message on its way and sets its identifier."""

    def __init__(self, send: Callable[[Receipt], None], *, in_flight: int, capacity: int | None) -> None:
        self.in_flight = min(in_flight, MOST_IN_FLIGHT)
        #: What was sent and not acknowledged, by packet identifier.
        self.sent: dict[int, Receipt] = {}
        self._send = send
        self._capacity = capacity
        self._waiting: deque[Receipt] = deque()

    def post(self, receipt: Receipt) -> None:
        """Send a message of QoS 1 or 2 now, or as soon as the window has room.

        Raises:
            MqttError: when `capacity` publishes wait already; this one was not taken.
        """
        if len(self.sent) < self.in_flight:
            self._send_counted(receipt)
        elif self._capacity is not None and len(self._waiting) >= self._capacity:
            raise MqttError(f"{self._capacity:,} publishes wait already, {receipt.topic!r} was not taken")
        else:
            self._waiting.append(receipt)

    def _send_counted(self, receipt: Receipt) -> None:
        self._send(receipt)
        self.sent[receipt.mid] = receipt

    def settle(self, mid: int, code: int) -> None:
        """The broker's word on `mid` came; the next in line goes out."""
        receipt = self.sent.pop(mid, None)
        while self._waiting and len(self.sent) < self.in_flight:
            self._send_counted(self._waiting.popleft())
        if receipt is not None and not receipt.done:
            refusal = MqttCodeError(code, f"publish to {receipt.topic!r} refused") if code >= 0x80 else None
            receipt.settle(refusal, refused=refusal is not None)

    def withdraw(self, receipt: Receipt) -> None:
        """Take back what has not gone out yet; nothing happens to what has."""
        if not receipt.mid and receipt in self._waiting:
            self._waiting.remove(receipt)

    def fail(self, error: MqttError) -> None:
        """Nothing will be acknowledged any more."""
        lost = [*self.sent.values(), *self._waiting]
        self.sent.clear()
        self._waiting.clear()
        for receipt in lost:
            receipt.settle(error)


class Patience:
    """Settles receipts that were not acknowledged within `seconds`; a cancel scope for each would cost a quarter of a publish."""

    def __init__(self, seconds: float) -> None:
        #: Whether somebody started `run`; a connection that never waits for an acknowledgement needs no task for it.
        self.runs = False
        self._seconds = seconds
        self._watched: deque[tuple[float, Receipt]] = deque()
        self._begun = anyio.Event()
        self._ended = anyio.Event()

    def watch(self, receipt: Receipt) -> None:
        """Let the wait for `receipt` end in time."""
        watched = self._watched
        while watched and watched[0][1].done:
            watched.popleft()
        watched.append((anyio.current_time() + self._seconds, receipt))
        self._begun.set()

    def end(self) -> None:
        """The connection is lost, and every receipt settled."""
        self._ended.set()
        self._begun.set()

    async def run(self) -> None:
        """Settle what is overdue, until `end`."""
        with anyio.CancelScope(shield=True):  # it outlives the cancellation of the client's body, as the pumps do
            while not self._ended.is_set():
                if not self._watched:
                    self._begun = anyio.Event()
                    await self._begun.wait()
                    continue
                deadline, receipt = self._watched[0]
                if not receipt.done:
                    with anyio.CancelScope(deadline=deadline):
                        await self._ended.wait()
                    if not receipt.done and anyio.current_time() >= deadline:
                        what = f"the publish to {receipt.topic!r} was not acknowledged within {self._seconds:g} s"
                        receipt.settle(MqttTimeoutError(what))
                if self._watched and self._watched[0][1] is receipt:
                    self._watched.popleft()
