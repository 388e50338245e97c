"""TLS fails in OpenSSL's words; what a person can do about it stands here."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

__all__ = ["HANDSHAKE_CUT", "tls_advice"]

_NO_TLS_THERE: Final = "no TLS is spoken on that port: is it the right one (8883, as a rule), or is MQTT_TLS=1 wrong?"
#: mosquitto closes so at what is no MQTT to it.
HANDSHAKE_CUT: Final = f"the connection was cut in the midst of TLS's hand-shake; perhaps {_NO_TLS_THERE}"

_NAME_THE_AUTHORITY: Final = "MQTT_CA_FILE must name the certificate of the authority that signed the broker's"
_OTHER_NAME: Final = (
    "connect by a name or address that stands in the broker's certificate, or have one made for this one"
)
_CLOCK: Final = "look at this machine's clock, or have the broker's certificate renewed"

#: X509_V_ERR_… of OpenSSL's x509_vfy.h.
_UNTRUSTED: Final[Mapping[int, str]] = {
    2: _NAME_THE_AUTHORITY,
    9: _CLOCK,
    10: _CLOCK,
    18: _NAME_THE_AUTHORITY,
    19: _NAME_THE_AUTHORITY,
    20: _NAME_THE_AUTHORITY,
    21: _NAME_THE_AUTHORITY,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}

_OURS: Final = "the broker refuses our certificate: look at MQTT_CERT_FILE, at its end date, and at the broker's cafile"

#: What the other side said (RFC 8446, section 6.2), or what we could not read.
_REASONS: Final[Mapping[str, str]] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the broker wants a certificate of ours: MQTT_CERT_FILE and MQTT_KEY_FILE",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it may want a certificate of ours: MQTT_CERT_FILE and MQTT_KEY_FILE",
    "TLSV1_ALERT_UNKNOWN_CA": _OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OURS,
    "WRONG_VERSION_NUMBER": _NO_TLS_THERE,
}


def tls_advice(error: ssl.SSLError) -> str:
    """``"; …"``: what to do, or ``""`` where we know nothing."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _UNTRUSTED.get(error.verify_code, "")
    else:
        advice = _REASONS.get(error.reason or "", "")
    return f"; {advice}" if advice else ""
