"""An alarm wakes its thread once, so many seconds after it was set: one wake-up, where a lock would need two.

A lock (a queue, a pipe) wakes who waits for it at once, and he would take the GIL only to learn that he is to sleep a little
longer; a timer of the kernel's does not (timerfd_create(2)). `os` has it from Python 3.13 on, so it is called by ctypes,
which Trio imports anyway.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import threading
import time
from typing import Final

__all__ = ["Alarm"]

_CLOEXEC: Final = 0o2000000  # TFD_CLOEXEC, on every architecture that we run on


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def _timer(seconds: float) -> object:
    """What ctypes hands over; infinity: never."""
    nanoseconds = 0 if seconds == math.inf else max(1, int(seconds * 1e9))  # 0 would mean never
    return ctypes.byref(_Timer(_Timespec(0, 0), _Timespec(*divmod(nanoseconds, 1_000_000_000))))


class Alarm:
    """`set` from any thread, a later one wins; `wait` in one thread until it rings. Where there is no timerfd it rings at once.

    It is quickly set to the `usual` times, in seconds.
    """

    def __init__(self, *usual: float) -> None:
        self._descriptor = _open()
        self._usual = {} if self._descriptor is None else {seconds: _timer(seconds) for seconds in usual}
        self._rung = threading.Semaphore(0)
        self._at = 0.0

    def set(self, seconds: float) -> None:
        """Ring in so many seconds; infinity: not any more."""
        if self._descriptor is None:
            self._at = time.monotonic() + seconds
            self._rung.release()
            return
        _libc.timerfd_settime(self._descriptor, 0, self._usual.get(seconds) or _timer(seconds), None)

    def wait(self) -> None:
        if self._descriptor is not None:
            os.read(self._descriptor, 8)
            return
        self._rung.acquire()
        while self._rung.acquire(timeout=min(threading.TIMEOUT_MAX, max(0.0, self._at - time.monotonic()))):
            pass

    def close(self) -> None:
        """Once nobody waits any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def _open() -> int | None:
    if sys.platform != "linux":
        return None
    descriptor: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, _CLOEXEC)
    return None if descriptor < 0 else descriptor


with contextlib.suppress(AttributeError):  # PyDLL: a call so short is not worth giving the GIL away
    _libc = ctypes.PyDLL(None)
