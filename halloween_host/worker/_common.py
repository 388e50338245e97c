"""What both dialects share: a worker's name, its config, and its words going out as topics and payloads."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal, Self, overload

from halloween_host import topics
from halloween_host.acks import Ack
from halloween_host.commands import DEFAULT_TTL_S, encode_command
from halloween_host.errors import QosError, SpawnError
from halloween_host.outbox import COMMAND_AGE_S, Kind
from halloween_host.worker._asking import Inquiry
from halloween_host.worker._berth import Berth, Spawner

__all__ = ["CommonWorker", "check_qos"]

#: Status keys that are the host's alone: a worker's own are dropped with a line (DESIGN of the wire: availability cannot be claimed).
_HOSTS_KEYS = frozenset({"availability", "health"})
_LINE_KEYS = frozenset({"error", "warn"})


@lru_cache(maxsize=4096)
def _telemetry_topic(prop_id: str, key: str) -> str:
    return topics.telemetry(prop_id, topics.check_key(key))


def check_qos(qos: object) -> None:
    """Tell who wrote it, before the one sender of all workers finds out.

    Raises:
        QosError: when MQTT has no such quality of service.
    """
    if qos not in (0, 1, 2):
        raise QosError(qos)


class _StoreOf:
    """Whoever never says `self.store` has none; one of 2025 who assigns his own keeps it, for there is no `__set__`."""

    @overload
    def __get__(self, worker: None, owner: type[CommonWorker]) -> Self: ...

    @overload
    def __get__(self, worker: CommonWorker, owner: type[CommonWorker]) -> MutableMapping[str, Any]: ...

    def __get__(self, worker: CommonWorker | None, owner: type[CommonWorker]) -> Self | MutableMapping[str, Any]:
        if worker is None:
            return self
        return worker._halloween_berth.hooks.store(worker._halloween_berth.outlet.prop_id)


class CommonWorker:
    """The part of a worker that knows no dialect. Authors inherit from one of its two children, never from it."""

    dialect: ClassVar[Literal["native", "legacy"]]
    #: The attrs class of ``BaseWorker[FoggerConfig]``, None for a worker without typed settings.
    settings_class: ClassVar[type[Any] | None] = None

    prop_id: str
    config: Any
    #: A dict of JSON values that outlives this worker and the host, from any thread. Values are copied in and out: assign to
    #: change one. What is not JSON is a `StoreError`, a `TypeError`, at the assignment.
    store = _StoreOf()
    _halloween_berth: Berth

    @classmethod
    def check_config(cls, values: Mapping[str, Any]) -> None:
        """Raise what construction would raise for this config; a dialect with its own validation overrides it.

        Raises:
            HalloweenHostError: when the config does not fit, naming the field.
        """

    async def start(self) -> None:
        """Called once; when it returns, the worker is online. Override it, call ``await super().start()`` first."""

    async def stop(self) -> None:
        """Called once at the end, under a deadline. Override it, call ``await super().stop()`` last: it cancels spawned tasks."""
        berth = self._halloween_berth
        if berth.spawner is not None:
            await berth.spawner.cancel_spawned()
            berth.spawner.stopped_itself()

    def panic(self, reason: str = "") -> None:
        """Stop everything in the yard now, as the operator's `panic` does: this worker too. From any thread."""
        self._halloween_berth.hooks.request_panic(self.prop_id, str(reason))

    def _inquire(self, target: str, action: str, args: object, timeout: float, tell: Callable[[Ack], None]) -> Inquiry:
        """Ask the host to send a command whose final ack `tell` is handed; `forget` it in any case."""
        hooks, outlet = self._halloween_berth.hooks, self._halloween_berth.outlet
        topic, id_ = topics.command(topics.check_prop_id(target)), uuid.uuid4().hex
        payload = encode_command(action, args, id=id_, ts=round(hooks.wall(), 3), ttl=timeout)
        post = partial(outlet.post, topic, payload, "command", 1, ttl_s=timeout)
        send = partial(copy_context().run, post)
        inquiry = Inquiry(target, id_, send, tell)
        hooks.ask(inquiry)
        return inquiry

    def _post(self, topic: str, payload: bytes, kind: Kind, qos: int, retain: bool) -> None:
        check_qos(qos)
        self._halloween_berth.outlet.post(topic, payload, kind, qos, retain)

    def _post_telemetry(self, key: str, payload: bytes, qos: int, retain: bool) -> None:
        if qos:
            check_qos(qos)
        self._halloween_berth.outlet.post(_telemetry_topic(self.prop_id, key), payload, "telemetry", qos, retain)

    def _post_status(self, key: str, payload: bytes, qos: int, retain: bool) -> None:
        if key in _HOSTS_KEYS:
            self._halloween_berth.outlet.warn(
                f"status({key!r}, …) is the host's to say and was dropped; use another key"
            )
            return
        kind: Kind = "line" if key in _LINE_KEYS else "status"
        self._post(topics.status(self.prop_id, topics.check_key(key)), payload, kind, qos, retain)

    def _post_command(
        self,
        target: str,
        action: str,
        args: object,
        qos: int,
        ttl: float | None = None,
        id_: str | float | None = None,
    ) -> None:
        topic = topics.command(topics.check_prop_id(target) if target != topics.HOST else target)
        ts = None
        if ttl is not None or id_ is not None:
            ts = round(self._halloween_berth.hooks.wall(), 3)
            ttl = DEFAULT_TTL_S if ttl is None else ttl
            id_ = uuid.uuid4().hex if id_ is None else id_
        payload = encode_command(action, args, id=id_, ts=ts, ttl=ttl)
        check_qos(qos)
        self._halloween_berth.outlet.post(topic, payload, "command", qos, ttl_s=COMMAND_AGE_S if ttl is None else ttl)

    def _post_broadcast(self, targets: Iterable[str], action: str, args: object, qos: int) -> None:
        for target in [targets] if isinstance(targets, str) else targets:
            self._post_command(target, action, args, qos)

    def _spawner(self, task: object) -> Spawner:
        """Where tasks live now; closes `task` when it is a coroutine object that will never run."""
        berth = self._halloween_berth
        if berth.spawner is None:
            if inspect.iscoroutine(task):
                task.close()
            raise SpawnError(self.prop_id, berth.moment)
        return berth.spawner
