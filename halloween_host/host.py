"""Where the parts meet: the host loads the workers, opens the nurseries inside one another, closes them in order."""

from __future__ import annotations

import hashlib
import math
import platform
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import structlog
import trio

from halloween_host import legacy, topics
from halloween_host.bridge import Bridge, Doorbell, expire_commands
from halloween_host.broker import EmbeddedBroker
from halloween_host.ears import Ear
from halloween_host.errors import LoadError, TopicError
from halloween_host.link import Link
from halloween_host.loader import Catalog, WorkerSpec, load_workers
from halloween_host.mqtt import Message, Will
from halloween_host.native import open_native_home
from halloween_host.outbox import Kind, Outbox, Post
from halloween_host.reporter import Reporter
from halloween_host.router import BATCHES, Router, arrival_of
from halloween_host.settings import BrokerSettings, Settings
from halloween_host.supervisor import Limits, Supervisor
from halloween_host.worker import Blueprint, HomeFactory, shown_path

__all__ = ["Host", "Places", "default_client_id", "discard", "load"]

#: Seconds between two words on `halloween/worker_host/uptime`.
UPTIME_S: Final = 10.0
#: After the workers' own deadline: how long for them to be named, and for the last words to be acknowledged.
SETTLE_S: Final = 0.8
FLUSH_S: Final = 0.6

_log: Final = structlog.stdlib.get_logger()

_HOMES: Final[Mapping[str, HomeFactory]] = {"native": open_native_home, "legacy": legacy.open_legacy_home}


@attrs.frozen
class Places:
    """Where workers are looked for."""

    props: Path
    builtins: tuple[Path, ...]


def default_client_id(props: Path) -> str:
    """``halloween-<hostname>-<6 hex of the props folder's path>``: two hosts of one machine differ, each keeps its own."""
    digest = hashlib.sha256(str(props.resolve()).encode()).hexdigest()
    return f"halloween-{platform.node()}-{digest[:6]}"


def load(places: Places, settings: Settings, environ: Mapping[str, str]) -> Catalog:
    """Import every worker and read every config, as `run` and `check` do."""
    return load_workers(
        props=places.props,
        builtins=places.builtins,
        settings=settings,
        environ=environ,
        loading=legacy.loading,
        discard=legacy.discard,
        progress=_log.info,
    )


def discard(catalog: Catalog) -> None:
    """Let go of what was loaded and will not be run."""
    for spec in catalog.workers:
        legacy.discard(spec.cargo)


def _say_catalog(catalog: Catalog, reporter: Reporter, outbox: Outbox) -> None:
    """Say what was loaded and from where, what was skipped and why."""
    for spec in catalog.workers:
        config = shown_path(spec.config.path) if spec.config.path else "no config"
        _log.info(f"loaded from {shown_path(spec.path)}, {spec.dialect}, {config}", worker=spec.prop_id)
    for skipped in catalog.skipped:
        _log.info(f"skipped {skipped.name}: {skipped.reason}")
    for warning in catalog.warnings:
        reporter.warning(topics.HOST, warning)
    running = {spec.prop_id for spec in catalog.workers}
    for error in catalog.errors:
        whom = "" if error.prop_id == topics.HOST else f"{error.prop_id} does not run: "
        reporter.error(topics.HOST, f"{whom}{error}", error.__cause__)
        if error.prop_id not in running:  # a second claim to a prop id says nothing about the first
            _say_not_running(error, reporter, outbox)
    if not catalog.workers:
        reporter.warning(topics.HOST, "no workers at all: write a props/<name>/backend/worker.py and start again")


def _say_not_running(error: LoadError, reporter: Reporter, outbox: Outbox) -> None:
    """On the prop's own topics too: why it does not run, and `offline`, whatever an earlier host left retained there."""
    try:
        prop_id = topics.check_prop_id(error.prop_id)
    except TopicError:
        return  # no topic could bear its name
    reporter.say(prop_id, "error", str(error))
    outbox.post(Post(prop_id, topics.availability(prop_id), b"offline", "availability", 1, True, outbox.now()))


