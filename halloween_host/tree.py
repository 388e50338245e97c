"""The supervision tree: one host's nurseries inside one another, over any broker, real or the rehearsal stage's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.asks import Asks
from halloween_host.bridge import Bridge, expire_commands
from halloween_host.dial import Dial
from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.farewell import FLUSH_S, say_farewell
from halloween_host.guard import HostRequest, panic_for, read_panic
from halloween_host.hiring import Crew
from halloween_host.hooks import HostHooks
from halloween_host.host_commands import HostCommands
from halloween_host.latch import Latch
from halloween_host.link import Link, Session
from halloween_host.loader import Again, WorkerSpec
from halloween_host.mqtt import Message, Will
from halloween_host.outbox import Outbox
from halloween_host.panic import Panic
from halloween_host.presence import HostVoice
from halloween_host.reloading import Reloading
from halloween_host.reporter import Reporter
from halloween_host.router import Router
from halloween_host.settings import BrokerSettings, Settings
from halloween_host.sign import Signature
from halloween_host.starting import start_all
from halloween_host.store import Stores
from halloween_host.supervisor import Reviews, Surroundings
from halloween_host.uptime import tell_uptime
from halloween_host.witness import Witness
from halloween_host.world import World

if TYPE_CHECKING:
    from halloween_host.isolation import Launcher

__all__ = ["FLUSH_S", "TAKEN_OVER", "Tree"]

#: After the workers' own deadline: how long for them to be named.
SETTLE_S: Final = 0.8
#: The exit status of a host whose client id another one took: nobody shall restart it (sysexits.h, EX_TEMPFAIL).
TAKEN_OVER: Final = 75

_log: Final = structlog.stdlib.get_logger()


class Tree:
    """Runs the workers of `specs` and their way to the broker. Make it inside Trio; `run` it once.

    `guarded` tells whether somebody else hears the host's own `cmd` topic; `request_panic` (reason, by; from any thread) is
    what a worker's `panic` calls. `leave` ends the process with a status, when something is left that cannot be waited for.
    `again` loads a worker while the host runs.
    Of all `workers` the `supervisors` are those of this process; without a `launcher`, of all of them.
    """

    def __init__(
        self,
        specs: Sequence[WorkerSpec],
        settings: Settings,
        broker: BrokerSettings,
        dial: Dial,
        latch: Latch,
        stores: Stores,
        world: World,
        *,
        client_id: str,
        outbox: Outbox,
        doorbell: Doorbell,
        reporter: Reporter,
        leave: Callable[[int], None],
        guarded: Callable[[], bool] = lambda: False,
        request_panic: Callable[[str, str], None] | None = None,
        launcher: Launcher | None = None,
        again: Again | None = None,
    ) -> None:
        self._broker = broker
        self._dial = dial
        self._client_id = client_id
        self._world = world
        self._stores = stores
        self._outbox = outbox
        self._reporter = reporter
        self._leave = leave
        self._guarded = guarded
        self._token = trio.lowlevel.current_trio_token()
        self._stop = trio.Event()
        self._status = 0
        self._end_by = math.inf
        self._connected = trio.CancelScope()
        self._reviews = Reviews()
        self._asks = Asks()
        self.express = Express(doorbell)
        self._host_voice = HostVoice(topics.HOST, outbox)
        #: Set once the broker took our subscriptions for the first time.
        self.linked = trio.Event()
        surroundings = Surroundings(
            outbox,
            reporter,
            self._reviews,
            wall=world.wall,
            random=world.random,
            cooldowns=stores.cooldowns,
        )
        hooks = HostHooks(request_panic or self._panic_soon, world.wall, self._asks, stores, self.express)
        self._crew = Crew(
            surroundings,
            hooks,
            self._link,
            client_id=client_id,
            subscribed=lambda: self.bridge.subscribed,
            launcher=launcher,
        )
        outbox.make_room(len(specs))
        self._crew.hire(specs, presence_max=settings.presence_max)
        self.workers, self.supervisors = self._crew.workers, self._crew.supervisors
        self._router = Router(self.workers)
        self.bridge = Bridge(
            outbox,
            self._router,
            doorbell,
            self,
            self._asks,
            self.express,
            client_id=client_id,
            signature=Signature(world.nonce, world.host_name),
        )
        will = Will(topics.HOST_AVAILABILITY, b"offline", qos=1, retain=True)
        self._host_link = self._link(self.bridge.serve, client_id, will=will)
        self.panic = Panic(self.workers, latch, outbox, self._reviews, wall=world.wall, keep=stores.hurry)
        self._witness = Witness({**self.workers, topics.HOST: self._host_voice}, reporter)
        self.commands: HostCommands
        self._nursery: trio.Nursery
        self._reloading = Reloading(
            self._crew, again, stores, outbox, reporter, no_room=self._why_no_room, join=self._join
        )

    def stop(self) -> None:
        """Ask the host to end in good order, as the first SIGTERM does."""
        self._stop.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> int:
        """Run until stopped; the exit status. `task_status` is told once the workers are being started."""
        async with trio.open_nursery() as links:
            links.start_soon(self._connect)
            links.start_soon(expire_commands, self._outbox)
            links.start_soon(self._reviews.run)
            links.start_soon(self._witness.run)
            async with trio.open_nursery() as workers:
                self._nursery = workers
                voices = self._outbox, self._reporter
                self.commands = HostCommands(
                    self.workers, self.panic, *voices, links, self._reloading, wall=self._world.wall
                )
                if self.panic.latched is not None:
                    workers.start_soon(self.panic.resume)
                async with trio.open_nursery() as doors:
                    doors.start_soon(start_all, self.workers.values(), workers, self.panic.latched, self.bridge)
                    doors.start_soon(tell_uptime, self._outbox)
                    task_status.started()
                    await self._stop.wait()
                    self._router.close()
                    self._ask_to_stop()  # before the doors close: those that have not begun shall not
                    doors.cancel_scope.cancel()
                left_behind = await self._wait_for_ends()
                self._stores.hurry()
                if left_behind:
                    # A Trio nursery cannot leave a task behind, a process can.
                    await self._say_goodbye()
                    self._leave(self._status)
                workers.cancel_scope.cancel()
            await self._say_goodbye()
            self._host_link.fall_silent()
            _log.info("stopped in good order")
            links.cancel_scope.cancel()
        return self._status

    # -- Owner: what the bridge hears

    def link_up(self) -> None:
        self.linked.set()
        self._crew.links.hurry()
        self._host_voice.say("online")
        self.panic.publish()
        self._witness.forget()
        for supervisor in self.workers.values():
            supervisor.link_up()

    def link_down(self) -> None:
        for supervisor in self.workers.values():
            supervisor.link_down()

    def hear_availability(self, prop_id: str, word: str) -> None:
        self._witness.hear(prop_id, word)

    def hear_host_command(self, message: Message) -> None:
        payload, retained = bytes(message.payload), bool(message.retain)
        if not self._guarded():
            self.commands.begin(payload, retained=retained)
        elif not retained and read_panic(payload) is not None:
            self.commands.make_sure(payload)  # the guard's connection may be half-open and not know it yet

    def taken_over(self, evidence: str) -> None:
        """The topics are the other host's now: say no `offline`, close every connection by DISCONNECT, end."""
        if self._status == TAKEN_OVER:
            return
        self._status = TAKEN_OVER
        _log.error(
            f"another host has our client id {self._client_id!r} now ({evidence}): this one ends and leaves the props to it; "
            "give each host its own MQTT_CLIENT_ID"
        )
        for supervisor in self.workers.values():
            supervisor.fall_silent()
        self._host_link.fall_silent()
        self._crew.links.fall_silent()
        self._connected.cancel()
        self._stop.set()

    # -- the guard

    def obey(self, request: HostRequest) -> None:
        """What the guard heard."""
        self.commands.begin(request.payload, retained=request.retained, by=request.by)

    # -- inside

    def _link(self, session: Session, client_id: str, **options: Any) -> Link:
        return Link(
            self._broker,
            self._dial,
            session,
            client_id=client_id,
            taken_over=self.taken_over,
            random_=self._world.random,
            **options,
        )

    async def _connect(self) -> None:
        """Every connection of this host, until it is over or another host has our place."""
        with self._connected:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._host_link.run)
                nursery.start_soon(self._crew.ears.run)
                await self.linked.wait()  # of a broker that takes few connections the host's own comes first
                nursery.start_soon(self._crew.links.run)

    def _why_no_room(self) -> str | None:
        if self.panic.latched is not None:
            return f"the host is latched by a panic: {self.panic.latched}; send rearm"
        return "the host stops" if self._stop.is_set() else None

    def _join(self, prop_id: str) -> None:
        """One that was hired after the start lives like the others."""
        worker = self.workers[prop_id]
        self._router.add(prop_id, worker)
        self._witness.add(prop_id, worker)
        if self.bridge.subscribed:
            worker.link_up()
        self._nursery.start_soon(worker.run, name=prop_id)

    def _panic_soon(self, reason: str, by: str) -> None:
        try:
            self._token.run_sync_soon(partial(self.commands.begin, panic_for(reason, by), by=by))
        except trio.RunFinishedError:  # a thread that outlived the host: all has stopped
            return

    def _ask_to_stop(self) -> None:
        longest_s = max((each.stop_timeout_s for each in self.workers.values()), default=0.0)
        _log.info(f"stopping {len(self.workers)} workers, {longest_s:g} s at most")
        for supervisor in self.workers.values():
            supervisor.ask_to_stop()
        self._end_by = trio.current_time() + longest_s + SETTLE_S + FLUSH_S

    async def _wait_for_ends(self) -> bool:
        """Until all have stopped, their deadline at most; whether something was left behind."""
        supervisors = list(self.workers.values())
        with trio.move_on_at(self._end_by - FLUSH_S):
            for supervisor in supervisors:
                await supervisor.settled.passed()
            if self.bridge.subscribed:  # what all have said goes out before their homes close, which takes as long
                with trio.move_on_after(FLUSH_S):
                    await self.bridge.flush()
        return any(each.left_behind or not each.settled.is_set() for each in supervisors)

    async def _say_goodbye(self) -> None:
        """The host's own `offline`, and all that still waits, acknowledged while the broker is there."""
        if self._status == TAKEN_OVER:
            return
        self._host_voice.say("offline")
        await say_farewell(self.bridge, self._crew.presences, self._end_by)
