"""What is left to say when the event loop is blocked for good: who blocks it, and where every thread stands."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Final

import attrs
import structlog

from halloween_host.acks import Ack, encode_ack
from halloween_host.guard._culprits import Culprit
from halloween_host.latch import PanicRecord
from halloween_host.payloads import to_json

__all__ = ["blocked_ack", "blocked_report", "log_stacks"]

_log: Final = structlog.stdlib.get_logger()


def log_stacks(loop_thread: int, culprit: Culprit | None, text: str) -> None:
    """One line that says what happens, then each thread's stack, the event loop's first. May hang, as any log may."""
    if culprit is None:
        _log.critical(text)
    else:
        facts = {} if culprit.prop_id is None else {"worker": culprit.prop_id}
        _log.critical(f"{text}; blocks it {culprit.where}", **facts)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sorted(sys._current_frames().items(), key=lambda item: item[0] != loop_thread):
        if ident != threading.get_ident():
            stack = "".join(traceback.format_stack(frame)).rstrip()
            _log.error(f"thread {names.get(ident, ident)!r} stands here", stack=stack)


def blocked_report(record: PanicRecord, culprit: Culprit | None, *, durable: bool) -> bytes:
    """The payload of `status/panic`: no `safe()` ran, and none will before the host is back."""
    report = {
        "active": True,
        **attrs.asdict(record),
        "safe": {},
        "no_safe": [],
        "unsafe": {culprit.prop_id: f"blocks the host, {culprit.place}"} if culprit and culprit.prop_id else {},
        "refused": 0,
        "durable": durable,
        "took_ms": None,
    }
    return to_json(report).encode()


def blocked_ack(id_: str | float | None, culprit: Culprit | None, blocked_s: float) -> bytes:
    """The answer to the panic that the event loop did not take."""
    who = (
        f"{culprit.prop_id or 'something'} blocks the host, {culprit.place}" if culprit else "something blocks the host"
    )
    error = f"{who}: it ends itself now, and stays latched when it is back"
    return encode_ack(Ack(id_, "panic", "failed", error=error, took_ms=round(blocked_s * 1000)))
