"""Where the parts meet: the host loads the workers, opens the nurseries inside one another, closes them in order."""

from __future__ import annotations

import hashlib
import math
import platform
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import structlog
import trio

from halloween_host import legacy, topics
from halloween_host.blocks import Blocks
from halloween_host.dial import open_dial
from halloween_host.doorbell import Doorbell
from halloween_host.guard import Guard, Watchdog
from halloween_host.keeper import Keeper
from halloween_host.latch import Latch
from halloween_host.loader import Again, Catalog, WorkerSpec, isolate, load_workers
from halloween_host.not_running import say_not_running
from halloween_host.outbox import Outbox
from halloween_host.program import Program
from halloween_host.reporter import Reporter
from halloween_host.settings import BrokerSettings, Settings
from halloween_host.states import State
from halloween_host.steps import StepWatch
from halloween_host.store import DATABASE, Stores
from halloween_host.systemd import Systemd
from halloween_host.tree import Tree
from halloween_host.worker import shown_path
from halloween_host.world import World

if TYPE_CHECKING:
    from halloween_host.isolation import Launcher

__all__ = ["STORE_CLOSE_S", "Host", "Places", "default_client_id", "discard", "load", "load_stores"]

#: Seconds that the disk has for the store's last batch.
STORE_CLOSE_S: Final = 0.5

_log: Final = structlog.stdlib.get_logger()


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
    catalog = load_workers(
        props=places.props,
        builtins=places.builtins,
        settings=settings,
        environ=environ,
        loading=lambda: legacy.loading(),  # asyncio comes with the first worker that speaks of it
        discard=_discard,
        progress=_log.info,
    )
    return isolate(catalog, settings.isolate)


def _again(places: Places, settings: Settings, environ: Mapping[str, str]) -> Again:
    props, builtins = places.props.absolute(), [folder.absolute() for folder in places.builtins]
    return Again(
        props, builtins, settings, environ, progress=_log.info, loading=lambda: legacy.loading(), discard=_discard
    )


def discard(catalog: Catalog) -> None:
    """Let go of what was loaded and will not be run."""
    for spec in catalog.workers:
        _discard(spec.cargo)


def _discard(cargo: object) -> None:
    if cargo is not None:
        legacy.discard(cargo)


def _say_catalog(catalog: Catalog, reporter: Reporter, outbox: Outbox) -> None:
    """Say what was loaded and from where, what was skipped and why."""
    for spec in catalog.workers:
        config = shown_path(spec.config.path) if spec.config.path else "no config"
        _log.info(f"loaded from {shown_path(spec.path)}, {spec.kind}, {config}", worker=spec.prop_id)
    for skipped in catalog.skipped:
        _log.info(f"skipped {skipped.name}: {skipped.reason}")
    for warning in catalog.warnings:
        reporter.warning(topics.HOST, warning)
    running = {spec.prop_id for spec in catalog.workers}
    for error in catalog.errors:
        whom = "" if error.prop_id == topics.HOST else f"{error.prop_id} does not run: "
        reporter.error(topics.HOST, f"{whom}{error}", error.__cause__)
        if error.prop_id not in running:  # a second claim to a prop id says nothing about the first
            say_not_running(error, reporter, outbox)
    if not catalog.workers:
        reporter.warning(topics.HOST, "no workers at all: write a props/<name>/backend/worker.py and start again")


def _told_in_short(tree: Tree, broker: BrokerSettings) -> str:
    """For `systemctl status`: ``12 workers: 11 online, 1 offline; broker haunt.lan:1883``."""
    counts = Counter(worker.state.value for worker in tree.workers.values())
    states = ", ".join(f"{counts[state.value]} {state.value}" for state in State if counts[state.value])
    away = "" if tree.bridge.subscribed else ", away"
    return f"{counts.total()} workers{f': {states}' * bool(states)}; broker {broker.host}:{broker.port}{away}"


async def load_stores(
    settings: Settings, prop_ids: Collection[str], reporter: Reporter, degrade: Callable[[str, str | None], None]
) -> Stores:
    """All that these stored, before one of them starts: then no `self.store` waits for a disk in the event loop.

    `degrade` is told of each whose store is not on the disk (and why), and then of each whose is again (None).
    """
    stores = Stores(settings.state_dir / DATABASE, Keeper(reporter, degrade))
    await trio.to_thread.run_sync(stores.load, prop_ids, abandon_on_cancel=True)
    return stores


