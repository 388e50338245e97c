"""Workers are loaded one after the other in the caller's thread; whatever one of them does, the others load too."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

import attrs
from structlog.contextvars import bound_contextvars

from halloween_host import topics
from halloween_host.errors import LoadError
from halloween_host.loader._blame import blame, bound_at
from halloween_host.loader._catalog import Catalog, Skipped, WorkerSpec
from halloween_host.loader._checks import read_prop_id, read_worker_class
from halloween_host.loader._configs import read_config
from halloween_host.loader._discovery import Finds, Found, discover, python_files
from halloween_host.loader._finder import drop, foreign, install
from halloween_host.loader._requirements import check_requirements
from halloween_host.loader._terms import class_terms, environment_terms
from halloween_host.loader._watch import Watch, interrupts
from halloween_host.settings import Settings
from halloween_host.terms import Terms
from halloween_host.worker import read_actions

__all__ = ["discard_nothing", "load_again", "load_workers"]


def discard_nothing(cargo: object) -> None:
    pass


@attrs.frozen
class _Given:
    """What the caller of a load gave for every worker, and what a load must know of those before it."""

    terms: Terms
    environ: Mapping[str, str]
    loading: Callable[[], AbstractContextManager[object]]
    discard: Callable[[object], None]
    watch: Watch
    interrupted: Callable[[], bool]
    prop_id: str | None = None
    taken: dict[str, Path] = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)


def load_workers(
    *,
    props: Path,
    builtins: Sequence[Path],
    settings: Settings,
    environ: Mapping[str, str],
    progress: Callable[[str], None],
    loading: Callable[[], AbstractContextManager[object]] = nullcontext,
    discard: Callable[[object], None] = discard_nothing,
) -> Catalog:
    """Load all that `settings` permit: props by name, then built-ins; what does not load is an error of the catalog.

    A worker is toggled by its folder's (a built-in's file's) name, since its `PROP_ID` is known only after its import.
    Of two with one prop id the first keeps it. `loading` is entered around the import of a worker whose sources mention
    `worker_host`; what it yields is that worker's cargo, and goes to `discard` when no legacy worker comes of it (when
    the import itself raises, `loading`'s exit sees the exception and disposes of its cargo). `progress` is told about
    imports of over two seconds, from a thread of ours while one still runs, and every two seconds how far the load is.
    Modules of an earlier call are forgotten: one call serves one host.

    Raises:
        KeyboardInterrupt: when SIGINT came meanwhile; one that a worker's file raises is that worker's error.
    """
    props = props.absolute()
    builtins = [folder.absolute() for folder in builtins]
    if strangers := list(foreign()):
        return Catalog(errors=tuple(_stranger(name, place, props) for name, place in strangers))
    finds = discover(props, builtins)
    _permit(finds, settings)
    install(props, builtins[::-1])
    with interrupts() as interrupted, Watch(progress) as watch:
        return _load_all(finds, _Given(environment_terms(settings), environ, loading, discard, watch, interrupted))


def load_again(
    found: Found,
    *,
    prop_id: str | None,
    taken: Mapping[str, Path],
    settings: Settings,
    environ: Mapping[str, str],
    watch: Watch,
    loading: Callable[[], AbstractContextManager[object]],
    discard: Callable[[object], None],
) -> Catalog:
    """Import one worker and read its config; it finds its modules in Python, or its files as they are now.

    `prop_id` is the one that it must have, None for whichever is not `taken`. The rest is as for `load_workers`; never
    KeyboardInterrupt.
    """
    given = _Given(
        environment_terms(settings), environ, loading, discard, watch, lambda: False, prop_id=prop_id, taken=dict(taken)
    )
    return _load_all(Finds([found]), given)


def _load_all(finds: Finds, given: _Given) -> Catalog:
    workers: list[WorkerSpec] = []
    errors = list(finds.errors)
    for count, found in enumerate(finds.workers, 1):
        try:
            with bound_contextvars(worker=found.name):
                workers.append(_load(found, given))
        except* LoadError as refused:
            errors += _leaves(refused)
        given.watch.loaded(count, len(finds.workers))
    workers.sort(key=lambda spec: spec.prop_id)
    return Catalog(tuple(workers), tuple(errors), (*finds.warnings, *given.warnings), tuple(finds.skipped))


def _load(found: Found, given: _Given) -> WorkerSpec:
    if found.problem is not None:
        raise found.error(found.problem)
    check_requirements(found)
    with _forgotten_if_raises(found.package):
        module, cargo = _import(found, given)
        try:
            with _blamed(found, given, "loading"):
                return _spec(found, module, cargo, given)
        except BaseException:
            if cargo is not None:
                given.discard(cargo)
            raise


def _import(found: Found, given: _Given) -> tuple[ModuleType, object]:
    loading = given.loading if _mentions_legacy(found) else nullcontext
    with _blamed(found, given, "import"), given.watch.over(found), loading() as cargo:
        return importlib.import_module(found.module), cargo
    raise found.error("was not imported: `loading` swallowed what its import raised")


def _spec(found: Found, module: ModuleType, cargo: object, given: _Given) -> WorkerSpec:
    worker_class = read_worker_class(module, found)
    prop_id = read_prop_id(module, found)
    _claim(prop_id, found, given)
    actions = read_actions(worker_class, prop_id, found.path)
    terms, ignored = class_terms(worker_class, given.terms)
    given.warnings.extend(ignored)
    config, terms = read_config(prop_id, worker_class, found, given.environ, terms=terms, warnings=given.warnings)
    if cargo is not None and worker_class.dialect != "legacy":
        given.discard(cargo)
        cargo = None
    return WorkerSpec(
        prop_id=prop_id,
        path=found.path,
        module=module.__name__,
        worker_class=worker_class,
        dialect=worker_class.dialect,
        config=config,
        builtin=found.builtin,
        warnings=(*ignored, *config.warnings),
        terms=terms,
        actions=actions,
        cargo=cargo,
    )


def _claim(prop_id: str, found: Found, given: _Given) -> None:
    if given.prop_id is not None and prop_id != given.prop_id:
        reason = f"its prop id was {given.prop_id!r} and now is {prop_id!r}: restart the host for that"
        raise found.error(reason, line=bound_at(found.path, "PROP_ID"))
    first = given.taken.setdefault(prop_id, found.path)
    if first != found.path:
        toggle = f", or WORKER_BUILTINS_DISABLE={found.name}" if found.builtin else ""
        line = bound_at(found.path, "PROP_ID") or bound_at(found.path, "Worker")
        reason = f"the prop id {prop_id!r} is taken by {first}: give one of them another PROP_ID{toggle}"
        raise found.error(reason, line=line)


def _permit(finds: Finds, settings: Settings) -> None:
    """Leave only what the toggles permit."""
    for toggles, builtin in ((settings.builtins, True), (settings.props, False)):
        finds.warnings += toggles.unmatched(finds.names(builtin=builtin))
    permitted = []
    for found in finds.workers:
        reason = (settings.builtins if found.builtin else settings.props).permits(found.name)
        if reason is None:
            permitted.append(found)
        else:
            finds.skipped.append(Skipped(found.name, found.path, reason))
    finds.workers = permitted


def _mentions_legacy(found: Found) -> bool:
    """Whether any of the worker's sources speaks of `worker_host`; a file that cannot be read does not."""
    for path in python_files(found):
        try:
            with path.open("rb", buffering=0) as file:
                if b"worker_host" in file.read():
                    return True
        except OSError:
            continue
    return False


@contextmanager
def _blamed(found: Found, given: _Given, doing: str) -> Iterator[None]:
    """Whatever the author's code raises is a LoadError; an interrupt of the operator's passes."""
    try:
        yield
    except LoadError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and given.interrupted():
            raise
        if isinstance(error, ExceptionGroup) and error.split(LoadError)[1] is None:
            raise
        raise blame(found, error, doing=doing) from error


@contextmanager
def _forgotten_if_raises(package: str) -> Iterator[None]:
    """A half-imported package does not stay: whoever imports it next gets it whole or an error of its own."""
    try:
        yield
    except BaseException:
        drop(package)
        raise


def _leaves(group: ExceptionGroup[LoadError]) -> Iterator[LoadError]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _stranger(name: str, place: str, props: Path) -> LoadError:
    reason = f"another package called {name!r} is imported already ({place}): it would take the place of the host's own"
    return LoadError(topics.HOST, props, reason)
