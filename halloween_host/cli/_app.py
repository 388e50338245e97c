"""A command line becomes a command, imported only when it is called, and its errors one exit status."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Final

from halloween_host.cli._complaints import complain, leaves, without_passwords
from halloween_host.cli._leaving import let_go_of_stdout
from halloween_host.cli._plain import plain_command
from halloween_host.errors import CommandError, HalloweenHostError, InvalidSettings, PayloadError, TopicError

__all__ = ["run_command_line"]

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130

#: What the user can mend by typing it otherwise; all else of ours is a failure.
_WRONG_USE: Final = (InvalidSettings, TopicError, CommandError, PayloadError)


def run_command_line(arguments: Sequence[str]) -> int:
    """Do what `arguments` say; the exit status. Mistakes of the user's are a line each, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no UTF-8 is no reason to fail
    try:
        status = _run(arguments)
    except (KeyboardInterrupt, HalloweenHostError, BrokenPipeError, BaseExceptionGroup) as error:
        return _status_of(error, arguments)
    return status if isinstance(status, int) else DONE


def _run(arguments: Sequence[str]) -> object:
    if (command := plain_command(arguments)) is not None:
        import trio

        return trio.run(command)
    from halloween_host.cli._parser import parse_and_run

    return parse_and_run(arguments)


def _status_of(error: BaseException, arguments: Sequence[str]) -> int:
    """The status for an error, which is said here; one that is not the user's or the world's is raised again."""
    found = leaves(error)
    if any(isinstance(each, KeyboardInterrupt) for each in found):
        return INTERRUPTED
    if all(isinstance(each, BrokenPipeError) for each in found):
        let_go_of_stdout()  # the reader (`| head`) has seen enough
        return DONE
    if not all(isinstance(each, HalloweenHostError) for each in found):
        raise error
    for each in found:
        lines = map(str, each.problems) if isinstance(each, InvalidSettings) else [str(each)]
        complain(*(without_passwords(line, arguments) for line in lines))
    return WRONG_USE if all(isinstance(each, _WRONG_USE) for each in found) else FAILED
