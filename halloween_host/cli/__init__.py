"""The command line: argv in, one exit status out; the only place where `os.environ` is read."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Do what the command line says, then end the process: 0 done, 1 failed, 2 wrong use, 130 Ctrl-C."""
    try:
        # Inside the `try`: a Ctrl-C while half of the packages are imported is as quiet as a later one.
        from halloween_host.cli._light import import_structlog

        import_structlog()
        from halloween_host.cli._app import run_command_line
        from halloween_host.cli._leaving import end, end_by_bug

        sys.excepthook = end_by_bug
        status = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    end(status)
