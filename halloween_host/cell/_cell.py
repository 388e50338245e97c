"""The worker, its connection, and what the host's orders do to it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.asks import Asks
from halloween_host.blocks import Blocks
from halloween_host.bridge import Bridge, expire_commands
from halloween_host.cell._speaking import OwnVoice
from halloween_host.dial import Dial, open_dial
from halloween_host.doorbell import Doorbell
from halloween_host.ears import Ear, Ears
from halloween_host.express import Express
from halloween_host.farewell import FLUSH_S
from halloween_host.guard import Reach, Watchdog
from halloween_host.hiring import supervise
from halloween_host.hooks import HostHooks
from halloween_host.host import STORE_CLOSE_S
from halloween_host.isolation import Brief, Order, Wire
from halloween_host.link import Link, Session
from halloween_host.loader import WorkerSpec
from halloween_host.mqtt import Message
from halloween_host.outbox import Outbox
from halloween_host.presence import will_of
from halloween_host.reporter import Reporter
from halloween_host.router import Router, arrival_of
from halloween_host.sign import Signature
from halloween_host.steps import StepWatch
from halloween_host.store import Stores
from halloween_host.supervisor import Reviews, Supervisor, Surroundings
from halloween_host.tree import TAKEN_OVER
from halloween_host.world import World

__all__ = ["Cell"]

#: Seconds beyond the worker's own until it is left behind: the host kills us soon after.
SETTLE_S: Final = 0.6
FORSAKEN: Final = "the host is gone"
#: Seconds after a signal in which the host's own order comes, or that it is gone.
HEAR_S: Final = 0.3

_log: Final = structlog.stdlib.get_logger()


class Cell:
    def __init__(
        self,
        brief: Brief,
        spec: WorkerSpec,
        wire: Wire,
        stores: Stores,
        outbox: Outbox,
        reporter: Reporter,
        doorbell: Doorbell,
        leave: Callable[[int], None],
    ) -> None:
        world = World()
        self._brief = brief
        self._wire = wire
        self._stores = stores
        self._outbox = outbox
        self._reporter = reporter
        self._doorbell = doorbell
        self._leave = leave
        self._stop = trio.Event()
        self._status = 0
        self._stopped_for: str | None = None
        self._forsaken = False
        self._reviews = Reviews()
        self._express = Express(doorbell)
        self._client_id = f"{brief.client_id}-{spec.prop_id}"
        self._dial: Dial = open_dial(brief.broker)
        asks = Asks()
        self._ears = Ears(
            lambda _prop_id, message: self._supervisor.deliver(arrival_of(message, None)),
            lambda _prop_id, session: (
                self._link(session, f"{self._client_id}/ear", elsewhere=lambda: not self._bridge.subscribed).run
            ),
        )
        around = Surroundings(
            outbox, reporter, self._reviews, wall=world.wall, random=world.random, cooldowns=stores.cooldowns
        )
        self._supervisor: Supervisor = supervise(
            spec,
            OwnVoice(spec.prop_id, outbox, wire),
            around,
            HostHooks(self._ask_for_panic, world.wall, asks, stores, self._express),
            Ear(spec.prop_id, self._ears),
            isolated=True,
        )
        self._router = Router({spec.prop_id: self._supervisor})
        self._bridge = Bridge(
            outbox,
            self._router,
            doorbell,
            self,
            asks,
            self._express,
            client_id=self._client_id,
            signature=Signature(world.nonce, world.host_name),
            commands=topics.command(spec.prop_id),
            availability=None,
        )
        self._host_linked = False
        self._own_link = self._link(
            self._bridge.serve,
            self._client_id,
            will=will_of(spec.prop_id),
            elsewhere=lambda: not self._host_linked,
        )

    async def run_watched(self) -> int:
        """Run, with a watchdog that speaks by the host while our loop is blocked."""
        settings, prop_id = self._brief.settings, self._supervisor.prop_id
        reach = Reach(alone=prop_id)
        blocks = Blocks({prop_id: self._supervisor}, self._reporter, lambda: watchdog.named(), reach)
        steps = StepWatch(blocks.ended, self._doorbell, settings.watchdog_s, express=self._express)
        watchdog = Watchdog(
            steps,
            self._wire,
            blocks,
            leave=self._leave,
            name_s=settings.watchdog_s,
            exit_s=settings.watchdog_exit_s,
            reach=reach,
        )
        trio.lowlevel.add_instrument(steps)
        self._doorbell.stepwise = True
        with watchdog:
            await self._run()
        await trio.to_thread.run_sync(self._stores.close, STORE_CLOSE_S, abandon_on_cancel=True)
        return self._status

    def stop(self, why: str) -> None:
        """End the worker in good order, and the process with it."""
        self._stopped_for = why
        self._stop.set()

    def degrade(self, reason: str | None) -> None:
        self._supervisor.degrade(reason)

    # -- Owner: what the bridge hears

    def link_up(self) -> None:
        self._wire.tell("hears", hears=True)
        self._supervisor.link_up()

    def link_down(self) -> None:
        self._wire.tell("hears", hears=False)
        self._supervisor.link_down()

    def hear_availability(self, prop_id: str, word: str) -> None:
        """Nothing: the host is the witness, and has us repeat ours."""

    def hear_host_command(self, message: Message) -> None:
        """Nothing: it is the host's."""

    def taken_over(self, evidence: str) -> None:
        """The topics are another process's now: say no `offline`, close the connection by DISCONNECT, end."""
        self._wire.tell("failed", text=f"another client has its client id {self._client_id!r} now ({evidence})")
        self._status = TAKEN_OVER
        self._supervisor.fall_silent()
        self._own_link.fall_silent()
        self._stop.set()

    # -- inside

    def _link(self, session: Session, client_id: str, **options: Any) -> Link:
        return Link(self._brief.broker, self._dial, session, client_id=client_id, taken_over=self.taken_over, **options)

    async def _run(self) -> None:
        async with trio.open_nursery() as links:
            links.start_soon(self._own_link.run)
            links.start_soon(expire_commands, self._outbox)
            links.start_soon(self._reviews.run)
            links.start_soon(self._ears.run)
            async with trio.open_nursery() as workers:
                self._workers = workers
                self._begin()
                await self._stop.wait()
                self._router.close()
                left_behind = await self._end()
                self._stores.hurry()
                if left_behind:
                    await self._flush()
                    self._leave(self._status)
                workers.cancel_scope.cancel()
            await self._flush()
            self._own_link.fall_silent()  # all is said
            links.cancel_scope.cancel()

    def _begin(self) -> None:
        brief = self._brief
        self._supervisor.follow(brief.restarts, brief.restarted_for)
        if brief.latched is not None:
            self._panic(brief.latched)
        self._workers.start_soon(self._supervisor.run, brief.latched)
        self._wire.tell("up", pid=os.getpid())
        self._wire.attend(self._obey, self._be_forsaken)

    def _obey(self, order: Order) -> None:
        match order["kind"]:
            case "panic":
                self._panic(order["reason"])
            case "end":
                self.stop(order["reason"])
            case "leave":
                self._start_soon(self._leave_for, order["why"])
            case "link":
                self._host_linked = order["up"]
            case "start":
                self._supervisor.start()
            case "repeat":
                self._supervisor.repeat()
            case "fall_silent":
                self._supervisor.fall_silent()
                self._own_link.fall_silent()

    def _start_soon(self, task: Callable[..., Awaitable[None]], *args: object) -> None:
        """What is asked once all has ended asks for nothing."""
        with suppress(RuntimeError):  # the nursery is closed to new arrivals, and tells nobody before
            self._workers.start_soon(task, *args)

    async def _leave_for(self, why: str) -> None:
        """systemd sends SIGTERM to us as well as to a host that stops, and after one that died: then that comes first."""
        with trio.move_on_after(HEAR_S):
            await self._stop.wait()
        if self._forsaken or self._stop.is_set():
            return
        text = f"{why}: this process ends; the host starts another"
        _log.warning(text)
        self.stop(text)

    def _ask_for_panic(self, reason: str, _by: str) -> None:
        self._wire.tell("panic", reason=reason)

    def _panic(self, reason: str) -> None:
        self._outbox.latch()
        self._supervisor.panic(reason)
        self._stores.hurry()
        self._wire.tell("taken")
        self._start_soon(self._make_safe)

    async def _make_safe(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_safety)
            self._supervisor.tell_panic()
        self._stores.hurry()
        if self._forsaken:
            self.stop(FORSAKEN)

    async def _tell_safety(self) -> None:
        safety = await self._supervisor.make_safe()
        self._wire.tell("safety", took_ms=safety.took_ms, unsafe=safety.unsafe)

    def _be_forsaken(self) -> None:
        """The host is gone, and nobody would stop the prop any more."""
        _log.error("the host is gone: the worker is made safe and ends")
        self._forsaken = True
        self._panic(FORSAKEN)

    async def _end(self) -> bool:
        """Ask the worker to stop, wait for its deadline at most; whether something was left behind."""
        supervisor = self._supervisor
        supervisor.ask_to_stop(self._stopped_for)
        with trio.move_on_after(supervisor.stop_timeout_s + SETTLE_S):
            await supervisor.settled.passed()
        return bool(supervisor.left_behind) or not supervisor.settled.is_set()

    async def _flush(self) -> None:
        if self._bridge.subscribed and self._status != TAKEN_OVER:
            with trio.move_on_after(FLUSH_S):
                await self._bridge.flush()
