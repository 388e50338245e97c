"""Finds the workers of the props and builtins folders and imports them; one that fails is an error, the others load."""

from halloween_host.loader._again import Again, Anew, Import
from halloween_host.loader._by_hand import spec_of
from halloween_host.loader._catalog import Catalog, Skipped, WorkerSpec
from halloween_host.loader._finder import Modules, unload_workers
from halloween_host.loader._isolating import isolate
from halloween_host.loader._load import load_workers
from halloween_host.loader._terms import class_terms, environment_terms

__all__ = [
    "Again",
    "Anew",
    "Catalog",
    "Import",
    "Modules",
    "Skipped",
    "WorkerSpec",
    "class_terms",
    "environment_terms",
    "isolate",
    "load_workers",
    "spec_of",
    "unload_workers",
]
