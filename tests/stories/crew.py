"""The workers of the stories, in both dialects; what they really do stands in a diary, whatever the host says of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final

import anyio
import attrs
import trio

from halloween_host import BaseWorker, action
from worker_host.base import BaseWorker as AsyncioWorker

__all__ = ["BEAT_S", "COOLDOWN_S", "CREW", "WITHOUT_PRESENCE", "Diary", "Entry", "Me", "cast"]

#: A native worker, an asyncio worker, and a native one without a connection of its own.
CREW: Final = ("coffin", "fogger", "lamp")
WITHOUT_PRESENCE: Final = "lamp"
#: Seconds between two beats of a worker's task, and how late one may be.
BEAT_S: Final = 0.7
LATE_S: Final = 0.05
#: Seconds that a handler which ignores its cancellation goes on.
HANG_S: Final = 1.2
#: Seconds from one bang of a prop to its next.
COOLDOWN_S: Final = 300.0


@attrs.frozen
class Me:
    """One instance of a worker; numbers count over all props."""

    prop_id: str
    number: int


@attrs.frozen
class Entry:
    """What an instance did: constructed, starting, remembers (its deeds), started, late (a beat), heart stopped, crashed, safe,
    stop, hangs, ends, stored (a deed), or a command's action."""

    at: float
    me: Me
    what: str
    text: str = ""


class Diary:
    """The truth. `latched` tells whether a panic stands, `told` hears of each entry; workers beat every `beat_s`."""

    def __init__(self, latched: Callable[[], bool], told: Callable[[Entry], None], beat_s: float = BEAT_S) -> None:
        self.latched = latched
        self.beat_s = beat_s
        self.entries: list[Entry] = []
        #: Props whose instance has started and whose task still ticks, with when that was.
        self.hearts: dict[str, tuple[Me, float]] = {}
        #: When each prop's last heart stopped.
        self.stopped_at: dict[str, float] = {}
        #: Instances with a handler that ignores its cancellation.
        self.hanging: dict[str, int] = {}
        #: Seconds that `start()` takes, by prop.
        self.slow: dict[str, float] = {}
        #: Keeps the event loop for a prop (prop id, the command's argument); whether its host has ended over it.
        self.stand_still: Callable[[str, str], bool] = lambda prop_id, arg: False
        #: When the loop last stood still, from and to.
        self.stood = (-math.inf, -math.inf)
        self._told = told
        self._beats: dict[str, tuple[Me, float]] = {}
        self._closed_up_to = 0
        self._number = 0

    def born(self, prop_id: str) -> Me:
        self._number += 1
        me = Me(prop_id, self._number)
        self.note(me, "constructed")
        return me

    def note(self, me: Me, what: str, text: str = "") -> None:
        if me.number <= self._closed_up_to:
            return  # of a host that was killed: it only seems to go on
        entry = Entry(trio.current_time(), me, what, text)
        self.entries.append(entry)
        if what == "started":
            self.hearts[me.prop_id] = (me, entry.at)
        elif what == "heart stopped" and self.hearts.get(me.prop_id, (None, 0.0))[0] == me:
            del self.hearts[me.prop_id]
            self.stopped_at[me.prop_id] = entry.at
        elif what == "hangs":
            self.hanging[me.prop_id] = self.hanging.get(me.prop_id, 0) + 1
        elif what == "ends":
            self.hanging[me.prop_id] -= 1
        self._told(entry)

    def beat(self, me: Me) -> None:
        """Its task's turn has come, on time or not."""
        now = trio.current_time()
        last, at = self._beats.get(me.prop_id, (me, now))
        self._beats[me.prop_id] = (me, now)
        due = at + self.beat_s
        if self.stood[0] <= due <= self.stood[1]:
            due = self.stood[1]
        if last == me and now > due + LATE_S:
            self.note(me, "late", f"{now - due:g} s")

    def killed(self) -> None:
        """The host's process is gone; its tasks' last words are none."""
        self._closed_up_to = self._number
        for prop_id in self.hearts:
            self.stopped_at[prop_id] = trio.current_time()
        self.hearts.clear()
        self.hanging.clear()

    def remember(self, me: Me, store: MutableMapping[str, Any]) -> None:
        """What it finds of its deeds."""
        self.note(me, "remembers", f"{store.get('deeds', 0)} {store.get('twin', 0)}")

    def store(self, me: Me, store: MutableMapping[str, Any]) -> None:
        """One deed more, stored twice at once."""
        count = store.get("deeds", 0) + 1
        store.update({"deeds": count, "twin": count})
        self.note(me, "stored", str(count))

    def mark(self, me: Me) -> str:
        """What telemetry says: who, and whether it was said under the latch."""
        return f"{me.number} {'latched' if self.latched() else 'free'}"


