"""On the stage a worker that reaches for the real world gets an error that says where, for what, and how to replace it."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import attrs

from halloween_host.errors import StageError
from halloween_host.testing._calls import started_at, worker_here
from halloween_host.worker import shown_place

__all__ = ["no_network"]


def _host(event_args: tuple[Any, ...]) -> str:
    host = event_args[0]
    return host.decode(errors="replace") if isinstance(host, bytes) else str(host)


def _address(event_args: tuple[Any, ...]) -> str:
    address = event_args[1]
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]}:{address[1]}"
    return address.decode(errors="replace") if isinstance(address, bytes) else str(address)


def _program(event_args: tuple[Any, ...]) -> str:
    if not event_args:
        return "itself"
    words = event_args[1] if len(event_args) > 1 and event_args[1] else event_args[0]
    if isinstance(words, (list, tuple)):
        words = " ".join(str(word) for word in words)
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)


#: Python's audit events (docs.python.org/3/library/audit_events.html) that leave the process: what is done, to what.
_REACHES: Final[dict[str, tuple[str, Callable[[tuple[Any, ...]], str]]]] = {
    "os.exec": ("become", _program),
    "os.fork": ("fork", _program),
    "os.forkpty": ("fork", _program),
    "os.posix_spawn": ("run", _program),
    "os.spawn": ("run", _program),
    "os.system": ("run", _program),
    "socket.bind": ("listen at", _address),
    "socket.connect": ("connect to", _address),
    "socket.getaddrinfo": ("look up", _host),
    "socket.gethostbyaddr": ("look up", _host),
    "socket.gethostbyname": ("look up", _host),
    "socket.sendmsg": ("send to", _address),
    "socket.sendto": ("send to", _address),
    "subprocess.Popen": ("run", _program),
}
_LIBRARY: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS: Final = str(Path(__file__).parents[1])


@attrs.frozen
class _Border:
    """Stops what a worker does; what nobody's worker does (the test itself, its runner) passes."""

    reached: list[StageError]

    def stop(self, event: str, event_args: tuple[Any, ...]) -> None:
        worker = worker_here()
        if worker is None:
            return
        act, of_what = _REACHES[event]
        frame = _authors_frame(sys._getframe(2))
        place = started_at() if frame is None else shown_place(frame.f_code.co_filename, frame.f_lineno)
        error = StageError(
            f"{worker}: {place or 'a library'} wants to {act} {of_what(event_args)}, and on the stage nothing leaves the "
            f"process: override the method that does it in a subclass and rehearse that: {_replacement(frame)}"
        )
        self.reached.append(error)
        raise error


_border: _Border | None = None
_hooked = False


@contextmanager
def no_network() -> Iterator[list[StageError]]:
    """While open, a worker's socket or process is a StageError at that line; the list has them, eaten ones too.

    A worker is known by its task's context, which threads inherit while `counted_threads` is open.
    """
    global _border, _hooked
    if not _hooked:  # an audit hook stays for the life of the process (PEP 578); without a border it does nothing
        sys.addaudithook(_audit)
        _hooked = True
    before, _border = _border, _Border([])
    try:
        yield _border.reached
    finally:
        _border = before


def _audit(event: str, event_args: tuple[Any, ...]) -> None:
    border = _border
    if border is not None and event in _REACHES:
        border.stop(event, event_args)


def _authors_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.startswith(("<", _OURS, *_LIBRARY)):
        frame = frame.f_back
    return frame


def _replacement(frame: FrameType | None) -> str:
    """A subclass as the author would write it, after the method at hand, else after an example."""
    if frame is None or "self" not in frame.f_locals:
        return "class Quiet(Worker): async def fetch(self): return 'sunny'"
    code, worker_class = frame.f_code, type(frame.f_locals["self"]).__name__
    keyword = "async def" if code.co_flags & inspect.CO_COROUTINE else "def"
    parameters = ", ".join(code.co_varnames[: code.co_argcount])
    return f"class Quiet({worker_class}): {keyword} {code.co_name}({parameters}): ..."
