"""Everything of ours that connects to a broker proves itself, and has the broker prove itself, by one and the same context."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.settings import BrokerSettings

__all__ = ["tls_of"]

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"


def tls_of(broker: BrokerSettings) -> ssl.SSLContext | None:
    """How the broker is checked, and by which certificate we are known; None without TLS.

    Raises:
        InvalidSettings: when a file of certificates or the key cannot be used; names its variable and what to do.
    """
    if not broker.tls:
        return None
    context = _trusting(broker.ca_file)
    if broker.cert_file is not None and broker.key_file is not None:
        _prove(context, broker.cert_file, broker.key_file)
    return context


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _wrong("MQTT_CA_FILE", ca_file, f"expected certificates (PEM): {_cause(error)}") from None


def _prove(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for variable, path, mark, what in (
        ("MQTT_CERT_FILE", certificate, _CERTIFICATE, "a certificate"),
        ("MQTT_KEY_FILE", key, _KEY, "a private key"),
    ):
        if mark not in _content(variable, path):
            raise _wrong(variable, path, f"expected {what} (PEM), it holds none")
    encrypted = False

    def refuse_to_ask() -> str:  # OpenSSL would ask for the pass phrase on the terminal, at every start
        nonlocal encrypted
        encrypted = True
        raise ValueError

    try:
        context.load_cert_chain(certificate, key, refuse_to_ask)
    except (OSError, ValueError) as error:
        if encrypted:
            fix = f"take it away by `openssl pkey -in {key} -out plain.key`, and chmod 600"
            raise _wrong(
                "MQTT_KEY_FILE", key, f"the key has a pass phrase that nobody can type at the start: {fix}"
            ) from None
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            raise _wrong("MQTT_KEY_FILE", key, f"is another certificate's key, not that of {certificate}") from None
        raise _wrong("MQTT_CERT_FILE", certificate, f"cannot be used with {key}: {_cause(error)}") from None


def _content(variable: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(variable, path, f"cannot be read by the user that runs this: {_cause(error)}") from None


def _cause(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def _wrong(variable: str, path: Path | None, reason: str) -> InvalidSettings:
    return InvalidSettings((SettingsError(variable, None if path is None else str(path), reason),))
