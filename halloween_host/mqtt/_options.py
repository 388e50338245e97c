"""What a connection is given at its start: the protocol's version, the will, the TLS files."""

from __future__ import annotations

import errno
import os
import ssl
from enum import IntEnum
from pathlib import Path
from typing import Final

import attrs
from paho.mqtt.properties import Properties

MAX_PAYLOAD_BYTES: Final = 268_435_455  # MQTT 3.1.1, section 2.2.3: the largest remaining length

#: What a message's payload may be; None is an empty payload, numbers are sent as their text.
PayloadType = str | bytes | bytearray | int | float | None


class ProtocolVersion(IntEnum):
    """The versions of MQTT that the client speaks."""

    V311 = 4
    V5 = 5


@attrs.frozen
class Will:
    """The message that the broker publishes for us when the connection ends without our DISCONNECT."""

    topic: str
    payload: PayloadType = None
    qos: int = 0
    retain: bool = False
    properties: Properties | None = None


@attrs.frozen
class TLSParameters:
    """The files of a TLS connection; without `ca_certs` the system's authorities are trusted.

    The files are read when the connection opens, in its thread.
    """

    ca_certs: str | Path | None = None
    certfile: str | Path | None = None
    keyfile: str | Path | None = None
    keyfile_password: str | None = attrs.field(default=None, repr=False)
    cert_reqs: ssl.VerifyMode = ssl.CERT_REQUIRED
    ciphers: str | None = None

    def context(self) -> ssl.SSLContext:
        """A context of these parameters.

        Raises:
            OSError: when a file is missing (named) or holds no certificate or key (an ssl.SSLError).
        """
        for path in (self.ca_certs, self.certfile, self.keyfile):
            if path is not None and not Path(path).is_file():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        context = ssl.create_default_context(cafile=None if self.ca_certs is None else str(self.ca_certs))
        if self.certfile is not None:
            context.load_cert_chain(self.certfile, self.keyfile, self.keyfile_password)
        if self.cert_reqs != ssl.CERT_REQUIRED:
            context.check_hostname = False
            context.verify_mode = self.cert_reqs
        if self.ciphers is not None:
            context.set_ciphers(self.ciphers)
        return context


def encode_payload(payload: PayloadType) -> bytes:
    """A payload's bytes: text as UTF-8, numbers as their text.

    Raises:
        TypeError: for another type.
        ValueError: when it is too long for MQTT, or text that cannot be written as UTF-8.
    """
    if isinstance(payload, bytes):
        data = payload
    elif isinstance(payload, str):
        data = payload.encode()
    elif isinstance(payload, bytearray):
        data = bytes(payload)
    elif payload is None:
        data = b""
    elif isinstance(payload, (int, float)):
        data = str(payload).encode()
    else:
        raise TypeError(f"a payload is str, bytes, a number or None, not {type(payload).__name__}")
    if len(data) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD_BYTES:,} bytes, this one has {len(data):,}")
    return data
