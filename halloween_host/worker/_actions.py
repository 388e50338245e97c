"""A worker's actions are its `do_*` methods; a command is bound to one of them, its argument checked against the annotation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import attrs

from halloween_host.commands import Command
from halloween_host.errors import CommandError, LoadError, StructureError, did_you_mean
from halloween_host.structuring import check_hint, structure_argument
from halloween_host.worker._annotations import resolve
from halloween_host.worker._modes import Manner, Mode, manner_of

if TYPE_CHECKING:
    from halloween_host.worker._common import CommonWorker

__all__ = ["Action", "Call", "bind", "is_async", "read_actions"]

_PREFIX: Final = "do_"
#: Takes an action and its text, for all actions that have no handler of their own.
_FALLBACK: Final = "do_command"

_TEXT_OR_NONE: Final = str | None
#: What always has a form as text, or needs none.
_SURELY_TEXT: Final = (str, int, type(None))

#: What tells `inspect.signature` that a function is not called as it was written.
_SIGNED: Final = frozenset({"__wrapped__", "__signature__"})


@attrs.frozen
class Action:
    """One `do_*` method as its class defines it. `hint` is what its argument is structured by, None for text.

    `mode`, `cooldown_s` and `timeout_s` are what `@action` says (see there).
    """

    name: str
    is_async: bool
    takes_argument: bool
    has_default: bool = False
    hint: object = None
    mode: Mode = "parallel"
    cooldown_s: float | None = None
    timeout_s: float | None = None
    #: What the class calls it, and whether its argument is text as it came, or None.
    method: str = attrs.field(init=False, default=attrs.Factory(lambda self: _PREFIX + self.name, takes_self=True))
    takes_text: bool = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.hint is None or self.hint == _TEXT_OR_NONE, takes_self=True)
    )


@attrs.define  # frozen, making one would take three times as long, and there is one a command
class Call:
    """A handler with its arguments, ready to run: awaited when `is_async`, else called in a thread; not to be changed."""

    action: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    is_async: bool


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await (also behind `functools.partial` and decorators that keep `__wrapped__`)."""
    return inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(function)


def read_actions(worker_class: type[CommonWorker], prop_id: str, path: Path) -> dict[str, Action]:
    """All actions of a class by name, sorted.

    Raises:
        LoadError: when a native handler has an annotation that cannot be resolved or structured, or more than one parameter
            without a default, or when a plain handler of either dialect has a timeout or the mode "restart"; it names the
            handler's own file and line.
    """
    actions = {}
    names = {name for each in worker_class.__mro__ for name in vars(each) if name.startswith(_PREFIX)}
    for attribute in sorted(names):
        function = getattr(worker_class, attribute, None)
        name = attribute.removeprefix(_PREFIX)
        if not name.isidentifier() or not callable(function):
            continue
        try:
            if worker_class.dialect == "legacy" or attribute == _FALLBACK:
                found = Action(name, is_async(function), takes_argument=True)
            else:
                found = _read_native(worker_class, name, function)
            actions[name] = _with_manner(found, function)
        except TypeError as error:
            where, line = _source(function, path)
            raise LoadError(prop_id, where, f"{attribute}(): {error}", line=line) from None
    return actions


def bind(worker: CommonWorker, actions: Mapping[str, Action], command: Command) -> Call:
    """The handler of `worker` for `command`, its argument as the annotation wants it.

    Raises:
        CommandError: when the worker has no such action (it names those it has), or the argument does not fit (action, expected, got).
    """
    action = actions.get(command.action)
    function = getattr(worker, _PREFIX + command.action if action is None else action.method, None)
    if not callable(function):
        fallback = getattr(worker, _FALLBACK, None)
        if callable(fallback):
            return Call(command.action, fallback, (command.action, command.text), is_async(fallback))
        raise CommandError(_unknown(command.action, actions), action=command.action)
    if action is None:  # put on the instance by its author: 2025's getattr found those too
        return Call(command.action, function, (command.text,), is_async(function))
    if not action.takes_argument:
        if command.args is not None:
            raise CommandError(f"takes no argument, got {command.text!r:.80}", action=command.action)
        return Call(action.name, function, (), action.is_async)
    if action.has_default and command.args is None:
        return Call(action.name, function, (), action.is_async)
    if action.hint is None or (action.takes_text and type(command.args) in _SURELY_TEXT):
        return Call(action.name, function, (command.text,), action.is_async)
    try:
        argument = structure_argument(command.args, action.hint)
    except StructureError as error:
        raise CommandError(str(error), action=command.action) from error
    return Call(action.name, function, (argument,), action.is_async)


