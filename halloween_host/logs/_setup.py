"""Our loggers hang on a tree of their own: no worker's `logging.config` or `basicConfig(force=True)` can mute the host.

The stdlib's root logger gets the same handler, so that workers, paho and all others write the same lines. Rendering
happens in the handler, where the stdlib catches what goes wrong: a log call never raises into its caller.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from halloween_host.logs._lines import console_line, journal_line, json_line
from halloween_host.logs._workers import calling_worker, module_worker

__all__ = ["configure_logging"]

_Renderer = Callable[[WrappedLogger, str, EventDict], str]


class _Logger(logging.Logger):
    """One of our own tree: its name is its caller's module, so that no frames are searched for who called."""

    def findCaller(self, stack_info: bool = False, stacklevel: int = 1) -> tuple[str, int, str, str | None]:  # noqa: N802
        return self.name, 0, "", None


_tree = logging.Manager(logging.RootLogger(logging.WARNING))
_tree.root.manager = _tree
_tree.setLoggerClass(_Logger)
_fill_in = structlog.stdlib.PositionalArgumentsFormatter()


def configure_logging(level: str, format: Literal["console", "json"], stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (default: ``sys.stderr`` as it is now), from `level` upwards.

    `level` is ``DEBUG``, ``INFO``, ``WARNING``, ``ERROR`` or ``CRITICAL``; ValueError for another. Console lines are coloured
    on a terminal; systemd's journal gets them with their priority and without the time. Call it before `capture_prints`
    opens, and again to change any of it.
    """
    target = sys.stderr if stream is None else stream
    handler = _LineHandler(target, _renderer(format, target))
    for root in (logging.getLogger(), _tree.root):
        for old in [one for one in root.handlers if isinstance(one, _LineHandler)]:
            root.removeHandler(old)
            old.close()
        root.addHandler(handler)
        root.setLevel(level)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=_logger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # it saves 2 of 9 µs, and would tie a module's logger to this configuration
    )


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes and flushes one record at a time under the handler's lock; a stream that went away is no error."""

    def __init__(self, stream: TextIO, renderer: _Renderer) -> None:
        super().__init__(stream)
        self._renderer = renderer
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[structlog.contextvars.merge_contextvars, _name_foreign_logger],
                processors=[
                    structlog.processors.format_exc_info,
                    _add_facts,
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    renderer,
                ],
            )
        )

    def format(self, record: logging.LogRecord) -> str:
        """Our own records, which are most, take no detour: the formatter would make a second one of each."""
        if not isinstance(record.msg, dict) or not hasattr(record, "_logger"):
            return super().format(record)
        fields = _fill_in(None, "", {**record.msg, "_record": record})
        fields = _add_facts(None, "", structlog.processors.format_exc_info(None, "", fields))
        del fields["_record"]
        return self._renderer(None, "", fields)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """A record that cannot be shown becomes one line that says so; a stream that cannot be written is let be."""
        fields: EventDict = {
            "timestamp": record.created,
            "level": record.levelname.lower(),
            "event": "a log call that cannot be shown",
            "template": record.msg if isinstance(record.msg, str) else type(record.msg).__name__,
            "logger": record.name,
            "error": type(sys.exception()).__name__,
        }
        if (worker := module_worker(record.name) or calling_worker()) is not None:
            fields["worker"] = worker
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"{self._renderer(None, '', fields)}{self.terminator}")
            self.flush()


def _renderer(format: Literal["console", "json"], stream: TextIO) -> _Renderer:
    if format == "json":
        line = json_line
    elif _is_journal(stream):
        line = journal_line
    else:
        line = partial(console_line, colours=stream.isatty())
    return lambda _logger, _name, event_dict: line(event_dict)


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd reads it: $JOURNAL_STREAM has its device and inode (systemd.exec(5))."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or none of the system's
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _logger(*args: Any) -> logging.Logger:
    """A logger of our own tree, called by the argument or else by the module that logs."""
    if args:
        return _tree.getLogger(str(args[0]))
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "structlog":
        frame = frame.f_back
    return _tree.getLogger(str(frame.f_globals.get("__name__", "?")))


def _name_foreign_logger(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Give a stdlib record its worker where no context did, else the name of its logger (``paho``, ``asyncio``)."""
    record: logging.LogRecord = event_dict["_record"]
    if "worker" not in event_dict:
        worker = getattr(record, "worker", None) or module_worker(record.name) or calling_worker()
        event_dict.update({"logger": record.name} if worker is None else {"worker": worker})
    return event_dict


def _add_facts(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    record: logging.LogRecord = event_dict["_record"]
    event_dict["timestamp"] = record.created
    event_dict["level"] = record.levelname.lower()
    return event_dict
