"""An isolated worker's process, once it knows what to do: load the worker, watch its loop, run it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import structlog
import trio

from halloween_host.cell._cell import Cell
from halloween_host.cell._speaking import OwnOutbox
from halloween_host.doorbell import Doorbell
from halloween_host.host import Places, load, load_stores
from halloween_host.isolation import Brief, Wire
from halloween_host.loader import Catalog
from halloween_host.reporter import Reporter

__all__ = ["run_isolated"]

#: The exit status of a process whose worker does not load.
FAILED: Final = 1

_log: Final = structlog.stdlib.get_logger()


async def run_isolated(
    brief: Brief,
    wire: Wire,
    environ: Mapping[str, str],
    *,
    leave: Callable[[int], None],
    loaded: Callable[[], None],
) -> int:
    """Load the worker and run it until the host says so, or is gone; the exit status.

    `leave` and `loaded` as for a `Host`.
    """
    trio.to_thread.current_default_thread_limiter().total_tokens = math.inf
    settings = brief.settings.alone(brief.name, builtin=brief.builtin)
    catalog = load(Places(brief.props, brief.builtins), settings, environ)
    spec = next((each for each in catalog.workers if each.prop_id == brief.prop_id), None)
    if spec is None:
        wire.tell("failed", text=f"its process does not load it: {_why(catalog)}")
        return FAILED
    loaded()
    doorbell = Doorbell()
    outbox = OwnOutbox(
        spec.prop_id,
        wire,
        wake=doorbell.ring,
        clock=trio.lowlevel.current_clock().current_time,
        dropped=lambda prop_id, text: _log.warning(text, worker=prop_id),
    )
    reporter = Reporter(outbox)
    cell: Cell | None = None

    def degrade(_prop_id: str, reason: str | None) -> None:
        if cell is not None:
            cell.degrade(reason)

    stores = await load_stores(brief.settings, [spec.prop_id], reporter, degrade)
    cell = Cell(brief, spec, wire, stores, outbox, reporter, doorbell, leave)
    return await cell.run_watched()


def _why(catalog: Catalog) -> str:
    return "; ".join(map(str, catalog.errors)) or "its prop id is another one now"
