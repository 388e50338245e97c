"""`reload`: a worker's new code is loaded beside the old, then takes its place, and gives it back when it does not start."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.errors import LoadError, TopicError, did_you_mean
from halloween_host.hiring import Crew
from halloween_host.host_commands import Reloaded
from halloween_host.loader import Again, Anew, Import, WorkerSpec
from halloween_host.not_running import say_not_running
from halloween_host.outbox import Outbox
from halloween_host.reporter import Reporter
from halloween_host.store import Stores
from halloween_host.structuring import forget_classes
from halloween_host.supervisor import Supervisor
from halloween_host.worker import shown_path

if TYPE_CHECKING:
    from halloween_host.isolation import Isolated

__all__ = ["Reloading"]

#: Seconds beyond a worker's own time to stop and to start, until it is told that it takes long.
GRACE_S: Final = 3.0

_log: Final = structlog.stdlib.get_logger()


class Reloading:
    """Of one host, whose workers' files `again` finds (None: there are none). All calls come from Trio's thread.

    `no_room` is why no worker can join now, None when one can; `join` has one that was hired live with the others.
    """

    def __init__(
        self,
        crew: Crew,
        again: Again | None,
        stores: Stores,
        outbox: Outbox,
        reporter: Reporter,
        *,
        no_room: Callable[[], str | None],
        join: Callable[[str], None],
    ) -> None:
        self._crew = crew
        self._again = again
        self._stores = stores
        self._outbox = outbox
        self._reporter = reporter
        self._no_room = no_room
        self._join = join
        self._busy: set[str] = set()
        self._stuck: dict[str, Import] = {}
        #: What Python knows as a worker's modules is one thing for all of it.
        self._importing = trio.Lock()

    def refusal(self, name: str | None) -> str | None:
        """Why there is nothing of this name to be reloaded; None when there is."""
        if not name:
            return "say which: reload coffin"
        again, modules = self._again, self._crew.modules
        if again is not None and name in modules:
            return None
        if again is None and name in modules:
            return f"{name} is a class that the rehearsal was given: give it the props folder to reload from"
        if again is None or not _is_prop_id(name) or (found := again.find(name)) is None:
            known = (*modules, *(again.names() if again is not None else ()))
            return f"there is no worker {name!r:.80}{did_you_mean(name, known)}"
        for prop_id, module in modules.items():
            if module == found.module:
                return f"the worker of {shown_path(found.path)} is called {prop_id}: reload {prop_id}"
        if (skipped := again.refusal(found)) is not None:
            return f"{name} is not to be loaded: {skipped}"
        return self._no_room()

    def busy(self, name: str | None) -> str | None:
        """Why it cannot begin now, None when it can."""
        if name in self._busy:
            return f"{name} is being reloaded: wait for the answer, then send it again"
        self._stuck = {each: task for each, task in self._stuck.items() if not task.over}
        if (stuck := self._stuck.get(name or "")) is not None:
            return f"the import of the last reload of {name} still runs ({stuck.place()}): restart the host"
        return None

    async def reload(self, name: str) -> Reloaded:
        """Do it, after `refusal` and `busy` said nothing. A worker that does not run yet is hired."""
        assert self._again is not None
        self._busy.add(name)
        try:
            if name in self._crew.modules:
                return await self._change(self._again, name)
            return await self._hire(self._again, name)
        finally:
            self._busy.discard(name)
            _forget_old_code()

    # -- a worker that there is

    async def _change(self, again: Again, name: str) -> Reloaded:
        worker = self._crew.workers[name]
        anew, errors = await self._import(name, again.of(self._crew.modules[name], name), again)
        if anew is None or anew.spec is None:
            old = "the old code runs on" if worker.state.available else "the old code stays"
            for error in errors:
                self._reporter.error(name, f"not reloaded, {old}: {error}", error.__cause__)
            return Reloaded(error=f"{old}: {_in_one(errors)}")
        self._warn(anew)
        if isinstance(worker, Supervisor):
            limit_s = worker.stop_timeout_s + anew.spec.terms.start_timeout_s + GRACE_S
            return await self._try(again, worker, anew, limit_s)
        return await self._change_isolated(again, worker, anew.spec)

    async def _try(self, again: Again, worker: Supervisor, anew: Anew, limit_s: float) -> Reloaded:
        trial = self._crew.reload(anew, again.discard)
        with trio.move_on_after(limit_s):
            await worker.tried(trial)
        if not trial.over:  # it is not to start, or the old one's end takes long
            return Reloaded(error=_waits(worker)) if worker.wanted else Reloaded(result=_waits(worker))
        why = await worker.settle(online=True)
        if trial.failure is not None:
            old = f"does not start either: {why}" if why else "runs again"
            return Reloaded(error=f"{trial.failure}; the old code {old}")
        if why is not None:
            return Reloaded(error=f"the new code runs, and {worker.prop_id} is not online: {why}")
        _log.info("runs its new code", worker=worker.prop_id)
        return Reloaded()

    async def _change_isolated(self, again: Again, worker: Isolated, spec: WorkerSpec) -> Reloaded:
        """Each of its processes takes the files as they are: there is no old code to go back to."""
        again.discard(spec.cargo)
        if not worker.reload(spec):
            return Reloaded(result=_waits(worker))
        why = await worker.settle(online=True)
        return Reloaded(error=f"{why}; its process has the new code") if why else Reloaded()

    # -- one that there is not

    async def _hire(self, again: Again, name: str) -> Reloaded:
        found = again.find(name)
        if found is None:
            return Reloaded(error=f"the files of {name} are gone")
        anew, errors = await self._import(name, again.of_new(found, self._crew.modules), again)
        if anew is None or anew.spec is None:
            for error in errors:
                self._reporter.error(topics.HOST, f"{name} does not run: {error}", error.__cause__)
                say_not_running(error, self._reporter, self._outbox)
            return Reloaded(error=f"{name} does not run: {_in_one(errors)}")
        self._warn(anew)
        spec = anew.spec
        await trio.to_thread.run_sync(self._stores.load, {spec.prop_id}, abandon_on_cancel=True)
        why = f"there is a {spec.prop_id} now" if spec.prop_id in self._crew.modules else self._no_room()
        if why is not None:  # since it was imported
            again.discard(spec.cargo)
            return Reloaded(error=f"{name} is not started: {why}")
        anew.modules.put_back()
        worker = self._crew.hire_one(spec, presence_max=again.settings.presence_max)
        self._join(spec.prop_id)
        why = await worker.settle(online=True)
        return Reloaded(error=f"loaded, and not online: {why}") if why else Reloaded()

    # -- both

    async def _import(self, name: str, task: Import, again: Again) -> tuple[Anew | None, Sequence[LoadError]]:
        """In a thread, so that the others run on; one that does not return in time is left to itself."""
        limit_s = again.settings.start_timeout_s
        async with self._importing:
            try:
                with trio.move_on_after(limit_s):
                    anew = await trio.to_thread.run_sync(task.run, abandon_on_cancel=True)
                    return anew, anew.errors
            finally:
                if not task.over:
                    task.give_up()
                    self._stuck[name] = task
        return None, [task.found.error(f"its import has not returned in {limit_s:g} s: it stands at {task.place()}")]

    def _warn(self, anew: Anew) -> None:
        for warning in anew.warnings:
            self._reporter.warning(topics.HOST, warning)


def _is_prop_id(name: str) -> bool:
    try:
        topics.check_prop_id(name)
    except TopicError:
        return False
    return True


def _waits(worker: Supervisor | Isolated) -> str:
    return f"the new code of {worker.prop_id} is loaded and waits: {worker.health.reason or worker.state.value}"


def _in_one(errors: Sequence[LoadError]) -> str:
    return "; ".join(map(str, errors))


def _forget_old_code() -> None:
    """Nothing of ours or Python's shall remember classes of code that is gone; what still is there is learned again."""
    forget_classes()
    # The last 128 of each kind of `BaseWorker[FoggerConfig]`, and with them the modules: CPython's own suite calls these too.
    for forget in getattr(typing, "_cleanups", ()):
        forget()
