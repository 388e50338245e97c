"""`run`: the host in this process, from its settings to its exit status."""

from __future__ import annotations

import contextlib
import resource
import signal

import structlog

from halloween_host import legacy
from halloween_host.cli._complaints import leaves
from halloween_host.cli._environment import BrokerOption, read_environment, read_settings
from halloween_host.cli._leaving import leave
from halloween_host.cli._pid_lock import hold_pid_file
from halloween_host.cli._places import BuiltinsOption, PropsOption, find_places
from halloween_host.cli._signals import Signals
from halloween_host.errors import BrokerError
from halloween_host.host import Host
from halloween_host.logs import capture_prints, capture_strays, configure_logging

__all__ = ["run_"]

_log = structlog.stdlib.get_logger()


async def run_(*, props: PropsOption = None, builtins: BuiltinsOption = None, broker: BrokerOption = None) -> int:
    """Run the workers of all props and built-ins until SIGINT or SIGTERM.

    The first signal ends every worker in good order, the second one ends at
    once. Without MQTT_HOST and --broker, a broker that answers on
    localhost:1883 is used, else one is started there. Logs go to stderr.

    --broker takes mqtt:// (TLS: mqtts://; web sockets: ws://, wss://) with
    user, password, host and port, or host:port alone; or embedded:port, which
    insists on a broker of the host's own. It wins over the MQTT_ variables.

    SIGUSR1 is a panic: everything stops, every safe() runs, and the host stays
    latched until "halloween-host rearm".

    Exit status: 0 after a stop in good order; 1 when the embedded broker cannot
    come up or another host has the same STATE_DIR; 2 for wrong variables or
    options; 70 when a worker blocked a panic; 75 when another host took over our
    client id; 128 + the signal's number when the host was not up yet, or when
    two signals came.
    """
    environ = read_environment()
    settings = read_settings(environ, broker=broker)
    places = find_places(props, builtins)
    configure_logging(settings.log_level, settings.log_format)
    for warning in (*settings.warnings, legacy.untried_python()):
        if warning:
            _log.warning(warning)
    _raise_open_files()
    host = Host(settings, places, environ, leave=leave)
    signals = Signals(host.stop, stop_timeout_s=settings.stop_timeout_s)
    status = 0
    with hold_pid_file(settings.state_dir), capture_prints(), capture_strays(), signals:
        try:
            status = await host.run(task_status=signals)
        except* KeyboardInterrupt:
            status = 128 + (signals.first or signal.SIGINT)
        except* BrokerError as group:
            for error in leaves(group):
                _log.error(str(error))
            status = 1
    return status


def _raise_open_files() -> None:
    """Each asyncio worker takes 3 descriptors, each worker that subscribes a connection: take all we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, 10_240):  # macOS has no hard limit and takes OPEN_MAX at most (setrlimit(2) there)
        if soft != resource.RLIM_INFINITY and (limit == resource.RLIM_INFINITY or limit > soft):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return
