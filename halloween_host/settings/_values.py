"""Settings are frozen values; their defaults are those of the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import attrs

from halloween_host.errors import did_you_mean

__all__ = ["BrokerSettings", "Settings", "Toggles"]


@attrs.frozen
class BrokerSettings:
    """Which broker, and how; without a `host` it is `embedded`, which `embedded_only` insists on (never a foreign one)."""

    host: str | None = None
    port: int = 1883
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    client_id: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    transport: Literal["tcp", "websockets"] = "tcp"
    keepalive_s: int = 10
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    fast_path: bool = True
    embedded: bool = attrs.Factory(lambda self: self.host is None, takes_self=True)
    embedded_only: bool = False


@attrs.frozen
class Toggles:
    """Which workers of one kind may load: DISABLE_ALL beats ALLOW, and where ALLOW is set, DISABLE counts no more."""

    prefix: Literal["BUILTINS", "PROPS"]
    disable_all: bool = False
    allow: tuple[str, ...] | None = None
    disable: tuple[str, ...] = ()

    def permits(self, name: str) -> str | None:
        """None when `name` may load, else the reason why not, which names the variable."""
        if self.disable_all:
            return f"WORKER_DISABLE_ALL_{self.prefix} is set"
        if self.allow is not None:
            return None if name in self.allow else f"not in WORKER_{self.prefix}_ALLOW={','.join(self.allow)}"
        return f"in WORKER_{self.prefix}_DISABLE" if name in self.disable else None

    def unmatched(self, names: Iterable[str]) -> list[str]:
        """A warning for each listed name that is none of `names`, the workers that were found."""
        known = sorted(names)
        what = "built-in" if self.prefix == "BUILTINS" else "prop"
        lists = (("ALLOW", self.allow or ()), ("DISABLE", self.disable))
        return [
            f"WORKER_{self.prefix}_{verb} names {name!r}: there is no such {what}{did_you_mean(name, known)}"
            for verb, listed in lists
            for name in listed
            if name not in known
        ]


@attrs.frozen
class Settings:
    """All that the environment and `--broker` say; `warnings` are lines for the log (misspelt variables, for one)."""

    broker: BrokerSettings = BrokerSettings()
    builtins: Toggles = Toggles("BUILTINS")
    props: Toggles = Toggles("PROPS")
    start_timeout_s: float = 30.0
    stop_timeout_s: float = 5.0
    safe_timeout_s: float = 1.0
    restart_limit: int = 5
    restart_window_s: float = 60.0
    mailbox_capacity: int = 10_000
    presence_max: int = 200
    isolate: tuple[str, ...] = ()
    watchdog_s: float = 0.25
    watchdog_exit_s: float = 30.0
    state_dir: Path = Path("state")
    log_level: str = "INFO"
    log_format: Literal["console", "json"] = "console"
    warnings: tuple[str, ...] = ()

    def alone(self, name: str, *, builtin: bool) -> Settings:
        """As these, for a host that loads this one worker (its folder's or file's name)."""
        builtins, props = Toggles("BUILTINS", disable_all=True), Toggles("PROPS", disable_all=True)
        if builtin:
            builtins = Toggles("BUILTINS", allow=(name,))
        else:
            props = Toggles("PROPS", allow=(name,))
        return attrs.evolve(self, builtins=builtins, props=props, isolate=())
