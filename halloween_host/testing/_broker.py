"""The stage's broker: an MQTT broker in memory and in virtual time, with a handle for everything that goes wrong with one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

import trio

from halloween_host.errors import StageError
from halloween_host.mqtt import (
    MqttCodeError,
    MqttError,
    PayloadType,
    Properties,
    ProtocolVersion,
    Receipt,
    Will,
    encode_payload,
)

from ._client import StageClient
from ._engine import NAME
from ._frost import Frost
from ._packets import carried
from ._time import stage_clock
from ._wire import ClientEnd, Wire

__all__ = ["StageBroker"]

_DOWN: Final = f"cannot connect to {NAME}: connection refused (the stage's broker is down)"


class StageBroker(Frost):
    """A broker that lives as long as its ``async with``; `StageClient`s connect to it, by `dial` or by hand.

        async with StageBroker() as broker:
            async with StageClient(broker, identifier="phone") as phone:
                await phone.subscribe("halloween/#", 1)
                broker.drop("phone")

    Controls are plain functions and take effect at once. Everything is in order: what was asked for first happens first.
    `for_s` are seconds of the run's clock. `says_taken_over=False`: a taken-over client of MQTT 5 is told nothing, as by
    mosquitto 2.0.11. `keepalive_s` is that of dialled clients.
    """

    def __init__(self, *, says_taken_over: bool = True, keepalive_s: float = 10) -> None:
        super().__init__(says_taken_over=says_taken_over)
        self._keepalive_s = keepalive_s
        self._up = False
        self._downs = 0
        self._stalled_until = -math.inf
        self._pulled: dict[str, float] = {}
        self._refused: dict[str, int] = {}
        self._news = trio.lowlevel.ParkingLot()
        self._nursery_cm = trio.open_nursery()
        self._nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Self:
        if self._nursery is not None:
            raise StageError("a StageBroker is entered once")
        self._now = trio.lowlevel.current_clock().current_time
        self._nursery = await self._nursery_cm.__aenter__()
        self._nursery.start_soon(self._serve)
        self._up = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._nursery is not None
        if self._up:
            self.down()
        self._nursery.cancel_scope.cancel()
        # the body's exception is not handed to the nursery: it would come out wrapped in an exception group
        await self._nursery_cm.__aexit__(None, None, None)

    # -- what is to be seen

    @property
    def is_up(self) -> bool:
        return self._up

    @property
    def retained(self) -> Mapping[str, bytes]:
        """What a new subscriber to everything would be sent: topic → payload."""
        return self._retained.payloads(self._now())

    @property
    def connected(self) -> list[str]:
        """The client ids, in the order in which they connected."""
        return list(self._wires)

    # -- clients

    def dial(self, client_id: str, protocol: ProtocolVersion, will: Will | None) -> StageClient:
        """A `halloween_host.dial.Dial`."""
        return StageClient(self, identifier=client_id, protocol=protocol, will=will, keepalive=self._keepalive_s)

    async def reach(self, client: ClientEnd) -> Wire:
        """The connection of a client that wants one; waits while nothing passes.

        Raises:
            MqttCodeError: as `refuse` says.
            MqttError: while the broker is down.
        """
        if self._nursery is None:
            raise StageError("use the StageBroker inside its `async with`: nothing serves its clients yet")
        while True:
            if not self._up:
                raise MqttError(_DOWN)
            until = max(self._stalled_until, self._pulled.get(client.identifier, -math.inf))
            if until <= self._now():
                break
            with trio.move_on_at(until):
                await self._news.park()
        for prefix, code in self._refused.items():
            if client.identifier.startswith(prefix):
                error = MqttCodeError(code, f"{NAME} refused the connection")
                self._tell("refuse", client.identifier, text=str(error))
                raise error
        return self.admit(client)

    # -- controls

    def publish(
        self,
        topic: str,
        payload: PayloadType = None,
        qos: int = 1,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None:
        """A stranger's message: a phone's, a script's. Who hears it has it at once, unless nothing passes to them.

        Raises:
            MqttError: while the broker is down.
            ValueError: for an invalid topic or QoS.
        """
        if not self._up:
            raise MqttError(_DOWN)
        if qos not in (0, 1, 2):
            raise ValueError(f"QoS {qos!r}: 0, 1 or 2")
        message = Receipt(self.topic(topic), encode_payload(payload), qos, retain, carried(properties))
        self._publish(message, "", self._now())

    def down(self, for_s: float | None = None, *, forget: bool = False, clean: bool = False) -> None:
        """The broker is gone, as by SIGKILL: every connection is lost and no will is sent.

        It comes up again after `for_s`, with what it had retained unless `forget`. `clean`: an administrator ends it, the
        wills go out first. Nobody connects while it is down.
        """
        self._up = False
        self._downs += 1
        self._stalled_until = -math.inf
        self._tell("down", text="stopped" if clean else "killed")
        for wire in list(self._wires.values()):
            if not wire.cut:
                wire.frozen = False  # a process that ends is heard of, however slow it was
            self._end(wire, "the broker is down", will=clean)
        for session in self._sessions.values():
            session.delayed_will = None
        if forget:
            self.forget_retained()
            self._sessions.clear()
            self._routes.changed()
        self._news.unpark_all()
        if for_s is not None:
            number = self._downs

            def up_again() -> None:
                if number == self._downs:
                    self.up()

            self._timers.at(self._now() + for_s, up_again)

    def up(self) -> None:
        """The broker is there again; nothing happens when it is."""
        if not self._up and self._nursery is not None:
            self._up = True
            self._downs += 1
            self._tell("up")

    def forget_retained(self) -> None:
        """What was retained is gone, and no subscriber is told."""
        self._retained.forget()

    def drop(self, identifier: str, *, lose_acks: bool = False) -> None:
        """The client's connection is reset: its will goes out, what was on its way is lost; the client may come back.

        With `lose_acks` what the client had sent arrives, and only the acknowledgements are lost: who sends it again
        sends it twice.

        Raises:
            StageError: when no such client is connected.
        """
        wire = self._connection(identifier)
        if lose_acks:
            for packet in wire.up:
                if isinstance(packet, Receipt):
                    self._publish(packet, identifier, self._now())
        wire.frozen = False
        self._end(wire, "reset", will=True, error=MqttError(f"connection to {NAME} lost: the connection was reset"))

    def cut(self, identifier: str, for_s: float | None = None) -> None:
        """Nothing passes either way, and neither end is told: a half-open connection.

        The broker ends it 1.5 × keep-alive after the client's last packet and sends the will; the client gives up when a
        ping had no answer for half of it. With `for_s` the cable is back after so many seconds, and what either end
        sent arrives late if the connection still lives; until then that client's attempts to connect get no answer.
        Without, this connection never carries anything again, and a new one does at once.

        Raises:
            StageError: when no such client is connected.
        """
        until = math.inf if for_s is None else self._now() + for_s
        self._freeze(self._connection(identifier), until, cut=True)
        if for_s is not None:
            self._pulled[identifier] = until

    def stall(self, identifier: str | None = None, *, for_s: float) -> None:
        """Everything is late by `for_s`, and nothing lost: for one client, or for all because the broker is slow.

        The broker ends nobody meanwhile; a client whose ping had no answer for half its keep-alive gives up all the same.

        Raises:
            StageError: when no such client is connected.
        """
        until = self._now() + for_s
        if identifier is None:
            self._stalled_until = max(self._stalled_until, until)
            wires = list(self._wires.values())
        else:
            wires = [self._connection(identifier)]
        for wire in wires:
            self._freeze(wire, until, cut=False)

    def block(self, seconds: float) -> None:
        """The event loop stands still for so many virtual seconds: call it where a worker would block, ``time.sleep(seconds)``.

        Nobody gets a turn but the broker, and what `later` was given. No client sends or reads, and each finds at the end what
        came meanwhile; the broker ends a connection 1.5 × keep-alive after the last packet on it, and sends the will.

        Raises:
            StageError: when Trio's clock is no `MockClock`.
        """
        clock = stage_clock()
        ends_at = self._blocked_until = self._now() + seconds
        for wire in self._wires.values():
            self._freeze(wire, ends_at, cut=True, asleep=True)
        while (next_at := self._timers.next_at) < ends_at:
            clock.jump(max(0.0, next_at - self._now()))
            self._timers.run(self._now())
        clock.jump(max(0.0, ends_at - self._now()))

    def refuse(self, identifier_prefix: str, code: int | None) -> None:
        """Client ids that start so get this reason code for CONNACK from now on; None takes it back."""
        if code is None:
            self._refused.pop(identifier_prefix, None)
        else:
            self._refused[identifier_prefix] = code

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Call `act` once so much of the run's time has passed, in the broker's own task: a stranger's deed."""
        self._timers.at(self._now() + seconds, act)

    # -- inside

    def _connection(self, identifier: str) -> Wire:
        wire = self._wires.get(identifier)
        if wire is None:
            there = ", ".join(self._wires) or "nobody"
            raise StageError(f"no client {identifier!r} is connected to the stage; connected: {there}")
        return wire

    async def _serve(self) -> None:
        while True:
            self._timers.run(self._now())
            self._pump()
            if self._ready:
                await trio.lowlevel.checkpoint()
            elif self._timers.next_at == math.inf:
                await self._idle.park()
            else:
                with trio.move_on_at(self._timers.next_at):
                    await self._idle.park()
