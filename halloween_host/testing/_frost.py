"""A frozen connection carries nothing for a while, or never again; both ends live on until a keep-alive says otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable

from halloween_host.mqtt import MqttError, MqttTimeoutError

from ._engine import NAME, Engine
from ._packets import Closing
from ._wire import Wire, freeze_ends_at

__all__ = ["Frost"]


class Frost(Engine):
    """What `StageBroker.cut`, `stall` and `block` do to one connection."""

    #: Until when no client gets a turn: the event loop is blocked.
    _blocked_until = -math.inf

    def _freeze(self, wire: Wire, until: float, *, cut: bool, asleep: bool = False) -> None:
        """`asleep`: the client neither sends nor gives up."""
        if wire.frozen and (wire.cut or not cut):
            return
        client_at, broker_at = freeze_ends_at(wire.alive, self._now(), reckon=not wire.frozen)
        wire.frozen, wire.cut, wire.asleep = True, cut, asleep
        wire.freezes += 1
        number = wire.freezes

        def while_frozen(act: Callable[[Wire], None]) -> Callable[[], None]:
            return lambda: act(wire) if wire.frozen and wire.freezes == number else None

        self._timers.at(until, self._unless_blocked(while_frozen(self._thaw)))
        if not asleep:
            self._timers.at(client_at, self._unless_blocked(while_frozen(_give_up)))
        if cut:
            self._timers.at(broker_at, while_frozen(lambda wire: self._end(wire, "keep-alive timeout", will=True)))

    def _unless_blocked(self, act: Callable[[], None]) -> Callable[[], None]:
        """What a client notices, it notices once the event loop turns."""

        def later() -> None:
            if self._now() < self._blocked_until:
                self._timers.at(self._blocked_until, later)
            else:
                act()

        return later

    def _thaw(self, wire: Wire) -> None:
        wire.frozen = wire.cut = wire.asleep = False
        now = self._now()
        while wire.down and wire.client is not None:
            wire.client.arrive(wire.down.popleft(), now)
        client = wire.client
        if wire in self._owners:
            if client is not None:
                client.thaw()
            if wire.up:
                self.ring(wire)
            return
        wire.up.clear()  # what was said by who did not know yet that the broker had given it up
        if client is not None:
            wire.client = None
            client.lose(MqttError(f"connection to {NAME} lost: the broker closed the connection"))


def _give_up(wire: Wire) -> None:
    """The client has seen no answer to its ping, and closes its end."""
    client, wire.client = wire.client, None
    if client is not None:
        wire.up.append(Closing(said=False))
        client.lose(MqttTimeoutError(f"connection to {NAME} lost: no answer to our keep-alive"))
