"""An idle host sleeps: nothing in it ticks, each thread wakes when something is really due."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import pytest
import trio
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from halloween_host.mqtt._blocking import _patience_ms
from halloween_host.mqtt._blocking_session import BlockingSession
from halloween_host.mqtt._keep_alive import KeepAlive
from tests.conftest import MakeMosquitto
from tests.counts.meters import say, wake_ups
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

WORKERS: Final = 10
#: Seconds; a thread that ticks once a second wakes as often.
WATCHED_S: Final = 8
#: Seconds in which what belongs to the start is over, mostly: the looks at health and at what came back from the broker.
START_S: Final = 2
#: A loaded machine starts for longer, and a thread that ticks does so in each of them.
WINDOWS: Final = 3
#: Wake-ups of all threads in that time.
MOST: Final = 9

NATIVE: Final = """
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how often a thread slept, in /proc")
async def test_ten_workers(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    """A host whom nobody commands wakes for signs of life and the uptime alone, with presences and without.

    All are due every 10 s, those of one thread in one moment; each is a wake-up to send it and at most one for the answer.
    A tick in one thread, once a second, would be as many as there are seconds.
    """
    haunt = Haunt(tmp_path)
    for number in range(WORKERS):
        haunt.prop(f"coffin-{number}", NATIVE)
    async with trio.open_nursery() as nursery:
        for presence_max in (0, WORKERS):
            nursery.start_soon(watch, haunt, make_mosquitto(), presence_max)


async def watch(haunt: Haunt, broker: Mosquitto, presence_max: int) -> None:
    environ = {"PRESENCE_MAX": str(presence_max), "STATE_DIR": f"state-{presence_max}"}
    async with broker.listen("halloween/+/status/availability") as listener, haunt.host(broker, **environ) as host:
        for number in range(WORKERS):
            await listener.expect(f"halloween/coffin-{number}/status/availability online", within_s=30)
        await trio.sleep(START_S)
        for _ in range(WINDOWS):
            before = wake_ups(host.pid)
            await trio.sleep(WATCHED_S)
            woken = {thread: count - before.get(thread, 0) for thread, count in wake_ups(host.pid).items()}
            say(f"PRESENCE_MAX={presence_max}: woken in {WATCHED_S} s: {woken}")
            if quiet := sum(woken.values()) <= MOST and max(woken.values()) < WATCHED_S - 1:
                break
        await host.stop()
    assert quiet


def test_the_guards_client_sleeps_until_its_keep_alive() -> None:
    """And no longer than until the broker ought to have taken its subscription, while it has not."""
    session = BlockingSession(paho.Client(CallbackAPIVersion.VERSION2), ["x"], lambda _message: None, lambda: None)
    alive = KeepAlive(0, 0)
    for due_s, connecting in ((60, 10), (5, 5)):
        now = time.monotonic()
        alive.wake_at, deadline = now + due_s, now + 10
        session.subscribed = False
        assert near(_patience_ms(session, alive, deadline), connecting)
        session.subscribed = True
        assert near(_patience_ms(session, alive, deadline), due_s)
    assert _patience_ms(session, KeepAlive(0, 0), deadline) is None


def near(milliseconds: int | None, seconds: int) -> bool:
    return milliseconds is not None and 0 <= seconds * 1_000 - milliseconds < 1_000
