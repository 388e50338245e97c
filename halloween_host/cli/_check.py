"""`check`: would all workers load, and does every config fit?"""

from __future__ import annotations

from halloween_host.cli._catalog import load_catalog, place_and_reason
from halloween_host.cli._options import BuiltinsOption, PropsOption
from halloween_host.cli._printing import put
from halloween_host.worker import shown_path

__all__ = ["check_"]


async def check_(*, props: PropsOption = None, builtins: BuiltinsOption = None) -> int:
    """Load every worker and validate every config, without a broker.

    Every worker that loads gets a line with OK, every problem one with file,
    line and what is wrong. Warnings are no problems.

    Exit status: 0 without problems; 1 with some; 2 for wrong variables or
    options.
    """
    catalog = load_catalog(props, builtins)
    for spec in catalog.workers:
        config = f", {shown_path(spec.config.path)}" if spec.config.path else ""
        put(f"OK {spec.prop_id}: {spec.kind}, {shown_path(spec.path)}{config}")
    for skipped in catalog.skipped:
        put(f"skipped {skipped.name}: {skipped.reason}")
    for warning in catalog.warnings:
        put(f"warning: {warning}")
    for error in catalog.errors:
        put(place_and_reason(error))
    counts = ((catalog.workers, "worker", "OK"), (catalog.errors, "problem", ""), (catalog.warnings, "warning", ""))
    put(", ".join(f"{len(found)} {noun}{'' if len(found) == 1 else 's'} {end}".strip() for found, noun, end in counts))
    return 1 if catalog.errors else 0
