"""Three pumps move bytes between the socket, our splitter and paho's engine; `lose` ends them, and nothing else does.

Bytes arrive in one place (`read_pump`) and leave in one (`write_pump`). What a parser reports is noted, and acted upon after it
returned: paho's locks are not held then, and an error in a callback is no malformed packet.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

import anyio
import anyio.lowlevel
from paho.mqtt.enums import MQTTProtocolVersion

from ._errors import MqttError, MqttTimeoutError, ProtocolViolation, explain
from ._frames import PINGREQ, PINGRESP, disconnect_frame
from ._keep_alive import KeepAlive
from ._messages import BATCH
from ._paho import PahoClient
from ._shielded import shielded
from ._splitter import Splitter
from ._transport import Cork, Transport

#: How long the broker may take to close its end after our DISCONNECT, also when we are cancelled.
GOOD_BYE_S: Final = 1.0
#: How long bytes may still be read after a write failed: the broker's last word says why.
LAST_WORD_S: Final = 1.0

#: A sleep that ends so much too late shows that something blocked the event loop's thread.
LATE_S: Final = 0.5

#: After so many calls of paho's parser other tasks get a turn.
TURN: Final = 256


class Pumps:
    """Made in the running event loop, on an open transport; `lost` is the reason once it has ended.

    With a splitter PUBLISH and PUBACK packets of QoS 0 and 1 and signs of life pass paho by, both ways; without it all goes
    through paho.
    """

    def __init__(self, name: str, transport: Transport, paho: PahoClient) -> None:
        self.name = name
        self.paho = paho
        self._splitter: Splitter | None = None
        self._alive = KeepAlive(0, 0)
        self._alarm = anyio.CancelScope()
        self.lost: MqttError | None = None
        self.ended = anyio.Event()
        self.closing = False
        self._transport = transport
        self._wake = anyio.Event()
        self._awake = False
        self._room: anyio.Event | None = None
        self._stuck = False
        self._failure: OSError | None = None
        self.corked = Cork(self.push)
        self._read_needs_write: anyio.Event | None = None
        self._write_needs_read: anyio.Event | None = None

    def check_open(self) -> None:
        """Raise MqttError unless something can still be sent."""
        if self.lost is not None:
            raise self.lost.again()
        if self.closing:
            raise MqttError(f"the connection to {self.name} is being closed")

    async def room(self) -> None:
        """A checkpoint that lasts as long as the out-buffer is full."""
        await anyio.lowlevel.checkpoint()
        while self.full and self.lost is None:
            self._room = self._room or anyio.Event()
            await self._room.wait()
        self.check_open()

    async def disconnect(self, timeout_s: float) -> None:
        """Send DISCONNECT after all that was published, and wait until the broker has closed its end."""
        if self.lost is None:
            self.closing = True
            self.paho.disconnect()
            with anyio.move_on_after(GOOD_BYE_S, shield=True):
                await self.ended.wait()
            with anyio.move_on_after(timeout_s - GOOD_BYE_S):
                while self._transport.unsent and self.lost is None:
                    self._room = self._room or anyio.Event()
                    await self._room.wait()

    def lose(self, error: MqttError) -> None:
        """End the connection, once: everything that waits for the broker raises `error` from here on."""
        self.lost = error
        self._transport.shut()
        self.paho.abandon()
        for event in (self.ended, self._wake, self._room, self._read_needs_write, self._write_needs_read):
            if event is not None:
                event.set()

    def waiting(self) -> int:
        """How many messages wait for whoever takes them."""
        raise NotImplementedError

    def act(self) -> None:
        """Act upon what paho reported while it parsed."""

    def want_write(self) -> None:
        if not self._awake and not self.corked.on:
            self._awake = True
            self._wake.set()

    @property
    def full(self) -> bool:
        """Whether so much is unsent that senders shall wait."""
        # While the kernel takes nothing, nobody moves packets from paho's queue to the out-buffer
        return self._transport.full or (self._stuck and self.paho.want_write())

    def push(self) -> None:
        """Send what the kernel takes now of what is to be sent, without a turn of the write pump; that one does the rest."""
        if self.lost is not None or self._stuck or self._read_needs_write or self._write_needs_read:
            return
        if self.paho.want_write():
            self.paho.loop_write()
        if not self._transport.unsent:
            return
        try:
            if self._transport.flush():
                return
        except ssl.SSLWantReadError:
            pass  # the write pump waits for that
        except OSError as error:
            self._failure = error
        self.want_write()

    @shielded
    async def read_pump(self) -> None:
        """Take what arrives to paho, until the end of the stream."""
        try:
            while self.lost is None:
                try:
                    data = self._transport.receive()
                except BlockingIOError:
                    await self._transport.readable()
                    continue
                except ssl.SSLWantWriteError:
                    self._let_write_go_on()
                    self._read_needs_write = anyio.Event()
                    self._wake.set()
                    await self._read_needs_write.wait()
                    continue
                if not data:
                    self._broken("the broker closed the connection")
                    return
                self._let_write_go_on()
                self._alive.heard()
                try:
                    if self._splitter is None:
                        await self._feed_paho(data)
                    elif self.paho.alive:  # after our DISCONNECT nothing may follow (MQTT 5, section 3.14.4)
                        with self.corked:
                            self._splitter.feed(data)
                            self.act()
                except ProtocolViolation as violation:
                    self.act()
                    self._dismiss(violation)
                if self.waiting() > BATCH:
                    await self._let_consumer_catch_up()
                if self._transport.maybe_more(len(data)):
                    await anyio.lowlevel.checkpoint()
                else:
                    await self._transport.readable()
        except anyio.ClosedResourceError:
            pass  # we closed it ourselves: whoever waits has been told by `lose`
        except OSError as error:
            self._broken(explain(error))

    async def _let_consumer_catch_up(self) -> None:
        """Leave the rest to TCP while whoever takes the messages is behind and gets on, so that none need be dropped."""
        before = self.waiting()
        while before > BATCH:
            await anyio.lowlevel.checkpoint()
            if (after := self.waiting()) >= before:
                return  # nobody takes any: the broker's other words must not wait for that
            before = after

    def _let_write_go_on(self) -> None:
        if self._write_needs_read is not None:
            self._write_needs_read.set()

    async def _feed_paho(self, data: bytes) -> None:
        self._transport.serve(data)
        turn = 0
        while self._transport.pending and self.paho.alive:
            self._let_paho_read()
            self.act()
            turn += 1
            if turn % TURN == 0:
                await anyio.lowlevel.checkpoint()

    def read_packet(self, packet: bytes) -> bool:
        """Let paho read one whole packet, unless it is an answer to our PINGREQ; whether the connection goes on."""
        if packet == PINGRESP:
            self._ping_answered()
        else:
            self._transport.serve(packet)
            self._let_paho_read()
        return self.paho.alive

    def _let_paho_read(self) -> None:
        self.paho.read_packet()
        if self._splitter is None and self.paho.ping_answered():
            self._ping_answered()

    def _ping_answered(self) -> None:
        self._alive.answered()
        self._alarm.deadline = self._alive.wake_at

    def _dismiss(self, violation: ProtocolViolation) -> None:
        """End the connection as MQTT 5, section 4.13 demands; under 3.1.1 a DISCONNECT would call our will off."""
        if self.lost is None and self._splitter is not None and self.paho.protocol == MQTTProtocolVersion.MQTTv5:
            self._transport.send(disconnect_frame(violation.reason_code))
            with contextlib.suppress(OSError):
                self._transport.flush()
        self._broken(str(violation))

    @shielded
    async def write_pump(self) -> None:
        """Send what paho has queued, in one system call a wake-up where the kernel takes it."""
        try:
            while self.lost is None:
                wake = self._wake = anyio.Event()
                self._awake = False
                if self.paho.want_write():
                    self.paho.loop_write()
                if self._failure is not None:
                    raise self._failure
                try:
                    done = self._transport.flush()
                except ssl.SSLWantReadError:
                    self._write_needs_read = anyio.Event()
                    await self._write_needs_read.wait()
                    continue
                self._stuck = not done
                if self._room is not None and not self.full:
                    self._room.set()
                    self._room = None
                if not done or self._read_needs_write is not None:
                    await self._transport.writable()
                    if self._read_needs_write is not None:
                        self._read_needs_write.set()
                        self._read_needs_write = None
                elif self.paho.want_write() and self.paho.alive:
                    await anyio.lowlevel.checkpoint()
                else:
                    await wake.wait()
        except anyio.ClosedResourceError:
            pass  # we closed it ourselves: whoever waits has been told by `lose`
        except OSError as error:
            await self._ended_within(LAST_WORD_S)
            self._broken(explain(error))

    @shielded
    async def keep_alive(self) -> None:
        """Send a PINGREQ when one is due; one without its answer ends the connection."""
        self._alive = KeepAlive(self.paho.keepalive, anyio.current_time())
        try:
            while self.lost is None and not self.closing:
                with anyio.CancelScope(deadline=self._alive.wake_at) as self._alarm:
                    await self.ended.wait()
                if anyio.current_time() > self._alive.wake_at + LATE_S:
                    # This thread was blocked meanwhile: the broker's answer may lie in the socket, let it be read first.
                    await self._ended_within(0.1)
                if self.lost is None and not self.closing and self._alive.look(anyio.current_time()):
                    self._ping()
        except TimeoutError as error:
            self._broken(str(error), MqttTimeoutError)

    def _ping(self) -> None:
        with self.corked:
            if self._splitter is None:
                self.paho.ping()
            else:
                self._transport.send(PINGREQ)

    async def _ended_within(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.ended.wait()

    def _broken(self, cause: str, kind: type[MqttError] = MqttError) -> None:
        if self.lost is not None:
            return
        if self.closing:
            self.lose(MqttError(f"the connection to {self.name} was closed"))
        else:
            self.lose(kind(f"connection to {self.name} lost: {cause}"))