class Host:
    """One host, run once. `leave` ends the process with a status, when something is left that cannot be waited for.

    `loaded` is called when every worker was imported and none is made yet. `program` is what isolated workers are started
    by; without it they run in this process.
    """

    def __init__(
        self,
        settings: Settings,
        places: Places,
        environ: Mapping[str, str],
        *,
        leave: Callable[[int], None],
        loaded: Callable[[], None] = lambda: None,
        program: Program | None = None,
    ) -> None:
        self._settings = settings
        self._places = places
        self._environ = environ
        self._leave = leave
        self._loaded = loaded
        self._program = program
        self._systemd = Systemd(environ)
        self._specs: Sequence[WorkerSpec] = ()
        self._tree: Tree | None = None
        self._stop_asked = False

    def stop(self) -> None:
        """Ask the host to end in good order, as the first SIGTERM does."""
        self._stop_asked = True
        self._systemd.say("STOPPING=1")
        if self._tree is not None:
            self._tree.stop()

    async def run(self, *, task_status: trio.TaskStatus[BrokerSettings] = trio.TASK_STATUS_IGNORED) -> int:
        """Run until stopped; the exit status. `task_status` is told the broker in use once the workers are being started.

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
        self._specs = catalog.workers
        del catalog  # nobody needs to know any more what stood where in which file
        self._loaded()
        async with trio.open_nursery() as nursery:
            broker = await self._find_broker(nursery)
            status = await self._run_guarded(broker, outbox, reporter, doorbell, task_status)
            nursery.cancel_scope.cancel()
        return status

    async def _run_guarded(
        self,
        broker: BrokerSettings,
        outbox: Outbox,
        reporter: Reporter,
        doorbell: Doorbell,
        task_status: trio.TaskStatus[BrokerSettings],
    ) -> int:
        """The tree, and beside it the guard, which hears STOP also while a worker blocks the tree."""
        client_id = broker.client_id or default_client_id(self._places.props)
        latch = Latch(self._settings.state_dir)
        stores = await self._load_stores(reporter)
        # no prop has the host's name, so no presence has this client id
        guard = Guard(
            broker,
            latch,
            lambda request: tree.obey(request),
            client_id=f"{client_id}-{topics.HOST}",
            leave=self._leave,
            elsewhere=lambda: not tree.bridge.subscribed,
        )
        tree = self._tree = Tree(
            self._specs,
            self._settings,
            broker,
            open_dial(broker),
            latch,
            stores,
            World(),
            client_id=client_id,
            outbox=outbox,
            doorbell=doorbell,
            reporter=reporter,
            leave=self._leave,
            guarded=lambda: guard.subscribed,
            request_panic=guard.panic,
            launcher=self._launcher(broker, client_id),
            again=_again(self._places, self._settings, self._environ),
        )
        self._specs = ()
        if self._stop_asked:
            tree.stop()
        status = 0

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            nonlocal status
            status = await tree.run(task_status=task_status)
            ended.set()

        ended = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            blocks = Blocks(tree.supervisors, reporter, lambda: watchdog.named())
            steps = StepWatch(blocks.ended, doorbell, self._settings.watchdog_s, express=tree.express)
            watchdog = Watchdog(
                steps,
                guard,
                blocks,
                leave=self._leave,
                name_s=self._settings.watchdog_s,
                exit_s=self._settings.watchdog_exit_s,
            )
            trio.lowlevel.add_instrument(steps)
            doorbell.stepwise = True
            with guard, watchdog:
                task_status.started(broker)
                # not once the broker is there: it may be away for hours, and the host does without
                self._systemd.say("READY=1")
                nursery.start_soon(self._systemd.run, partial(_told_in_short, tree, broker))
                await ended.wait()
            nursery.cancel_scope.cancel()
        await trio.to_thread.run_sync(stores.close, STORE_CLOSE_S, abandon_on_cancel=True)
        return status

    async def _load_stores(self, reporter: Reporter) -> Stores:
        def degrade(prop_id: str, reason: str | None) -> None:
            if self._tree is not None and prop_id in self._tree.supervisors:
                self._tree.supervisors[prop_id].degrade(reason)

        ours = [spec.prop_id for spec in self._specs if self._program is None or not spec.terms.isolate]
        return await load_stores(self._settings, ours, reporter, degrade)

    def _launcher(self, broker: BrokerSettings, client_id: str) -> Launcher | None:
        if self._program is None or not any(spec.terms.isolate for spec in self._specs):
            return None
        from halloween_host.isolation import Launcher  # most houses have nobody to isolate

        places = self._places
        return Launcher(self._program, places.props, places.builtins, self._settings, broker, client_id)

    async def _find_broker(self, nursery: trio.Nursery) -> BrokerSettings:
        broker = self._settings.broker
        if not broker.embedded:
            return broker
        from halloween_host.broker import EmbeddedBroker

        embedded = EmbeddedBroker(port=broker.port, embedded_only=broker.embedded_only)
        address = await nursery.start(embedded.run)
        speaks_5 = address.program is None or not address.program.startswith("amqtt")
        protocol = broker.protocol if speaks_5 else "3.1.1"
        return attrs.evolve(broker, host=address.host, port=address.port, protocol=protocol)
