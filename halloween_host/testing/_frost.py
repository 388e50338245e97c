"""A frozen connection carries nothing for a while, or never again; both ends live on until a keep-alive says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from halloween_host.mqtt import MqttTimeoutError

from ._engine import NAME, Engine
from ._packets import Closing
from ._wire import Wire, freeze_ends_at

__all__ = ["Frost"]


class Frost(Engine):
    """What `StageBroker.cut` and `StageBroker.stall` do to one connection."""

    def _freeze(self, wire: Wire, until: float, *, cut: bool) -> None:
        if wire.frozen and (wire.cut or not cut):
            return
        client_at, broker_at = freeze_ends_at(wire.alive, self._now(), reckon=not wire.frozen)
        wire.frozen, wire.cut = True, cut
        wire.freezes += 1
        number = wire.freezes

        def while_frozen(act: Callable[[Wire], None]) -> Callable[[], None]:
            return lambda: act(wire) if wire.frozen and wire.freezes == number else None

        self._timers.at(until, while_frozen(self._thaw))
        self._timers.at(client_at, while_frozen(_give_up))
        if cut:
            self._timers.at(broker_at, while_frozen(lambda wire: self._end(wire, "keep-alive timeout", will=True)))

    def _thaw(self, wire: Wire) -> None:
        wire.frozen = wire.cut = False
        if wire not in self._owners:
            return  # the broker gave it up, which takes it at least as long as the client
        client = wire.client
        if client is not None:
            now = self._now()
            while wire.down and wire.client is not None:
                client.arrive(wire.down.popleft(), now)
            client.thaw()
        if wire.up:
            self.ring(wire)


def _give_up(wire: Wire) -> None:
    """The client has seen no answer to its ping, and closes its end."""
    client, wire.client = wire.client, None
    if client is not None:
        wire.up.append(Closing(said=False))
        client.lose(MqttTimeoutError(f"connection to {NAME} lost: no answer to our keep-alive"))
