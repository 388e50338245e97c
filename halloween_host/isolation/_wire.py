"""The two ends of the pipes: the host gives orders, the isolated worker's process has words; each is a line of JSON.

Its own event loop may be blocked, so a thread reads what the host says; the host's end closes when the host is gone, however
it went.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Final, Literal

import structlog
import trio

__all__ = ["Order", "Wire", "decode", "encode"]

#: panic (reason), end (reason), leave (why), start, repeat (its availability), acknowledged (number), link (up: the host's own).
Order = dict[str, Any]

#: Seconds between two looks whether our leash is still our parent.
PARENT_CHECK_S: Final = 1.0

_log: Final = structlog.stdlib.get_logger()


def encode(kind: str, **facts: object) -> bytes:
    """One line."""
    return json.dumps({"kind": kind, **facts}).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """What `encode` made of its kind and facts."""
    message: dict[str, Any] = json.loads(line)
    return message


class Wire:
    """The worker's end. `tell` is for any thread and never raises; it waits for a host that does not read.

    It is also the watchdog's `Voice`: the host publishes for us while our loop is blocked.
    """

    def __init__(self, orders: BinaryIO, words: int) -> None:
        self._orders = orders
        self._words = words
        self._writing = threading.Lock()
        self._lock = threading.RLock()  # a signal handler may interrupt who holds it
        self._unheeded: list[Order] = []
        self._obey: Callable[[Order], None] | None = None
        self._forsaken: Callable[[], None] = lambda: None
        self._gone = False
        self._numbers = itertools.count()
        self._awaited: dict[int, threading.Event] = {}

    def tell(self, word: str, /, **facts: object) -> None:
        data = encode(word, **facts)
        with self._writing, contextlib.suppress(OSError):  # the host is gone: `forsaken` is on its way
            while data:
                data = data[os.write(self._words, data) :]

    def listen(self) -> None:
        """Begin to read; what comes before `attend` waits."""
        threading.Thread(target=self._read, name="orders", daemon=True).start()
        threading.Thread(target=self._watch_parent, args=(os.getppid(),), name="parent", daemon=True).start()

    def attend(self, obey: Callable[[Order], None], forsaken: Callable[[], None]) -> None:
        """From now on `obey` is called in Trio's thread with each order, and `forsaken` once the host is gone."""
        token = trio.lowlevel.current_trio_token()

        def soon(call: Callable[..., None], *args: object) -> None:
            with contextlib.suppress(trio.RunFinishedError):  # all has ended anyhow
                token.run_sync_soon(call, *args)

        with self._lock:
            self._obey = lambda order: soon(obey, order)
            self._forsaken = lambda: soon(forsaken)
            waiting, self._unheeded = self._unheeded, []
        for order in waiting:
            soon(obey, order)
        if self._gone:
            soon(forsaken)

    def end(self, why: str) -> None:
        """Of its own accord, without the host's order. For signal handlers, as `lose` is."""
        self._take({"kind": "leave", "why": why})

    # -- Voice

    @property
    def connected(self) -> bool:
        return True

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, wait_s: float = 0.0) -> None:
        """By the host's connection, QoS 1; return once it is acknowledged, after `wait_s` at the latest."""
        number, out = next(self._numbers), threading.Event()
        self._awaited[number] = out
        self.tell("publish", number=number, topic=topic, payload=payload.decode(errors="replace"), retain=retain)
        out.wait(wait_s)

    def say(self, level: Literal["info", "warning", "error"], text: str, worker: str | None = None) -> None:
        getattr(_log, level)(text, **({} if worker is None else {"worker": worker}))

    # -- threads

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            for line in self._orders:
                self._take(decode(line))
        self.lose()

    def _take(self, order: Order) -> None:
        if order["kind"] == "acknowledged":
            if (out := self._awaited.pop(order["number"], None)) is not None:
                out.set()
            return
        with self._lock:
            if self._obey is None:
                self._unheeded.append(order)
                return
        self._obey(order)

    def _watch_parent(self, parent: int) -> None:
        """The pipe's other end may be held open by a process that another worker forked in the host."""
        never = threading.Event()
        while os.getppid() == parent:
            never.wait(PARENT_CHECK_S)
        self.lose()

    def lose(self) -> None:
        """The host is gone."""
        with self._lock:
            first, self._gone = not self._gone, True
        if first:
            self._forsaken()
