"""The native BaseWorker: anyio-compatible, its tasks live in a Trio nursery of its own."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVarTuple, get_args, get_origin

import attrs
import trio

from halloween_host.acks import Ack
from halloween_host.payloads import encode_value
from halloween_host.structuring import structure
from halloween_host.worker._asking import answer_of, no_answer
from halloween_host.worker._berth import Berth
from halloween_host.worker._common import CommonWorker

__all__ = ["BaseWorker"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    SettingsT = TypeVar("SettingsT", default=None)
else:
    SettingsT = typing.TypeVar("SettingsT")  # the default is for type checkers; Python has it from 3.13 on
ArgsT = TypeVarTuple("ArgsT")


def _settings_class(wanted: object) -> type[Any] | None:
    """What stands in the brackets of ``BaseWorker[…]``; a type variable leaves it to a subclass."""
    if wanted is None or wanted is type(None) or isinstance(wanted, typing.TypeVar):
        return None
    if isinstance(wanted, type) and attrs.has(wanted):
        return wanted
    raise TypeError(f"BaseWorker[{wanted!r}]: the settings must be an attrs class; put @attrs.frozen above it")


class BaseWorker(CommonWorker, Generic[SettingsT]):
    """Inherit from it, call the class `Worker`, and the host runs it: one instance at a time, restarted when it crashes.

    ``class Worker(BaseWorker[FoggerConfig])`` with an attrs class gives the config as a checked instance in `settings`; the plain
    dict `config` is there in any case. Methods called ``do_<action>(self, arg)`` answer commands; their annotation decides what
    they receive. `telemetry`, `status`, `command` and `broadcast` never block and may be called from any thread.
    """

    dialect: ClassVar = "native"

    #: One topic level: the folder's name, or `PROP_ID` of the module.
    prop_id: str
    #: The config file as a plain dict; ``{}`` without one.
    config: dict[str, Any]
    #: The config as the attrs class in the brackets; None for a bare `BaseWorker`.
    settings: SettingsT

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, BaseWorker) and get_args(base):
                cls.settings_class = _settings_class(get_args(base)[0])

    def __init__(self, prop_id: str, berth: Berth, config: dict[str, Any]) -> None:
        """Called by the host; an override takes the same three and hands them to ``super().__init__``.

        Raises:
            StructureError: when `config` does not fit the settings class (the host checks that before, with file and line).
        """
        self.prop_id = prop_id
        self.config = config
        self._halloween_berth = berth
        self.settings = structure(config, self.settings_class) if self.settings_class else None  # type: ignore[assignment] # None is the default of SettingsT

    def spawn(
        self,
        function: Callable[[*ArgsT], Awaitable[object]] | Coroutine[Any, Any, object],
        *args: *ArgsT,
    ) -> trio.CancelScope:
        """Start an async function with its arguments (or a coroutine object) as a task of this worker; returns its cancel scope.

        An exception that leaves it is a crash: the worker goes offline, its `stop()` runs, and a new instance is started.

        Raises:
            SpawnError: before `start()` or after `stop()`.
        """
        scope: trio.CancelScope = self._spawner(function).spawn(function, args)
        return scope

    def telemetry(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:
        """Publish a value on ``halloween/<prop>/telemetry/<key>``; what is said before the worker is online follows `online`.

        Raises:
            PayloadError: when the value has no form on the wire (NaN, an object that is no JSON).
            TopicError: when `key` cannot end a topic.
        """
        self._post_telemetry(key, encode_value(value), qos, retain)

    def status(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:
        """Publish human-readable text on ``halloween/<prop>/status/<key>``; `availability` and `health` are the host's.

        Raises:
            PayloadError, TopicError: as for `telemetry`.
        """
        self._post_status(key, encode_value(value), qos, retain)

    def command(
        self,
        target: str,
        action: str,
        args: object = None,
        *,
        qos: int = 1,
        ttl: float | None = None,
        id: str | float | None = None,
    ) -> None:
        """Send a command to another prop; dropped with a log line when the broker did not take it within 5 s.

        With a `ttl` it is refused where it arrives more than so many seconds late. With an `id` (text or a number) it runs once,
        however often it is sent, and its outcome is told on ``halloween/<target>/ack``. One brings a default of the other: 5 s,
        an id of its own.

        Raises:
            PayloadError: when `args` is no JSON value.
            TopicError, CommandError: when `target` is no prop id, `action` no identifier, `ttl` no seconds, `id` no id.
        """
        self._post_command(target, action, args, qos, ttl, id)

    def broadcast(self, targets: Iterable[str], action: str, args: object = None, *, qos: int = 1) -> None:
        """Send the same command to several props, in their order. Raises as `command`."""
        self._post_broadcast(targets, action, args, qos)

    async def ask(self, target: str, action: str, args: object = None, *, timeout: float = 5.0) -> Any:
        """Send a command to another prop and return what its handler returned; `timeout` is in seconds.

        Raises:
            CommandFailed: when the handler raised or took too long.
            CommandRefused: when the command was not taken; the text says why.
            CommandCancelled: when the handler was cancelled: by a newer command, a stop, a crash, a panic.
            TimeoutError: when no answer came in time.
            PayloadError, TopicError, CommandError: as `command`.
        """
        answers: list[Ack] = []
        answered = trio.Event()

        def tell(ack: Ack) -> None:
            answers.append(ack)
            answered.set()

        inquiry = self._inquire(target, action, args, timeout, tell)
        try:
            with trio.move_on_after(timeout):
                await answered.wait()
        finally:
            self._halloween_berth.hooks.forget(inquiry)
        if not answers:
            raise no_answer(target, action, timeout)
        return answer_of(answers[0], target, action)
