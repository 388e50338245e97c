"""A panic stops everything: the latch first, then every task of every worker, then each `safe()`, then the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import attrs
import structlog
import trio

from halloween_host import topics
from halloween_host.latch import Latch, PanicRecord
from halloween_host.outbox import Outbox, Post
from halloween_host.payloads import to_json
from halloween_host.supervisor import Reviews, Safety

__all__ = ["Panic", "Report", "Stoppable"]

#: Seconds between two words on how many commands were refused meanwhile.
COUNT_EVERY_S: Final = 1.0
#: Characters of a reason that are kept.
REASON_CHARS: Final = 200

_log: Final = structlog.stdlib.get_logger()


class Stoppable(Protocol):
    """A worker as a panic sees it."""

    @property
    def refused_count(self) -> int: ...

    def panic(self, reason: str) -> None: ...

    def tell_panic(self) -> None: ...

    async def make_safe(self) -> Safety: ...

    def rearm(self) -> list[str]: ...


@attrs.frozen
class Report:
    """What `status/panic` says: `since` in Unix seconds, `safe` as milliseconds by prop, `unsafe` as the reason by prop.

    `by` is mqtt, cli, signal or a prop. `durable` tells whether the latch stands on the disk; `took_ms` is None until all
    are through.
    """

    active: bool = False
    since: float | None = None
    reason: str | None = None
    by: str | None = None
    safe: Mapping[str, int] = attrs.Factory(dict)
    no_safe: tuple[str, ...] = ()
    unsafe: Mapping[str, str] = attrs.Factory(dict)
    refused: int = 0
    durable: bool = False
    took_ms: int | None = None

    def as_dict(self) -> dict[str, object]:
        """The JSON object of the topic."""
        since = None if self.since is None else round(self.since, 3)
        return {**attrs.asdict(self), "since": since, "no_safe": list(self.no_safe)}


class Panic:
    """Engaged, it stays so over restarts of the host, until it is rearmed. All calls come from Trio's thread.

    `keep` has what workers stored written at once, and waits for no disk.
    """

    def __init__(
        self,
        workers: Mapping[str, Stoppable],
        latch: Latch,
        outbox: Outbox,
        reviews: Reviews,
        *,
        wall: Callable[[], float],
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        self.report = Report()
        #: How often it was engaged; why the disk did not do what it was to, "" when it did.
        self.engaged = 0
        self.trouble = ""
        self._workers = workers
        self._latch = latch
        self._outbox = outbox
        self._reviews = reviews
        self._wall = wall
        self._keep = keep
        self._through: trio.Event | None = None
        self._refused_before = 0
        self._published_refused = 0
        if (record := latch.read()) is not None:
            self.report = Report(True, record.since, record.reason, record.by, durable=not latch.trouble)

    @property
    def latched(self) -> str | None:
        """The reason of the panic that stands, None without one."""
        return (self.report.reason or "no reason given") if self.report.active else None

    @property
    def refused(self) -> int:
        """Commands refused since it began, incoming and outgoing."""
        return self._count() - self._refused_before

    async def engage(self, reason: str, by: str) -> Report:
        """Stop everything and return the report once every `safe()` is through; one that runs is waited for."""
        if self._through is not None and not self._through.is_set():
            await self._through.wait()
            return self.report
        self.engaged += 1
        record = self._latch.read() or PanicRecord(self._wall(), reason[:REASON_CHARS], by)
        durable = self._latch.engage(record)
        return await self._stop_all(Report(True, record.since, record.reason, record.by, durable=durable))

    async def resume(self) -> Report:
        """The host starts latched: nothing runs, and every `safe()` does."""
        return await self._stop_all(self.report)

    async def rearm(self) -> dict[str, list[str]]:
        """Start the workers anew, once every `safe()` is through; what hangs, which is named, when its old tasks have ended."""
        while self._through is not None and not self._through.is_set():
            await self._through.wait()
        self.trouble = "" if self._latch.release() else str(self._latch.trouble)
        if self.trouble:
            _log.error(f"after a restart the host would be latched again: {self.trouble}")
        self._outbox.unlatch()
        self.report = Report()
        _log.info("rearmed: the workers start anew")
        self.publish()
        hung: dict[str, list[str]] = {}
        for prop_id, worker in list(self._workers.items()):  # one more may be hired meanwhile
            if names := worker.rearm():
                hung[prop_id] = names
            await (
                trio.lowlevel.checkpoint()
            )  # a thousand starts in one step would block the loop, and the guard end the host
            if self.report.active:  # the next panic, which is no rearm's to undo
                break
        return hung

    def publish(self) -> None:
        """Say what stands, retained: at every connect, and when it changes."""
        report = self.report
        if report.active:
            self._published_refused = self.refused
            report = attrs.evolve(report, refused=self._published_refused)
        payload = to_json(report.as_dict()).encode()
        self._outbox.post(Post(topics.HOST, topics.HOST_PANIC, payload, "status", 1, True, self._outbox.now()))

    async def _stop_all(self, report: Report) -> Report:
        began = trio.current_time()
        through = self._through = trio.Event()
        self.report = report
        self._refused_before = self._count()
        self._outbox.latch()
        reason = report.reason or ""
        for worker in self._workers.values():
            worker.panic(reason)
        self._keep()
        _log.error(f"PANIC ({report.by}): {reason or 'no reason given'}; every task is cancelled, every safe() runs")
        if not report.durable:
            _log.error(f"the panic would not survive a restart of the host: {self._latch.trouble}")
        self.publish()
        safeties: dict[str, Safety] = {}
        try:
            async with trio.open_nursery() as nursery:
                for prop_id, worker in self._workers.items():
                    nursery.start_soon(_make_safe, prop_id, worker, safeties)
                nursery.start_soon(self._tell_all)
            self._keep()
            self.report = self._reported(safeties, round((trio.current_time() - began) * 1000))
            self.publish()
            self._say_report()
            self._reviews.ask(trio.current_time() + COUNT_EVERY_S, self._count_again)
        finally:
            through.set()
        return self.report

    async def _tell_all(self) -> None:
        """Every prop is offline. One after another, so that no log line or payload of all of them stands before a `safe()`."""
        with trio.CancelScope(shield=True):  # a host that ends in this very moment must not leave `online` behind
            for worker in self._workers.values():
                await trio.lowlevel.checkpoint()
                worker.tell_panic()

    def _reported(self, safeties: Mapping[str, Safety], took_ms: int) -> Report:
        ordered = [(prop_id, safeties[prop_id]) for prop_id in self._workers]
        return attrs.evolve(
            self.report,
            safe={each: safety.took_ms for each, safety in ordered if not safety.unsafe and safety.took_ms is not None},
            no_safe=tuple(each for each, safety in ordered if not safety.unsafe and safety.took_ms is None),
            unsafe={each: safety.unsafe for each, safety in ordered if safety.unsafe},
            took_ms=took_ms,
        )

    def _say_report(self) -> None:
        report = self.report
        unsafe = f"; NOT SAFE: {', '.join(report.unsafe)}" if report.unsafe else ""
        without = f"; without safe(): {', '.join(report.no_safe)}" if report.no_safe else ""
        _log.error(f"panic: {len(report.safe)} safe in {report.took_ms} ms{unsafe}{without}; rearm starts them again")

    def _count(self) -> int:
        return self._outbox.refused + sum(worker.refused_count for worker in self._workers.values())

    def _count_again(self) -> None:
        if not self.report.active:
            return
        if self.refused != self._published_refused:
            self.publish()
        self._reviews.ask(trio.current_time() + COUNT_EVERY_S, self._count_again)


async def _make_safe(prop_id: str, worker: Stoppable, safeties: dict[str, Safety]) -> None:
    safeties[prop_id] = await worker.make_safe()
