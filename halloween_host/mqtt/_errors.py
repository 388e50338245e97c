"""Everything that can go wrong with a broker is an MqttError; a reason code of the protocol makes it an MqttCodeError.

Errors of others (sockets, TLS, paho's parser) become ours here, in one table.
"""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Final

from paho.mqtt.properties import MQTTException  # type: ignore[attr-defined] # 2.2 has it, and does not re-export it

from halloween_host.errors import HalloweenHostError

from ._reasons import reason_text
from ._trust import tls_advice


class MqttError(HalloweenHostError):
    """The broker could not be reached, went away, or did not answer in time. What it refused is an `MqttCodeError`."""

    def again(self) -> MqttError:
        """An equal error to raise in another place: an exception raised twice would mix two tracebacks."""
        return MqttError(str(self))


class MqttTimeoutError(MqttError):
    """The broker was there and did not answer in time."""

    def again(self) -> MqttTimeoutError:
        return MqttTimeoutError(str(self))


class MqttCodeError(MqttError):
    """The broker answered with a reason code that means no; `reason_code` is the number that stood on the wire.

    Under MQTT 5 it is one of section 2.4's codes (128 and up), under MQTT 3.1.1 a CONNACK's 1 to 5 (section 3.2.2.3) or
    a SUBACK's 128.
    """

    def __init__(self, reason_code: int, what: str, detail: str = "") -> None:
        self.reason_code = reason_code
        self.what = what
        self.detail = detail
        more = f": {detail}" if detail else ""
        super().__init__(f"{what}: {reason_text(reason_code)} (reason code {reason_code}){more}")

    def again(self) -> MqttCodeError:
        return MqttCodeError(self.reason_code, self.what, self.detail)

    @property
    def rc(self) -> int:
        """`reason_code`, by aiomqtt's name."""
        return self.reason_code

    @property
    def unsupported_protocol(self) -> bool:
        """True when another version of MQTT may be understood (CONNACK 132; 1 from a broker without MQTT 5)."""
        return self.reason_code in (1, 132)

    @property
    def not_authorised(self) -> bool:
        """True when user name or password are wrong, or do not suffice."""
        return self.reason_code in (4, 5, 134, 135)

    @property
    def taken_over(self) -> bool:
        """True when another client connected with our client id (MQTT 5 alone says so, and not every broker does)."""
        return self.reason_code == 142


#: Reason codes for what a broker must not send (MQTT 5, section 4.13).
MALFORMED_PACKET: Final = 129
PROTOCOL_ERROR: Final = 130


class ProtocolViolation(Exception):
    """What no broker may send, never raised to callers; our DISCONNECT bears its `reason_code` (MQTT 5, section 3.14.2.1)."""

    def __init__(self, reason_code: int, what: str) -> None:
        self.reason_code = reason_code
        self.what = what
        meaning = f"{reason_text(reason_code)}, reason code {reason_code}"
        super().__init__(f"the broker broke the protocol: {what} ({meaning})")


#: What paho's parser raises on bytes that are no MQTT: its own MalformedPacket is caught inside.
MALFORMED: Final = (struct.error, IndexError, KeyError, ValueError, MQTTException)


def explain(error: BaseException) -> str:
    """A foreign error's cause in words a person understands, for the end of a sentence."""
    for kind, text in _TABLE:
        if isinstance(error, kind):
            return text.format(reason=_reason(error))
    return _reason(error)


_TABLE: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ssl.SSLCertVerificationError, "the broker's TLS certificate is not trusted: {reason}"),
    (ssl.SSLEOFError, "the TLS connection ended without a good-bye"),
    (ssl.SSLError, "TLS failed: {reason}"),
    (socket.gaierror, "no such host: {reason}"),
    (ConnectionRefusedError, "connection refused: nothing listens there"),
    (ConnectionResetError, "the connection was reset"),
    (BrokenPipeError, "the broker closed the connection"),
    (TimeoutError, "no answer in time"),
    (OSError, "{reason}"),
    *((kind, "the broker sent a malformed packet: {reason}") for kind in MALFORMED),
)


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message or error.reason or error) + tls_advice(error)
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).replace("_", " ").lower() + tls_advice(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    return str(error) or type(error).__name__
