"""Three pumps move bytes between the socket and paho's engine; `lose` ends them, and nothing else does.

Bytes arrive in one place (`_feed`) and leave in one (`write_pump`). What paho reports while it parses is noted, and
acted upon after it returned: its locks are not held then, and an error in a callback is no malformed packet.
"""

from __future__ import annotations

import functools
import math
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import anyio
import anyio.lowlevel

from ._errors import MALFORMED, MqttError, explain
from ._paho import PahoClient
from ._transport import Transport

#: How long the broker may take to close its end after our DISCONNECT, also when we are cancelled.
GOOD_BYE_S: Final = 1.0

#: How long bytes may still be read after a write failed: the broker's last word says why.
LAST_WORD_S: Final = 1.0

#: A sleep that ends so much too late shows that something blocked the event loop's thread.
LATE_S: Final = 0.5

#: With a keep-alive of so many seconds or more, signs of life are due at whole multiples of `SHARED_S` on the clock, so that
#: many connections share a wake-up.
SHARED_FROM_S: Final = 4
SHARED_S: Final = 0.5

#: After so many calls of paho's parser other tasks get a turn.
TURN: Final = 256


def shared_due_s(due_s: float, now: float) -> float:
    """Seconds from `now` on its clock to the first whole multiple of `SHARED_S` that is not before `due_s` seconds from now."""
    return math.ceil((now + due_s) / SHARED_S) * SHARED_S - now


Pump = Callable[[Any], Coroutine[Any, Any, None]]


def _shielded(pump: Pump) -> Pump:
    """A pump outlives the cancellation of the client's body, so that DISCONNECT still goes out."""

    @functools.wraps(pump)
    async def run(self: Pumps) -> None:
        with anyio.CancelScope(shield=True):
            await pump(self)

    return run


class Pumps:
    """Made in the running event loop, on an open transport; `lost` is the reason once it has ended."""

    def __init__(self, name: str, transport: Transport, paho: PahoClient) -> None:
        self.name = name
        self.paho = paho
        self.lost: MqttError | None = None
        self.ended = anyio.Event()
        self.closing = False
        self._transport = transport
        self._wake = anyio.Event()
        self._room: anyio.Event | None = None
        self._stuck = False
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
        while self._full and self.lost is None:
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

    def act(self) -> None:
        """Act upon what paho reported while it parsed."""

    def want_write(self) -> None:
        self._wake.set()

    @_shielded
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
                await self._feed(data)
                if self._transport.maybe_more(len(data)):
                    await anyio.lowlevel.checkpoint()
                else:
                    await self._transport.readable()
        except anyio.ClosedResourceError:
            pass  # we closed it ourselves: whoever waits has been told by `lose`
        except OSError as error:
            self._broken(explain(error))

    def _let_write_go_on(self) -> None:
        if self._write_needs_read is not None:
            self._write_needs_read.set()

    async def _feed(self, data: bytes) -> None:
        self._transport.serve(data)
        turn = 0
        while self._transport.pending and self.paho.alive:
            try:
                code = self.paho.loop_read()
            except MALFORMED as error:
                self._broken(explain(error))
                return
            self.act()
            if code:
                self._broken("the broker broke the protocol")
            turn += 1
            if turn % TURN == 0:
                await anyio.lowlevel.checkpoint()

    @_shielded
    async def write_pump(self) -> None:
        """Send what paho has queued, in one system call a wake-up where the kernel takes it."""
        try:
            while self.lost is None:
                wake = self._wake = anyio.Event()
                self.paho.loop_write()
                try:
                    done = self._transport.flush()
                except ssl.SSLWantReadError:
                    self._write_needs_read = anyio.Event()
                    await self._write_needs_read.wait()
                    continue
                self._stuck = not done
                if self._room is not None and not self._full:
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

    @_shielded
    async def keep_alive(self) -> None:
        """Sleep until a PINGREQ is due; a PINGREQ without its answer ends the connection."""
        while self.lost is None and not self.closing:
            due_s = self.paho.keep_alive_due_s()
            if due_s is None:
                return
            before = time.monotonic()
            if self.paho.keepalive >= SHARED_FROM_S:  # later by SHARED_S at most: a broker waits for 1.5 × keep-alive
                due_s = shared_due_s(due_s, before)
            await self._ended_within(max(due_s, 0.01))
            if time.monotonic() - before > due_s + LATE_S:
                # This thread was blocked meanwhile: the broker's answer may lie in the socket, let it be read first.
                await self._ended_within(0.1)
            if self.lost is None and not self.closing and not self.paho.keep_alive_due_s():
                self.paho.loop_misc()
                if not self.paho.alive:
                    self._broken("no answer to our keep-alive")

    async def _ended_within(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.ended.wait()

    def _broken(self, cause: str) -> None:
        if self.lost is not None:
            return
        if self.closing:
            self.lose(MqttError(f"the connection to {self.name} was closed"))
        else:
            self.lose(MqttError(f"connection to {self.name} lost: {cause}"))

    @property
    def _full(self) -> bool:
        # While the kernel takes nothing, nobody moves packets from paho's queue to the out-buffer
        return self._transport.full or (self._stuck and self.paho.want_write())
