"""The host in this process, from its settings to its exit status."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import structlog

from halloween_host import legacy, systemd
from halloween_host.cli import _collector as collector
from halloween_host.cli._complaints import leaves
from halloween_host.cli._environment import read_environment, read_settings
from halloween_host.cli._leash import hang_on_leash
from halloween_host.cli._leaving import leave
from halloween_host.cli._open_files import raise_open_files
from halloween_host.cli._pid_lock import hold_pid_file
from halloween_host.cli._places import find_places
from halloween_host.cli._signals import Signals
from halloween_host.errors import BrokerError
from halloween_host.host import Host
from halloween_host.logs import capture_prints, capture_strays, configure_logging
from halloween_host.program import Program, same_program

__all__ = ["host"]

#: Seconds beyond the workers' own deadline: the stop that a signal begins has 2.
LEASH_GRACE_S = 3.0

_log = structlog.stdlib.get_logger()


async def host(*, props: Path | None = None, builtins: list[Path] | None = None, broker: str | None = None) -> int:
    """See the command `run`; the exit status.

    Raises:
        InvalidSettings: for wrong variables, or a folder that was given and is none.
    """
    environ = read_environment()
    for name in systemd.VARIABLES:  # mosquitto, for one, would say READY for us
        os.environ.pop(name, None)
    settings = read_settings(environ, broker=broker)
    hang_on_leash(settings.stop_timeout_s + LEASH_GRACE_S, leave)
    places = find_places(props, builtins)
    configure_logging(settings.log_level, settings.log_format)
    for warning in (*settings.warnings, legacy.untried_python()):
        if warning:
            _log.warning(warning)
    raise_open_files()
    # what is of this process alone, the leash and systemd's, is gone from its environment by now
    program = Program(same_program(), read_environment(), Path.cwd())
    one = Host(settings, places, environ, leave=leave, loaded=collector.resume, program=program)

    def stop() -> None:
        collector.pause()
        one.stop()

    signals = Signals(stop, stop_timeout_s=settings.stop_timeout_s)
    status = 0
    quiet = collector.paused_to_load()
    with hold_pid_file(settings.state_dir), capture_prints(), capture_strays(), signals, quiet:
        try:
            status = await one.run(task_status=signals)
        except* KeyboardInterrupt:
            status = 128 + (signals.first or signal.SIGINT)
        except* BrokerError as group:
            for error in leaves(group):
                _log.error(str(error))
            status = 1
    return status
