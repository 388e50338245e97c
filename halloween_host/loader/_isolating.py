"""WORKER_ISOLATE names workers, by their folder's or file's name, that run in processes of their own whatever they say."""

from __future__ import annotations

import attrs

from halloween_host.errors import did_you_mean
from halloween_host.loader._catalog import Catalog, WorkerSpec

__all__ = ["isolate", "isolated_if_named"]


def isolate(catalog: Catalog, names: tuple[str, ...]) -> Catalog:
    """The catalog with these isolated, and a warning for each that nobody has."""
    known = {spec.name for spec in catalog.workers} | {skipped.name for skipped in catalog.skipped}
    known |= {error.prop_id for error in catalog.errors}
    warnings = [
        f"WORKER_ISOLATE names {name!r}: there is no such worker{did_you_mean(name, sorted(known))}"
        for name in names
        if name not in known
    ]
    workers = tuple(isolated_if_named(spec, names) for spec in catalog.workers)
    return attrs.evolve(catalog, workers=workers, warnings=(*catalog.warnings, *warnings))


def isolated_if_named(spec: WorkerSpec, names: tuple[str, ...]) -> WorkerSpec:
    """The worker, isolated if its name is one of these."""
    if spec.name not in names:
        return spec
    return attrs.evolve(spec, terms=attrs.evolve(spec.terms, isolate=True))
