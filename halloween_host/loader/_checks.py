"""A module is a worker when it has a class named `Worker` that inherits from one of the two BaseWorkers."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from halloween_host import topics
from halloween_host.errors import LoadError, TopicError
from halloween_host.loader._blame import bound_at
from halloween_host.loader._discovery import Found
from halloween_host.worker import CommonWorker

__all__ = ["read_prop_id", "read_worker_class"]

#: The import line chooses the dialect.
_IMPORTS: Final = (
    "`from halloween_host import BaseWorker` (Trio, anyio) or `from worker_host.base import BaseWorker` (asyncio)"
)


def read_worker_class(module: ModuleType, found: Found) -> type[CommonWorker]:
    """The module's worker class.

    Raises:
        LoadError: when there is none, naming the line of what stands in its place.
    """
    worker = vars(module).get("Worker")
    if worker is None:
        raise _no_worker(module, found)
    if not isinstance(worker, type):
        line = bound_at(found.path, "Worker")
        raise found.error(f"Worker is no class but {_kind(worker)}: write `class Worker(BaseWorker):`", line=line)
    if not issubclass(worker, CommonWorker) or not hasattr(worker, "dialect"):
        raise _in_class(worker, found, f"Worker must inherit from BaseWorker: {_IMPORTS}")
    if _is_ours(worker):
        line = bound_at(found.path, "Worker")
        raise found.error("Worker is BaseWorker itself: write `class Worker(BaseWorker):`", line=line)
    if len({vars(parent)["dialect"] for parent in worker.__mro__ if "dialect" in vars(parent)}) > 1:
        raise _in_class(worker, found, f"Worker inherits from both BaseWorkers, choose one: {_IMPORTS}")
    if inspect.isabstract(worker):
        missing = ", ".join(sorted(getattr(worker, "__abstractmethods__", ())))
        raise _in_class(worker, found, f"Worker is abstract: it does not define {missing}")
    return worker


def read_prop_id(module: ModuleType, found: Found) -> str:
    """The module's `PROP_ID`, else the folder's (a built-in's file's) name.

    Raises:
        LoadError: when `PROP_ID` is no text or cannot be one level of a topic.
    """
    prop_id = vars(module).get("PROP_ID", found.name)
    try:
        if not isinstance(prop_id, str):
            raise found.error(f"PROP_ID must be text, not {_kind(prop_id)}", line=bound_at(found.path, "PROP_ID"))
        return topics.check_prop_id(prop_id)
    except TopicError as error:
        raise found.error(f"PROP_ID {error}", line=bound_at(found.path, "PROP_ID")) from None


def _no_worker(module: ModuleType, found: Found) -> LoadError:
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, CommonWorker) and not _is_ours(value):
            return found.error(f"has no class named Worker: rename {name}", line=bound_at(found.path, name))
    for name in vars(module):
        if name.lower() == "worker":
            return found.error(f"has no class named Worker: rename {name}", line=bound_at(found.path, name))
    return found.error("has no class named Worker: write `class Worker(BaseWorker):`", line=1)


def _in_class(worker: type, found: Found, reason: str) -> LoadError:
    """An error at the class statement, in whichever of the author's files it stands."""
    file = getattr(sys.modules.get(worker.__module__), "__file__", None)
    if file is not None and Path(file).is_relative_to(found.root):
        line = bound_at(Path(file), worker.__name__)
        if line is not None:
            return LoadError(found.name, Path(file), reason, line=line)
    return found.error(reason, line=bound_at(found.path, "Worker"))


def _is_ours(worker: type) -> bool:
    return worker.__module__.partition(".")[0] in ("halloween_host", "worker_host")


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{name} {value!r:.60}" if isinstance(value, int | float | str) else f"a {name}"