class Host:
    """One host, run once. `leave` ends the process with a status, when something is left that cannot be waited for."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        environ: Mapping[str, str],
        *,
        leave: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._places = places
        self._environ = environ
        self._leave = leave
        self._started_at = time.monotonic()
        self._stop = trio.Event()
        self._supervisors: dict[str, Supervisor] = {}

    def stop(self) -> None:
        """Ask the host to end in good order, as the first SIGTERM does."""
        self._stop.set()

    async def run(self, *, task_status: trio.TaskStatus[BrokerSettings] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until stopped; `task_status` is told the broker in use once the workers are being started.

        Raises:
            BrokerError: when the embedded broker cannot be brought up.
        """
        # A blocked call of one worker must not make another's wait: each worker's handlers have a limit of their own.
        trio.to_thread.current_default_thread_limiter().total_tokens = math.inf
        doorbell = Doorbell()
        outbox = Outbox(
            wake=doorbell.ring,
            clock=trio.lowlevel.current_clock().current_time,
            dropped=lambda prop_id, text: _log.warning(text, worker=prop_id),
        )
        reporter = Reporter(outbox)
        catalog = load(self._places, self._settings, self._environ)
        _say_catalog(catalog, reporter, outbox)
        async with trio.open_nursery() as nursery:
            broker = await self._find_broker(nursery)
            await self._serve(broker, catalog, outbox, reporter, doorbell, task_status)
            nursery.cancel_scope.cancel()

    async def _find_broker(self, nursery: trio.Nursery) -> BrokerSettings:
        broker = self._settings.broker
        if not broker.embedded:
            return broker
        embedded = EmbeddedBroker(port=broker.port, embedded_only=broker.embedded_only)
        address = await nursery.start(embedded.run)
        speaks_5 = address.program is None or not address.program.startswith("amqtt")
        protocol = broker.protocol if speaks_5 else "3.1.1"
        return attrs.evolve(broker, host=address.host, port=address.port, protocol=protocol)

    async def _serve(
        self,
        broker: BrokerSettings,
        catalog: Catalog,
        outbox: Outbox,
        reporter: Reporter,
        doorbell: Doorbell,
        task_status: trio.TaskStatus[BrokerSettings],
    ) -> None:
        """The nurseries in one another; what stands outside ends last."""
        client_id = broker.client_id or default_client_id(self._places.props)
        tls = ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None
        sender, receiver = trio.open_memory_channel[Sequence[Message]](BATCHES)
        bridge = Bridge(outbox, sender, doorbell, client_id=client_id, announce=self._announce)
        will = Will(topics.HOST_AVAILABILITY, b"offline", qos=1, retain=True)
        link = Link(broker, bridge.serve, client_id=client_id, will=will, tls=tls)
        bridge.contest = link.contest
        self._outbox = outbox
        async with trio.open_nursery() as links:
            links.start_soon(link.run)
            links.start_soon(expire_commands, outbox, doorbell)
            async with trio.open_nursery() as workers:
                for spec in catalog.workers:
                    supervisor, ear = self._hire(spec, bridge, reporter)
                    ear_id = f"{client_id}-{spec.prop_id}"
                    ear_link = Link(broker, ear.serve, client_id=ear_id, tls=tls, name=spec.prop_id)
                    links.start_soon(ear.run, ear_link.run)
                    workers.start_soon(supervisor.run)
                async with trio.open_nursery() as doors:
                    doors.start_soon(Router(self._supervisors, reporter).run, receiver)
                    doors.start_soon(self._tell_uptime)
                    task_status.started(broker)
                    await self._stop.wait()
                    doors.cancel_scope.cancel()
                left_behind = await self._end_workers()
                if left_behind:
                    # A Trio nursery cannot leave a task behind, a process can.
                    await self._say_goodbye(bridge)
                    self._leave(0)
            await self._say_goodbye(bridge)
            _log.info("stopped in good order")
            links.cancel_scope.cancel()

    def _hire(self, spec: WorkerSpec, bridge: Bridge, reporter: Reporter) -> tuple[Supervisor, Ear]:
        settings = self._settings
        ear = Ear(spec.prop_id, lambda message: supervisor.deliver(arrival_of(message, None)))
        supervisor = Supervisor(
            Blueprint(spec.prop_id, spec.worker_class, spec.config.values, spec.actions, spec.cargo),
            _HOMES[spec.dialect],
            outbox=bridge.outbox,
            reporter=reporter,
            online_allowed=lambda: bridge.subscribed,
            subscriptions=ear,
            limits=Limits(
                settings.start_timeout_s,
                settings.stop_timeout_s,
                settings.restart_limit,
                settings.restart_window_s,
                settings.mailbox_capacity,
            ),
        )
        self._supervisors[spec.prop_id] = supervisor
        return supervisor, ear

    def _announce(self) -> None:
        """The broker took our subscription: say of everybody what they are."""
        self._post(topics.HOST_AVAILABILITY, "online", "availability", qos=1, retain=True)
        for supervisor in self._supervisors.values():
            supervisor.link_up()

    def _post(self, topic: str, text: str, kind: Kind, *, qos: int = 0, retain: bool = False) -> None:
        self._outbox.post(Post(topics.HOST, topic, text.encode(), kind, qos, retain, self._outbox.now()))

    async def _tell_uptime(self) -> None:
        while True:
            self._post(topics.HOST_UPTIME, str(int(time.monotonic() - self._started_at)), "telemetry")
            await trio.sleep(UPTIME_S)

    async def _end_workers(self) -> bool:
        """Ask all to stop, wait for their deadline at most; whether something was left behind."""
        supervisors = self._supervisors.values()
        _log.info(f"stopping {len(supervisors)} workers, {self._settings.stop_timeout_s:g} s at most")
        for supervisor in supervisors:
            supervisor.ask_to_stop()
        with trio.move_on_after(self._settings.stop_timeout_s + SETTLE_S):
            for supervisor in supervisors:
                await supervisor.settled.wait()
        return any(each.left_behind or not each.settled.is_set() for each in supervisors)

    async def _say_goodbye(self, bridge: Bridge) -> None:
        """The host's own `offline`, and all that still waits, acknowledged while the broker is there."""
        self._post(topics.HOST_AVAILABILITY, "offline", "availability", qos=1, retain=True)
        if not bridge.subscribed:
            _log.warning("the broker is away: it could not be told that the workers are offline")
            return
        with trio.move_on_after(FLUSH_S) as scope:
            await bridge.flush()
        if scope.cancelled_caught:
            _log.warning(f"the broker did not acknowledge the last messages in {FLUSH_S:g} s")
