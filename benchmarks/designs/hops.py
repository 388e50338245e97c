"""Our host with a clock around each hop of a message; says at its end what each of them cost, in seconds of CPU.

`python -m benchmarks.designs.hops run …` is `halloween-host run …`. A hop is measured per batch, not per message, so that
the clock itself weighs little.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import trio

from halloween_host.bridge import Bridge
from halloween_host.cli import main
from halloween_host.mqtt._messages import Messages
from halloween_host.mqtt._splitter import Splitter
from halloween_host.mqtt._transport import Transport

_spent_s: Final[defaultdict[str, float]] = defaultdict(float)


def _clocked(hop: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*args: Any) -> Any:
        began = time.thread_time()
        try:
            return function(*args)
        finally:
            _spent_s[hop] += time.thread_time() - began

    return run


class _Handlers(trio.abc.Instrument):
    """The steps in which handlers run."""

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name.endswith(".handlers"):
            _spent_s["handler"] += time.thread_time() - self._began


def _run(*args: Any, **options: Any) -> Any:
    """`trio.run`, measured."""
    try:
        return _trio_run(*args, **options, instruments=[_Handlers()])
    finally:
        print(json.dumps({"hops": _spent_s}), flush=True)


if __name__ == "__main__":
    # None of them calls another one
    for hop, owner, name in (
        ("receive", Transport, "receive"),
        ("split", Splitter, "feed"),
        ("dispatch", Messages, "pour"),
        ("encode", Bridge, "_publish_all"),
        ("send", Transport, "flush"),
    ):
        setattr(owner, name, _clocked(hop, getattr(owner, name)))
    _trio_run = trio.run
    trio.run = _run  # type: ignore[assignment] # the same call, measured
    main()
