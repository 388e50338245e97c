"""Every environment variable that we read stands in one table; a name that is not in it is not ours."""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["EMBEDDED", "FOREIGN", "VARIABLES", "Variable"]

#: Others' variables that look like misspelt ones of ours: systemd's (sd_notify(3)).
FOREIGN: Final = frozenset(["WATCHDOG_PID", "WATCHDOG_USEC"])
#: As a host it means: a broker of our own.
EMBEDDED: Final = "embedded"


@attrs.frozen
class Variable:
    """One environment variable that we read, as the documentation's table shows it."""

    name: str
    default: str
    meaning: str
    secret: bool = False


def _toggles(kind: str, what: str) -> tuple[Variable, ...]:
    return (
        Variable(f"WORKER_DISABLE_ALL_{kind}", "0", f"`1`: load no {what} at all"),
        Variable(
            f"WORKER_{kind}_ALLOW", "all", f"load these {what} alone (`a,b`), whatever `WORKER_{kind}_DISABLE` says"
        ),
        Variable(f"WORKER_{kind}_DISABLE", "none", f"load all {what} but these (`a,b`)"),
    )


#: Every variable that we read, in the order of the documentation.
VARIABLES: Final[tuple[Variable, ...]] = (
    Variable("MQTT_HOST", EMBEDDED, "the broker's name or address; `embedded` insists on a broker of the host's own"),
    Variable("MQTT_PORT", "1883", "the broker's port"),
    Variable("MQTT_USERNAME", "none", "the broker's user"),
    Variable("MQTT_PASSWORD", "none", "that user's password; never shown", secret=True),
    Variable(
        "MQTT_PASSWORD_FILE",
        "none",
        "a file that holds that password, instead of `MQTT_PASSWORD`; one newline at its end is not part of it",
        secret=True,  # who writes the password itself here must not read it in the log
    ),
    Variable("MQTT_WORKER_USER", "none", "2025's name for `MQTT_USERNAME`, read when that is not set"),
    Variable("MQTT_WORKER_PW", "none", "2025's name for `MQTT_PASSWORD`, read when that is not set", secret=True),
    Variable("MQTT_CLIENT_ID", "made from host and folder", "the client id; no two hosts may share one"),
    Variable("MQTT_TLS", "0", "`1`: speak TLS"),
    Variable("MQTT_CA_FILE", "the system's", "certificates (PEM) that the broker's own is checked against"),
    Variable("MQTT_CERT_FILE", "none", "the host's own certificate (PEM), for a broker that wants one"),
    Variable("MQTT_KEY_FILE", "none", "that certificate's private key (PEM), without a pass phrase"),
    Variable("MQTT_TRANSPORT", "tcp", "`tcp` or `websockets`"),
    Variable("MQTT_KEEPALIVE", "10", "seconds between signs of life, 1 to 65535"),
    Variable("MQTT_PROTOCOL", "auto", "`auto` (5, then 3.1.1), or insist on `5` or `3.1.1`"),
    Variable("MQTT_FAST_PATH", "1", "`0`: let every packet go through paho, to find out whose fault something is"),
    *_toggles("BUILTINS", "built-ins"),
    *_toggles("PROPS", "props"),
    Variable("WORKER_ISOLATE", "none", "run each of these workers (`a,b`) in a process of its own"),
    Variable("WORKER_START_TIMEOUT_S", "30", "seconds until a `start()` that does not return is reported"),
    Variable("WORKER_STOP_TIMEOUT_S", "5", "seconds that `stop()` may take"),
    Variable("WORKER_SAFE_TIMEOUT_S", "1", "seconds that `safe()` may take"),
    Variable("WORKER_RESTART_LIMIT", "5", "crashes within the window that are restarted by back-off"),
    Variable("WORKER_RESTART_WINDOW_S", "60", "that window in seconds; past the limit it is one try a minute"),
    Variable("WORKER_MAILBOX_CAPACITY", "10000", "commands that may wait and run for one worker"),
    Variable("PRESENCE_MAX", "200", "workers that may have a connection of their own; `0`: none"),
    Variable("WATCHDOG_S", "0.25", "seconds that a worker may keep the event loop from all others before it is named"),
    Variable("WATCHDOG_EXIT", "30", "seconds after which a blocked host ends itself (status 70); `0`: never"),
    Variable(
        "STATE_DIR",
        "state/",
        "the folder of what must outlast the host: what workers store, the latch of a panic; one for each host",
    ),
    Variable("LOG_LEVEL", "INFO", "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`"),
    Variable("LOG_FORMAT", "console", "`console` (to be read) or `json` (one object a line)"),
)
