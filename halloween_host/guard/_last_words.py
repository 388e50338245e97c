"""What is left to say when the event loop is blocked for good: who blocks it, and where every thread stands."""

from __future__ import annotations

import sys
import threading
import traceback
from types import FrameType
from typing import Final

import attrs
import structlog

from halloween_host.acks import Ack, encode_ack
from halloween_host.latch import PanicRecord
from halloween_host.payloads import to_json
from halloween_host.worker import shown_place

__all__ = ["Culprit", "blocked_ack", "blocked_report", "find_culprit", "log_stacks"]

_log: Final = structlog.stdlib.get_logger()


@attrs.frozen
class Culprit:
    """The worker in whose code the event loop's thread stands, and where: ``props/fogger/backend/worker.py:31``."""

    prop_id: str
    place: str


def find_culprit(thread: int) -> Culprit | None:
    """Who blocks this thread (its `ident`), None when it stands in no worker's code."""
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None:
        root, _, rest = str(frame.f_globals.get("__name__", "")).partition(".")
        if root in ("props", "halloween_builtins") and rest:
            return Culprit(rest.partition(".")[0], shown_place(frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return None


def log_stacks(loop_thread: int, culprit: Culprit | None, blocked_s: float, status: int) -> None:
    """One line that says what happens, then each thread's stack, the event loop's first. May hang, as any log may."""
    text = f"PANIC not taken by the event loop within {blocked_s:g} s: the host ends itself (status {status}), latched"
    if culprit is None:
        _log.critical(text)
    else:
        _log.critical(f"{text}; blocks it: {culprit.place}", worker=culprit.prop_id)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sorted(sys._current_frames().items(), key=lambda item: item[0] != loop_thread):
        if ident != threading.get_ident():
            stack = "".join(traceback.format_stack(frame)).rstrip()
            _log.error(f"thread {names.get(ident, ident)!r} stands here:\n{stack}")


def blocked_report(record: PanicRecord, culprit: Culprit | None, *, durable: bool) -> bytes:
    """The payload of `status/panic`: no `safe()` ran, and none will before the host is back."""
    report = {
        "active": True,
        **attrs.asdict(record),
        "safe": {},
        "no_safe": [],
        "unsafe": {culprit.prop_id: f"blocks the host, {culprit.place}"} if culprit else {},
        "refused": 0,
        "durable": durable,
        "took_ms": None,
    }
    return to_json(report).encode()


def blocked_ack(id_: str | float | None, culprit: Culprit | None, blocked_s: float) -> bytes:
    """The answer to the panic that the event loop did not take."""
    who = f"{culprit.prop_id} blocks the host, {culprit.place}" if culprit else "something blocks the host"
    error = f"{who}: it ends itself now, and stays latched when it is back"
    return encode_ack(Ack(id_, "panic", "failed", error=error, took_ms=round(blocked_s * 1000)))
