"""The outlet is one worker instance's door to the outbox: shut before `online`, in a panic, and after its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar

from halloween_host.outbox import CAPACITY, COMMAND_AGE_S, Kind, Outbox, Post

__all__ = ["Outlet", "in_safe"]

#: The outlet of the worker whose `safe()` the current task (or a thread of it) runs.
in_safe: ContextVar[Outlet | None] = ContextVar("halloween_host_in_safe", default=None)


class Outlet:
    """One worker instance's door to the outbox: telemetry waits behind it until `online` is out; closed, it drops with one line."""

    def __init__(self, prop_id: str, outbox: Outbox, warn: Callable[[str, str], None]) -> None:
        self.prop_id = prop_id
        self._outbox = outbox
        self._warn = warn
        self._lock = threading.Lock()
        self._held: dict[str, Post] | None = {}
        self._restricted = False
        self._closed = False
        self._sealed = False
        self._late = 0

    def post(
        self,
        topic: str,
        payload: bytes,
        kind: Kind,
        qos: int = 0,
        retain: bool = False,
        *,
        ttl_s: float = COMMAND_AGE_S,
    ) -> None:
        """Send a message or hold it; never blocks, never raises, from any thread. `ttl_s` is a command's."""
        makes_safe = in_safe.get() is self
        if makes_safe and kind == "command":
            kind = "safe"
        posted_at = self._outbox.now() if kind == "command" else 0.0  # nothing else ages
        post = Post(self.prop_id, topic, payload, kind, qos, retain, posted_at, None, ttl_s)
        with self._lock:
            if self._sealed or ((self._closed or self._restricted) and not makes_safe):
                self._late += 1
                if kind == "command":
                    self._outbox.refuse_command()
            elif self._held is not None and kind == "telemetry":
                self._held.pop(topic, None)
                self._held[topic] = post
                if len(self._held) > CAPACITY:
                    self._held.pop(next(iter(self._held)))
                return
            else:
                # under the lock, so that what `release` lets go stays ahead of what comes after it
                self._outbox.post(post)
                return
        if self._late == 1 and not self._restricted:  # in a panic every `finally` block may still talk
            self._warn(self.prop_id, f"still talks after its end; {topic} and all that follows is dropped")

    def warn(self, text: str) -> None:
        """One warning line about this worker, on the log and on its `status/warn`."""
        self._warn(self.prop_id, text)

    def release(self) -> None:
        """`online` is out: what was held follows, and nothing is held any more."""
        with self._lock:
            held, self._held = self._held or {}, None
            for post in held.values():
                self._outbox.post(post)

    def restrict(self) -> None:
        """A panic: from here on only what `safe()` says leaves."""
        with self._lock:
            self._restricted, self._sealed = True, False
            self._held = None

    def seal(self) -> None:
        """The panic's `safe()` is over: nothing leaves any more, whatever runs on."""
        with self._lock:
            self._sealed = True

    def close(self) -> None:
        """This instance has ended: nothing that it says from here on leaves, but what a `safe()` says."""
        with self._lock:
            self._closed = True
            self._held = None
