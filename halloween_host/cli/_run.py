"""`run`: the host in this process."""

from __future__ import annotations

from halloween_host.cli._options import BrokerOption, BuiltinsOption, PropsOption, RestartOption
from halloween_host.errors import InvalidSettings, SettingsError

__all__ = ["run_"]


async def run_(
    *,
    props: PropsOption = None,
    builtins: BuiltinsOption = None,
    broker: BrokerOption = None,
    restart: RestartOption = False,
) -> int:
    """Run the workers of all props and built-ins until SIGINT or SIGTERM.

    The first signal ends every worker in good order, the second one ends at
    once. Without MQTT_HOST and --broker, a broker that answers on
    localhost:1883 is used, else one is started there. Logs go to stderr.

    --broker takes mqtt:// (TLS: mqtts://; web sockets: ws://, wss://) with
    user, host and port, or host:port alone; or embedded:port, which insists on a
    broker of the host's own. It wins over the MQTT_ variables. A password has no
    place there, where every user of the machine reads it: MQTT_PASSWORD_FILE.

    SIGUSR1 is a panic: everything stops, every safe() runs, and the host stays
    latched until "halloween-host rearm".

    With --restart a small process runs the host, and another one when that ended
    with 1 or 70 or was killed: at once, then later and later, once a minute after
    five in a minute. SIGTERM, SIGINT, SIGHUP and SIGUSR1 are passed on. Not
    needed under systemd or Docker, which do the same.

    Exit status: 0 after a stop in good order; 1 when the embedded broker cannot
    come up, another host has the same STATE_DIR or an extension held Python's
    lock for WATCHDOG_EXIT; 2 for wrong variables or options; 70 when a worker
    blocked a panic, or the host for WATCHDOG_EXIT; 75 when another host took
    over our client id; 128 + the signal's number when the host was not up yet, or
    when two signals came.
    """
    from halloween_host.cli._hosting import host

    if restart:  # written in a way that `main` does not know
        raise InvalidSettings((SettingsError("--restart", "true", "expected no value: --restart alone"),))
    return await host(props=props, builtins=builtins, broker=broker)
