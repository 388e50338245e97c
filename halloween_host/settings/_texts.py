"""One text in, one value out, or a ValueError that says what was expected."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from halloween_host.errors import did_you_mean
from halloween_host.settings._variables import EMBEDDED

__all__ = [
    "broker_address",
    "choice",
    "existing_file",
    "folder",
    "host_alone",
    "list_of_names",
    "positive_seconds",
    "printable",
    "seconds",
    "seconds_or_never",
    "switch",
    "whole_number",
    "without_credentials",
]

_ON: Final = ("1", "true", "yes", "on")
_OFF: Final = ("0", "false", "no", "off")
#: Scheme: (TLS, transport, port). Ports as registered with IANA for MQTT, RFC 6455 for WebSockets.
_SCHEMES: Final[Mapping[str, tuple[bool, Literal["tcp", "websockets"], int]]] = {
    "mqtt": (False, "tcp", 1883),
    "mqtts": (True, "tcp", 8883),
    "ws": (False, "websockets", 80),
    "wss": (True, "websockets", 443),
}


def host_alone(text: str) -> dict[str, Any]:
    if text == EMBEDDED:
        return {"embedded_only": True}
    if "://" in text or "@" in text:
        raise ValueError("expected a name or an address alone; a whole address goes to --broker")
    name, colon, port = text.partition(":")
    if colon and port.isdigit():
        raise ValueError(f"expected a name or an address alone: MQTT_HOST={name} MQTT_PORT={port}")
    return {"host": _host_name(text)}


def broker_address(text: str) -> dict[str, Any]:
    """``mqtt://user:password@host:1883``, ``mqtts``, ``ws``, ``wss``, ``host``, ``host:port``, ``embedded``, ``embedded:port``."""
    scheme, separator, _ = text.partition("://")
    try:
        parts = urlsplit(text if separator else f"//{text}")
        port = parts.port
    except ValueError:
        raise ValueError("expected host:port with a port from 1 to 65535 (an IPv6 address in brackets)") from None
    if port == 0:
        raise ValueError("expected a port from 1 to 65535, got 0")
    if separator and scheme not in _SCHEMES:
        got = f"{without_credentials(scheme)}{did_you_mean(scheme, _SCHEMES)}"
        raise ValueError(f"expected mqtt, mqtts, ws or wss before ://, got {got}")
    if parts.query or parts.fragment or parts.path not in ("", "/", "/mqtt" if scheme in ("ws", "wss") else ""):
        raise ValueError("expected nothing after host:port; write # / ? in a password as %23 %2F %3F")
    said: dict[str, Any] = {"port": port}
    if parts.hostname == EMBEDDED and not separator:
        return said | {"embedded_only": True}
    if separator:
        said["tls"], said["transport"], default_port = _SCHEMES[scheme]
        said["port"] = port or default_port
    said |= {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    return said | {"host": _host_name(parts.hostname or "")}


def _host_name(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # Underscores are no host name's by RFC 952, but Docker's service names have them.
        if not re.fullmatch(r"(?!-)[\w-]+(\.[\w-]+)*\.?", text) or len(text) > 253:
            raise ValueError("expected a host's name or address, such as localhost, broker.lan or 10.0.0.2") from None
        return text


def without_credentials(text: str) -> str:
    """The address, with what may be a user and a password as "…"; also when the host behind it was forgotten."""
    before, at, host = text.rpartition("@")
    if at:
        return f"{before.partition('://')[0] + '://' if '://' in before else ''}…@{host}"
    return re.sub(r"^(\w+://)?([^/:\[\]]+):(?!//|[0-9]+(/|$)).+", r"\1\2:…", text, flags=re.DOTALL)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return convert


def positive_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("expected seconds, a number above 0")
    return seconds


def seconds(low: float, high: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= (read := float(text)) <= high:
                return read
        raise ValueError(f"expected seconds, a number from {low:g} to {high:g}")

    return convert


def seconds_or_never(low: float, high: float) -> Callable[[str], float]:
    """As `seconds`; 0 is infinity."""

    def convert(text: str) -> float:
        if re.fullmatch(r"0(\.0*)?", text):
            return math.inf
        try:
            return seconds(low, high)(text)
        except ValueError as error:
            raise ValueError(f"{error}, or 0 for never") from None

    return convert


def switch(text: str) -> bool:
    if text.lower() not in _ON + _OFF:
        raise ValueError(f"expected {' '.join(_ON)} or {' '.join(_OFF)}")
    return text.lower() in _ON


def choice(options: tuple[Any, ...], **aliases: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        by_name = {option.lower(): option for option in options}
        by_name |= {alias.lower(): option for alias, option in aliases.items()}
        if text.lower() not in by_name:
            near = did_you_mean(text, options) or did_you_mean(text.upper(), options)
            raise ValueError(f"expected one of {', '.join(options)}{near}")
        return by_name[text.lower()]

    return convert


def list_of_names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def existing_file(text: str) -> Path:
    try:
        there = Path(text).is_file()
    except OSError as error:  # a name that is too long, a folder above it that is closed to us
        raise ValueError(f"expected a file (PEM): {error.strerror}") from None
    if not there:
        raise ValueError("expected a file (PEM), there is none of that name")
    return Path(text)


def folder(text: str) -> Path:
    """It need not exist yet: it is made where it is used."""
    path = Path(printable(text))
    for each in (path, *path.parents):
        try:
            there, is_folder = each.exists(), each.is_dir()
        except OSError as error:  # a name that is too long, a folder above it that is closed to us
            raise ValueError(f"expected a folder: {error.strerror}") from None
        if there and not is_folder:
            raise ValueError(f"expected a folder, {'this' if each == path else each} is a file")
        if there:
            break
    return path


def printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable characters")
    return text