def _unknown(name: str, actions: Mapping[str, Action]) -> str:
    has = f"this worker has: {', '.join(actions)}" if actions else "this worker has no actions"
    return f"no such action{did_you_mean(name, actions) or ';'} {has}"


def _read_native(worker_class: type, name: str, function: Callable[..., Any]) -> Action:
    argument = _argument(worker_class, _PREFIX + name, function)
    if argument is None:
        return _common_action(name, is_async(function), takes_argument=False)
    bare = inspect.unwrap(function)
    try:
        hints = resolve(bare, worker_class)
    except Exception as error:
        raise TypeError(f"its annotation cannot be resolved: {type(error).__name__}: {error}") from error
    parameter, has_default = argument
    make = _common_action if hints.common else _action
    hint = hints.by_name.get(parameter)
    return make(name, is_async(function), takes_argument=True, has_default=has_default, hint=hint)


def _argument(worker_class: type, attribute: str, function: Callable[..., Any]) -> tuple[str, bool] | None:
    """The parameter that takes a handler's argument, and whether it has a default; None when it takes no argument."""
    if _is_plain(worker_class, attribute, function):
        code = function.__code__
        return (code.co_varnames[1], bool(function.__defaults__)) if code.co_argcount > 1 else None
    parameters = list(inspect.signature(function).parameters.values())
    if not isinstance(inspect.getattr_static(worker_class, attribute), staticmethod | classmethod):
        parameters = parameters[1:]  # self
    wanted = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.KEYWORD_ONLY)]
    required = [each for each in wanted if each.default is each.empty and each.kind is not each.VAR_POSITIONAL]
    if len(required) > 1:
        raise TypeError(
            f"a handler takes one argument, this one wants {len(required)}: {', '.join(map(str, required))}"
        )
    return (wanted[0].name, wanted[0].default is not inspect.Parameter.empty) if wanted else None


def _is_plain(worker_class: type, attribute: str, function: Callable[..., Any]) -> TypeGuard[FunctionType]:
    """Whether it is a method as most are, ``(self)`` or ``(self, arg)``: `inspect.signature` takes ten times what a look at it takes."""
    return (
        isinstance(function, FunctionType)
        and function.__code__.co_argcount in (1, 2)
        and not function.__code__.co_flags & inspect.CO_VARARGS
        and _SIGNED.isdisjoint(vars(function))
        and next((vars(each)[attribute] for each in worker_class.__mro__ if attribute in vars(each)), None) is function
    )


def _action(
    name: str, asynchronous: bool, *, takes_argument: bool, has_default: bool = False, hint: Any = None
) -> Action:
    if hint is not None:
        check_hint(hint)
    return Action(name, asynchronous, takes_argument=takes_argument, has_default=has_default, hint=hint)


#: Workers whose actions look alike share them; a hint of an author's own would be kept after its file was loaded again.
_common_action: Final = functools.lru_cache(maxsize=4096)(_action)


def _with_manner(action: Action, function: Callable[..., Any]) -> Action:
    manner = manner_of(function)
    if manner == Manner():
        return action
    if not action.is_async and (manner.timeout_s is not None or manner.mode == "restart"):
        which = "timeout=" if manner.timeout_s is not None else 'mode="restart"'
        raise TypeError(
            f"@action({which}…) needs an 'async def': a plain method runs in a thread, which cannot be cancelled"
        )
    return attrs.evolve(action, mode=manner.mode, cooldown_s=manner.cooldown_s, timeout_s=manner.timeout_s)


def _source(function: Callable[..., Any], fallback: Path) -> tuple[Path, int | None]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (Path(code.co_filename), code.co_firstlineno) if code else (fallback, None)
