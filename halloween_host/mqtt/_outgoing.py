"""Publishes go out in order; at most `in_flight` of them wait for their acknowledgement, the others wait in line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import attrs
from paho.mqtt.properties import Properties

from ._errors import MqttCodeError, MqttError


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
    """The window of unacknowledged publishes. `send` hands a receipt's message to paho and returns its identifier."""

    def __init__(self, send: Callable[[Receipt], int], *, in_flight: int, capacity: int | None) -> None:
        self.in_flight = in_flight
        self._send = send
        self._capacity = capacity
        self._sent: dict[int, Receipt] = {}
        self._waiting: deque[Receipt] = deque()

    def post(self, receipt: Receipt) -> None:
        """Send now, or as soon as the window has room.

        Raises:
            MqttError: when `capacity` publishes wait already; this one was not taken.
        """
        if receipt.qos == 0:
            self._send(receipt)
            receipt.settle()
        elif len(self._sent) < self.in_flight:
            self._sent[self._send(receipt)] = receipt
        elif self._capacity is not None and len(self._waiting) >= self._capacity:
            raise MqttError(f"{self._capacity:,} publishes wait already, {receipt.topic!r} was not taken")
        else:
            self._waiting.append(receipt)

    def settle(self, mid: int, code: int) -> None:
        """The broker's word on `mid` came; the next in line goes out."""
        receipt = self._sent.pop(mid, None)
        while self._waiting and len(self._sent) < self.in_flight:
            following = self._waiting.popleft()
            self._sent[self._send(following)] = following
        if receipt is not None:
            refusal = MqttCodeError(code, f"publish to {receipt.topic!r} refused") if code >= 0x80 else None
            receipt.settle(refusal, refused=refusal is not None)

    def withdraw(self, receipt: Receipt) -> None:
        """Take back what has not gone out yet; nothing happens to what has."""
        if receipt in self._waiting:
            self._waiting.remove(receipt)

    def fail(self, error: MqttError) -> None:
        """Nothing will be acknowledged any more."""
        lost = [*self._sent.values(), *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        for receipt in lost:
            receipt.settle(error)
