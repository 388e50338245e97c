"""The process of an isolated worker, from its brief to its exit status; the host starts it, never a person."""

from __future__ import annotations

import faulthandler
import os
import signal
from types import FrameType
from typing import Final

import structlog
import trio

from halloween_host.cell import run_isolated
from halloween_host.cli import _collector as collector
from halloween_host.cli._environment import read_environment
from halloween_host.cli._leaving import leave
from halloween_host.cli._open_files import raise_open_files
from halloween_host.isolation import Brief, Wire, read_brief
from halloween_host.logs import capture_prints, capture_strays, configure_logging

__all__ = ["isolated"]

#: The exit status when there is no host that says what to do.
FORSAKEN: Final = 1


def isolated() -> int:
    """Run the worker of the brief that stdin holds; orders follow it there, words go to stdout, the log to stderr."""
    orders, words = os.fdopen(os.dup(0), "rb"), os.dup(1)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what the worker's libraries print is no word of ours
    faulthandler.enable(all_threads=False)
    brief = read_brief(orders)
    if brief is None:
        return FORSAKEN
    wire = Wire(orders, words)
    wire.listen()
    _take_signals(wire)
    return trio.run(_run, brief, wire)


async def _run(brief: Brief, wire: Wire) -> int:
    structlog.contextvars.bind_contextvars(worker=brief.prop_id)
    configure_logging(brief.settings.log_level, "json")
    raise_open_files()
    with capture_prints(), capture_strays(), collector.paused_to_load():
        return await run_isolated(brief, wire, read_environment(), leave=leave, loaded=collector.resume)


def _take_signals(wire: Wire) -> None:
    """Who asks this process alone to end gets a worker that ends in good order, and is started again by the host.

    SIGHUP comes from the leash; systemd sends SIGUSR1, the host's panic, to us too.
    """

    def end(signum: int, _frame: FrameType | None) -> None:
        wire.end(signal.Signals(signum).name)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, end)
    signal.signal(signal.SIGHUP, lambda *_: wire.lose())
    signal.signal(signal.SIGUSR1, lambda *_: None)