def cast(diary: Diary, crew: Sequence[str] = CREW) -> dict[str, type[Any]]:
    """Of each three one native worker, one asyncio worker, one without a connection of its own."""

    class Native(BaseWorker):
        def __init__(self, prop_id: str, berth: Any, config: Any) -> None:
            super().__init__(prop_id, berth, config)
            self.me = diary.born(prop_id)

        async def start(self) -> None:
            diary.note(self.me, "starting")
            diary.remember(self.me, self.store)
            await super().start()
            if seconds := diary.slow.get(self.prop_id):
                await anyio.sleep(seconds)
            self.spawn(self._beat)
            diary.note(self.me, "started")

        async def _beat(self) -> None:
            try:
                while True:
                    diary.beat(self.me)
                    self.telemetry("beat", diary.mark(self.me))
                    await anyio.sleep(diary.beat_s)
            finally:
                diary.note(self.me, "heart stopped")
                self.telemetry("bye", diary.mark(self.me))

        async def stop(self) -> None:
            diary.note(self.me, "stop")
            self.telemetry("stop", diary.mark(self.me))
            await super().stop()

        async def safe(self) -> None:
            diary.note(self.me, "safe")
            self.telemetry("safe", diary.mark(self.me))
            await anyio.sleep(0.01)
            self.command(self.prop_id, "close", self.me.number)

        async def do_scare(self, arg: str) -> str:
            diary.note(self.me, "scare", arg)
            diary.store(self.me, self.store)
            await anyio.sleep(1)
            self.telemetry("scared", diary.mark(self.me))
            return arg

        @action(cooldown=COOLDOWN_S)
        async def do_bang(self, arg: str) -> None:
            diary.note(self.me, "bang", arg)

        async def do_block(self, arg: str) -> None:
            diary.note(self.me, "block", arg)
            if diary.stand_still(self.prop_id, arg):
                await anyio.sleep_forever()

        async def do_hold(self, arg: str) -> None:
            diary.note(self.me, "hold", arg)
            try:
                await anyio.sleep(20)
            finally:
                self.telemetry("held", diary.mark(self.me))

        async def do_hang(self, arg: str) -> None:
            diary.note(self.me, "hang", arg)
            diary.note(self.me, "hangs")
            with trio.CancelScope(shield=True):
                await trio.sleep(HANG_S)
            self.telemetry("hung", diary.mark(self.me))
            self.command("firmware", "open", diary.mark(self.me))
            diary.note(self.me, "ends")

        async def do_die(self, arg: str) -> None:
            diary.note(self.me, "die", arg)
            raise SystemExit(3)

        async def do_fall(self, arg: str) -> None:
            diary.note(self.me, "fall", arg)
            self.panic("a guest fell")

        async def do_close(self, arg: str) -> None:
            diary.note(self.me, "close", arg)

    class Legacy(AsyncioWorker):
        def __init__(self, prop_id: str, mqtt: Any, config: Any) -> None:
            super().__init__(prop_id, mqtt, config)
            self.me = diary.born(prop_id)

        async def start(self) -> None:
            diary.note(self.me, "starting")
            diary.remember(self.me, self.store)
            await super().start()
            if seconds := diary.slow.get(self.prop_id):
                await asyncio.sleep(seconds)
            beat = self.spawn(self._beat())
            # a Task that is cancelled before its first step never runs its `finally`
            beat.add_done_callback(lambda _: diary.note(self.me, "heart stopped"))
            diary.note(self.me, "started")

        async def _beat(self) -> None:
            try:
                while True:
                    diary.beat(self.me)
                    self.telemetry("beat", diary.mark(self.me))
                    await asyncio.sleep(diary.beat_s)
            finally:
                self.telemetry("bye", diary.mark(self.me))

        async def stop(self) -> None:
            diary.note(self.me, "stop")
            self.telemetry("stop", diary.mark(self.me))
            await super().stop()

        async def safe(self) -> None:
            diary.note(self.me, "safe")
            self.telemetry("safe", diary.mark(self.me))
            await asyncio.sleep(0.01)
            self.command(self.prop_id, "close", self.me.number)

        async def do_scare(self, arg: str) -> str:
            diary.note(self.me, "scare", arg)
            diary.store(self.me, self.store)
            await asyncio.sleep(1)
            self.telemetry("scared", diary.mark(self.me))
            return arg

        @action(cooldown=COOLDOWN_S)
        async def do_bang(self, arg: str) -> None:
            diary.note(self.me, "bang", arg)

        async def do_block(self, arg: str) -> None:
            diary.note(self.me, "block", arg)
            if diary.stand_still(self.prop_id, arg):
                await asyncio.Event().wait()

        async def do_hold(self, arg: str) -> None:
            diary.note(self.me, "hold", arg)
            try:
                await asyncio.sleep(20)
            finally:
                self.telemetry("held", diary.mark(self.me))

        async def do_hang(self, arg: str) -> None:
            diary.note(self.me, "hang", arg)
            diary.note(self.me, "hangs")
            for _ in range(30):
                try:
                    await asyncio.sleep(HANG_S / 30)
                except asyncio.CancelledError:
                    continue
            self.telemetry("hung", diary.mark(self.me))
            self.command("firmware", "open", diary.mark(self.me))
            diary.note(self.me, "ends")

        async def do_die(self, arg: str) -> None:
            diary.note(self.me, "die", arg)
            raise SystemExit(3)

        async def do_fall(self, arg: str) -> None:
            diary.note(self.me, "fall", arg)
            self.panic("a guest fell")

        async def do_close(self, arg: str) -> None:
            diary.note(self.me, "close", arg)

    class Lamp(Native):
        presence = False

    kinds: tuple[type[Any], ...] = (Native, Legacy, Lamp)
    return {prop_id: kinds[number % len(kinds)] for number, prop_id in enumerate(crew)}
