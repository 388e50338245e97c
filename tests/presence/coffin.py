"""A presence on a link of its own, without a host around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from halloween_host import topics
from halloween_host.dial import Dial
from halloween_host.link import Link
from halloween_host.outbox import Outbox
from halloween_host.presence import HostVoice, Presence, will_of
from halloween_host.settings import BrokerSettings

HOST: Final = "halloween-stage"
COFFIN: Final = f"{HOST}-coffin"
AVAILABILITY: Final = topics.availability("coffin")


class Coffin:
    """A presence on a link of its own; `hears` stands for the broker having taken the host's `cmd` subscription."""

    def __init__(self, broker: BrokerSettings, dial: Dial) -> None:
        self.hears = True
        self.changes: list[bool] = []
        self.changed = trio.Event()
        self.acknowledged = 0
        self.outbox = Outbox(wake=lambda: None, clock=trio.current_time, dropped=lambda prop_id, text: None)
        self.presence = Presence(
            "coffin",
            HostVoice("coffin", self.outbox),
            allowed=lambda: self.hears,
            changed=self._change,
        )
        self.link = Link(
            broker,
            dial,
            self.presence.serve,
            client_id=COFFIN,
            will=will_of("coffin"),
            taken_over=lambda evidence: None,
            failed=self.presence.failed,
            random_=lambda: 0.2,
        )

    def say_online(self) -> None:
        self.presence.say("online", self._count)

    def host_hears(self) -> None:
        self.hears = True
        self.presence.link_up()

    async def until(self, true: Callable[[], bool], within_s: float = 20) -> None:
        with trio.fail_after(within_s):
            while not true():
                self.changed = trio.Event()
                await self.changed.wait()

    def _change(self) -> None:
        self.changes.append(self.presence.present)
        self.changed.set()

    def _count(self) -> None:
        self.acknowledged += 1
        self.changed.set()
