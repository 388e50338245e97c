"""2025's BaseWorker: asyncio workers inherit from it and run unchanged; its signatures are 2025's to the letter."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

from halloween_host import topics
from halloween_host.acks import Ack
from halloween_host.errors import ModelError
from halloween_host.legacy._mqtt import LegacyMessage, LegacyMqtt
from halloween_host.payloads import legacy_value
from halloween_host.worker import CommonWorker, answer_of, no_answer

__all__ = ["BaseWorker", "Done", "TaskList"]

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


class TaskList(list["asyncio.Task[Any]"]):
    """2025's `_tasks`, which authors treat as a list and as a set; what they put there ends like a spawned task."""

    def add(self, task: asyncio.Task[Any]) -> None:
        if task not in self:
            self.append(task)

    def discard(self, task: asyncio.Task[Any]) -> None:
        if task in self:
            self.remove(task)


class BaseWorker(CommonWorker):
    """An asyncio worker: ``start``, ``stop``, ``do_<action>(self, arg)``, tasks by `spawn`. Handlers get text or None.

    It runs on CPython's own event loop, one a worker. New props are better written with ``from halloween_host import BaseWorker``.
    """

    dialect: ClassVar = "legacy"

    def __init__(self, prop_id: str, mqtt: LegacyMqtt, config: Any) -> None:
        self.prop_id = prop_id
        self.mqtt = mqtt
        self.config = config
        self._tasks = TaskList()
        self._halloween_berth = mqtt._halloween_berth

    @classmethod
    def check_config(cls, values: Mapping[str, Any]) -> None:
        cls._halloween_config(values)

    @classmethod
    def _halloween_config(cls, values: Mapping[str, Any]) -> Any:
        """The config as the module's `ConfigModel` (pydantic's, theirs) makes it, or the plain dict.

        Raises:
            ModelError: when the model refuses it, naming each field (never a value: it may be a secret).
        """
        model = _config_model(cls)
        if model is None:
            return dict(values)
        # pydantic 2's and 1's names; a BaseSettings reads the environment by either, any other class takes keywords
        validate = getattr(model, "model_validate", None) or getattr(model, "parse_obj", None)
        try:
            return validate(dict(values)) if validate else model(**values)
        except Exception as error:
            raise ModelError(f"{model.__module__}.{model.__qualname__}", _problems(error)) from error

    async def start(self) -> None:
        """Publishes the state `started`; override it and call ``await super().start()`` first."""
        self.publish_state("started", qos=1, retain=True)

    async def stop(self) -> None:
        """Cancels spawned tasks and publishes the state `stopped`; override it and call ``await super().stop()`` last."""
        first = self._halloween_berth.moment != "after stop()"
        await super().stop()
        if first:
            self.publish_state("stopped", qos=1, retain=True)

    def spawn(
        self, coro: Coroutine[Any, Any, Any] | Callable[..., Coroutine[Any, Any, Any]], *args: Any
    ) -> asyncio.Task[Any]:
        """Start a coroutine as a task that ends with the worker; one that fails is the worker's crash.

        Raises:
            SpawnError: before `start()` or after `stop()`.
        """
        task: asyncio.Task[Any] = self._spawner(coro).spawn(coro, args)
        return task

    def telemetry(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:
        """Publish ``str(value)`` on ``halloween/<prop>/telemetry/<key>``."""
        self._post_telemetry(key, legacy_value(value), qos, retain)

    def status(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:
        """Publish ``str(value)`` on ``halloween/<prop>/status/<key>``; `availability` and `health` are the host's."""
        self._post_status(key, legacy_value(value), qos, retain)

    def publish_status(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:
        """The same as `status`."""
        self.status(key, value, qos, retain)

    def publish_state(self, text: object, qos: int = 0, retain: bool = False) -> None:
        """Publish the worker's own word (`armed`, `playing`) on ``halloween/<prop>/state``."""
        self._post(topics.state(self.prop_id), legacy_value(text), "status", qos, retain)

    def command(
        self,
        target_prop: str,
        action: str,
        args: object = None,
        qos: int = 1,
        *,
        ttl: float | None = None,
        id: str | float | None = None,
    ) -> None:
        """Send a command to another prop; dropped with a log line when the broker did not take it within 5 s.

        With a `ttl` it is refused where it arrives more than so many seconds late. With an `id` (text or a number) it runs once,
        however often it is sent, and its outcome is told on ``halloween/<target>/ack``. One brings a default of the other: 5 s,
        an id of its own.
        """
        self._post_command(target_prop, action, args, qos, ttl, id)

    def broadcast(self, targets: Iterable[str], action: str, args: object = None, qos: int = 1) -> None:
        """Send the same command to several props."""
        self._post_broadcast(targets, action, args, qos)

    async def ask(self, target: str, action: str, args: object = None, *, timeout: float = 5.0) -> Any:
        """Send a command to another prop and return what its handler returned; `timeout` is in seconds.

        Raises:
            CommandFailed, CommandRefused, CommandCancelled: by what became of it.
            TimeoutError: when no answer came in time.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Ack] = loop.create_future()

        def take(ack: Ack) -> None:
            if not answer.done():
                answer.set_result(ack)

        def tell(ack: Ack) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits in it any more
                loop.call_soon_threadsafe(take, ack)

        inquiry = self._inquire(target, action, args, timeout, tell)
        try:
            await asyncio.wait([answer], timeout=timeout)
        finally:
            self._halloween_berth.hooks.forget(inquiry)
        if not answer.done():
            raise no_answer(target, action, timeout)
        return answer_of(answer.result(), target, action)

    def resolve_config_var(self, key: str, default: Any = None) -> Any:
        """The config's `key` with ``${NAME}`` filled from the environment; `default` when key or variable are missing."""
        config = self.config
        value = config.get(key, default) if isinstance(config, Mapping) else getattr(config, key, default)
        if not isinstance(value, str):
            return value
        if any(name not in os.environ for name in _VARIABLE.findall(value)):
            return default
        return _VARIABLE.sub(lambda match: os.environ[match[1]], value)

    def on_message(self, msg: LegacyMessage) -> Awaitable[object]:
        """What a message on the worker's `cmd` topic does: its action's handler starts. Override it to see messages raw.

        Plain or awaited, ``super().on_message(msg)`` starts the handler; awaited inside the loop, it waits for its end.
        """
        return self.mqtt._halloween_dispatch(msg)


class Done:
    """Something to await that is over already."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


def _config_model(worker_class: type) -> type[Any] | None:
    """The `ConfigModel` of worker.py, or else of the module (an api.py, say) that the class or a base of it comes from."""
    package = worker_class.__module__.rpartition(".")[0]
    for module in (f"{package}.worker", *(each.__module__ for each in worker_class.__mro__)):
        model = getattr(sys.modules.get(module), "ConfigModel", None)
        if isinstance(model, type):
            return model
    return None


def _problems(error: Exception) -> tuple[tuple[str, str], ...]:
    """(field, what is wrong) for each error of a pydantic ValidationError; what else was raised as one line."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return (("", f"{type(error).__name__}: {error}"),)
    return tuple((".".join(map(str, each["loc"])), str(each["msg"])) for each in errors())
