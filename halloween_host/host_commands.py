"""Commands to the host itself: panic, rearm, restart, reload, stop, start, ping, status; each is answered on `worker_host/ack`."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import attrs
import structlog
import trio

from halloween_host import topics
from halloween_host.acks import Ack, Outcome, encode_ack
from halloween_host.commands import Command, parse_command, remaining_s
from halloween_host.errors import CommandError, did_you_mean
from halloween_host.guard import panic_arguments, read_panic
from halloween_host.outbox import Outbox, Post
from halloween_host.panic import Panic
from halloween_host.reporter import Reporter
from halloween_host.states import Health, as_dict

__all__ = ["HostCommands", "Reloaded", "Reloads", "Steerable"]

#: What a latched host still does.
WHILE_LATCHED: Final = ("panic", "rearm", "reload", "status", "ping", "stop")
#: Commands that a phone with a wrong clock must be able to give: neither their age nor their id is looked at.
AT_ANY_AGE: Final = ("panic", "rearm", "stop")
#: Seconds that a worker gets to be what it was asked to be, beyond its own time to start or stop.
GRACE_S: Final = 2.0
#: Seconds in which the guard hands over a panic that the host's own connection heard too.
OVERHEARD_S: Final = 0.5
#: Ids remembered, so that a command that arrives twice runs once.
IDS_KEPT: Final = 1_000

_log: Final = structlog.stdlib.get_logger()


class Steerable(Protocol):
    """A worker as the operator steers it."""

    @property
    def health(self) -> Health: ...

    @property
    def said(self) -> str | None: ...

    async def settle(self, online: bool) -> str | None:
        """Wait until it is online (or offline), its own time at most; None, or why it is not."""

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def restart(self) -> None: ...


@attrs.frozen
class Reloaded:
    """How a reload ended: `error` says why it failed and what runs now; `result` what else there is to say when it is done."""

    error: str | None = None
    result: str | None = None


class Reloads(Protocol):
    """Loads workers again while the host runs."""

    def refusal(self, name: str | None) -> str | None:
        """Why there is nothing of this name to be reloaded; None when there is."""

    def busy(self, name: str | None) -> str | None:
        """Why it cannot begin now, None when it can."""

    async def reload(self, name: str) -> Reloaded:
        """Do it, after `refusal` and `busy` said nothing."""


class HostCommands:
    """`begin` takes a message in Trio's thread; each runs in a task of `nursery`. `wall` returns Unix seconds."""

    def __init__(
        self,
        workers: Mapping[str, Steerable],
        panic: Panic,
        outbox: Outbox,
        reporter: Reporter,
        nursery: trio.Nursery,
        reloading: Reloads,
        *,
        wall: Callable[[], float],
    ) -> None:
        self._workers = workers
        self._panic = panic
        self._outbox = outbox
        self._reporter = reporter
        self._nursery = nursery
        self._reloading = reloading
        self._wall = wall
        self._started_at = trio.current_time()
        self._seen: dict[object, Ack | None] = {}
        self._begun: deque[tuple[Command, str]] = deque()
        self._verbs: Mapping[str, Callable[[Command], Awaitable[Ack]]] = {
            "panic": self._do_panic,
            "rearm": self._do_rearm,
            "restart": self._do_worker,
            "reload": self._do_reload,
            "stop": self._do_worker,
            "start": self._do_worker,
            "ping": self._do_ping,
            "status": self._do_status,
        }

    def begin(self, payload: bytes, *, retained: bool = False, by: str = "mqtt") -> None:
        """Do what `payload` says, and answer; nothing happens once the host is over."""
        if self._nursery.cancel_scope.cancel_called:
            return
        if retained:
            fix = f"delete it: mosquitto_pub -t {topics.HOST_COMMAND} -r -n"
            self._reporter.error(topics.HOST, f"a retained command was refused; {fix}")
            return
        command: Command | None = None
        try:
            command = read_panic(payload) or parse_command(payload)
            if (refusal := self._refusal(command)) is not None:
                raise CommandError(refusal, action=command.action)
        except CommandError as error:
            self._refuse(error.action, error.reason, error.id if command is None else command.id)
            return
        # Trio starts the tasks of one batch in random order: each takes the oldest, so that no rearm overtakes a panic.
        self._begun.append((command, by))
        self._nursery.start_soon(self._run_oldest)

    def make_sure(self, payload: bytes) -> None:
        """A panic that somebody else is to begin: begin it here, if nobody has in a moment."""
        if self._nursery.cancel_scope.cancel_called:
            return
        self._nursery.start_soon(self._make_sure, payload)

    async def _make_sure(self, payload: bytes) -> None:
        before = self._panic.engaged
        await trio.sleep(OVERHEARD_S)
        if self._panic.engaged == before and self._panic.latched is None:
            self.begin(payload)

    async def _run_oldest(self) -> None:
        await self._run(*self._begun.popleft())

    def _refusal(self, command: Command) -> str | None:
        """Why it is not done, None when it is."""
        if command.action not in self._verbs:
            return f"no such host command{did_you_mean(command.action, self._verbs) or ';'} there are: {', '.join(self._verbs)}"
        if self._panic.latched is not None and command.action not in WHILE_LATCHED:
            return f"the host is latched by a panic: {self._panic.latched}; send rearm"
        if command.action in ("restart", "stop", "start") and command.text not in self._workers:
            hint = did_you_mean(command.text or "", self._workers)
            return (
                f"there is no worker {command.text!r:.80}{hint}"
                if command.text
                else f"say which: {command.action} coffin"
            )
        if command.action == "reload" and (refusal := self._reloading.refusal(command.text)) is not None:
            return refusal
        if command.action not in AT_ANY_AGE:
            remaining_s(command, self._wall())
        return None

    def _refuse(self, action: str | None, reason: str, id_: str | float | None) -> Ack:
        self._reporter.error(topics.HOST, f"{action}: {reason}" if action else reason)
        self._answer(ack := Ack(id_, action, "refused", error=reason))
        return ack

    async def _run(self, command: Command, by: str) -> None:
        key = None if command.action in AT_ANY_AGE else command.id
        if key is not None and key in self._seen:
            if (first := self._seen[key]) is not None:
                self._answer(first)
            return
        if key is not None:
            self._seen[key] = None
            if len(self._seen) > IDS_KEPT:
                del self._seen[next(iter(self._seen))]
        if command.action == "reload" and (busy := self._reloading.busy(command.text)) is not None:
            refused = self._refuse(command.action, busy, command.id)
            if key is not None:
                self._seen[key] = refused
            return
        if command.action not in ("ping", "status"):
            about, by = panic_arguments(command.args) if command.action == "panic" else (command.text or "", by)
            _log.info(f"{command.action} {about}".rstrip() + f", asked by {by}")
            self._answer(Ack(command.id, command.action, "accepted"))
        ack = await self._verbs[command.action](command)
        if key is not None:
            self._seen[key] = ack
        self._answer(ack)

    async def _do_panic(self, command: Command) -> Ack:
        reason, by = panic_arguments(command.args)
        began = trio.current_time()
        report = await self._panic.engage(reason, by)
        unsafe = "; ".join(f"{prop_id}: {why}" for prop_id, why in report.unsafe.items())
        outcome: Outcome = "failed" if unsafe else "done"
        error = f"not safe: {unsafe}" if unsafe else None
        return self._ended(command, outcome, began, error=error, result=report.as_dict())

    async def _do_rearm(self, command: Command) -> Ack:
        began = trio.current_time()
        if self._panic.latched is None:
            return self._ended(command, "done", began, result="there was no panic")
        hung = await self._panic.rearm()
        if hung or self._panic.trouble:
            problems = [f"{prop_id} waits for the end of {'; '.join(names)}" for prop_id, names in hung.items()]
            if self._panic.trouble:
                problems.append(f"after a restart the host would be latched again: {self._panic.trouble}")
            return self._ended(command, "failed", began, error="; ".join(problems))
        return self._ended(command, "done", began)

    async def _do_worker(self, command: Command) -> Ack:
        worker = self._workers[str(command.text)]
        began = trio.current_time()
        if command.action == "stop":
            worker.stop()
            why = await worker.settle(online=False)
        else:
            (worker.start if command.action == "start" else worker.restart)()
            why = await worker.settle(online=True)
        return self._ended(command, "failed" if why else "done", began, error=why)

    async def _do_reload(self, command: Command) -> Ack:
        began = trio.current_time()
        ended = await self._reloading.reload(str(command.text))
        outcome: Outcome = "failed" if ended.error else "done"
        return self._ended(command, outcome, began, error=ended.error, result=ended.result)

    async def _do_ping(self, command: Command) -> Ack:
        return self._ended(command, "done", trio.current_time(), result="pong")

    async def _do_status(self, command: Command) -> Ack:
        now = trio.current_time()
        workers = {
            prop_id: {**as_dict(worker.health), "availability": worker.said}
            for prop_id, worker in self._workers.items()
        }
        panic = self._panic.report.as_dict() if self._panic.latched is not None else None
        uptime_s = int(now - self._started_at)
        result = {"now": round(self._wall(), 3), "uptime_s": uptime_s, "panic": panic, "workers": workers}
        return self._ended(command, "done", now, result=result)

    def _ended(self, command: Command, outcome: Outcome, began: float, **facts: Any) -> Ack:
        took_ms = round((trio.current_time() - began) * 1000)
        return Ack(command.id, command.action, outcome, took_ms=took_ms, **facts)

    def _answer(self, ack: Ack) -> None:
        self._outbox.post(Post(topics.HOST, topics.HOST_ACK, encode_ack(ack), "ack", 1, False, self._outbox.now()))
