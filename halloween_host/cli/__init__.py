"""The command line: argv in, one exit status out; the only place where `os.environ` is read."""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

from halloween_host.leash import CONFINED, fork_on_leash

__all__ = ["main"]

#: An option of `run` that is read here: who keeps a host is half as large as one that knows Trio and a parser.
RESTART: Final = "--restart"


def main() -> NoReturn:
    """Do what the command line says, then end the process: 0 done, 1 failed, 2 wrong use, 130 Ctrl-C."""
    try:
        # Inside the `try`: a Ctrl-C while half of the packages are imported is as quiet as a later one.
        confined = os.environ.pop(CONFINED, None)
        if confined is not None:
            fork_on_leash(confined)
        from halloween_host.cli._light import import_structlog

        import_structlog()
        if _is_to_be_kept(sys.argv[1:]):
            from halloween_host.cli._restarting import keep_running

            sys.exit(keep_running([each for each in sys.argv[1:] if each != RESTART]))
        from halloween_host.cli._app import run_command_line
        from halloween_host.cli._leaving import end, end_by_bug

        sys.excepthook = end_by_bug
        status = run_command_line(sys.argv[1:]) if confined is None else _run_isolated()
    except KeyboardInterrupt:
        sys.exit(130)
    end(status)


def _run_isolated() -> int:
    from halloween_host.cli._light import import_paho

    import_paho()
    from halloween_host.cli._isolated import isolated

    return isolated()


def _is_to_be_kept(arguments: list[str]) -> bool:
    """What is wrong with the other options is found, and told, in the child."""
    return arguments[:1] == ["run"] and RESTART in arguments and not {"--help", "-h"} & set(arguments)
