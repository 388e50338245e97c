"""One context for all that connects, made of files that are checked, and blamed by their variable, before anything starts."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from halloween_host.errors import InvalidSettings
from halloween_host.settings import BrokerSettings, load_settings
from halloween_host.tls import tls_of
from tests.certificates import Certificates, make_certificates

BROKER = BrokerSettings("b", tls=True)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("ours"))


def problem_of(broker: BrokerSettings) -> str:
    with pytest.raises(InvalidSettings) as caught:
        tls_of(broker)
    return str(caught.value)


def test_without_tls_there_is_none() -> None:
    """Files alone do not switch it on."""
    assert tls_of(BrokerSettings("b")) is None


def test_it_checks_the_broker_always(ours: Certificates) -> None:
    """Certificate and name are checked, by the system's authorities or those of MQTT_CA_FILE; nothing below TLS 1.2."""
    for broker in (BROKER, attrs.evolve(BROKER, ca_file=ours.ca)):
        context = tls_of(broker)
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_it_takes_a_certificate_of_ours(ours: Certificates, tmp_path: Path) -> None:
    """In two files, or both in one that is named twice."""
    both = tmp_path / "both.pem"
    both.write_bytes(ours.key.read_bytes() + ours.certificate.read_bytes())
    for certificate, key in ((ours.certificate, ours.key), (both, both)):
        assert tls_of(attrs.evolve(BROKER, cert_file=certificate, key_file=key)) is not None


def test_what_cannot_be_used_is_named(ours: Certificates, tmp_path: Path) -> None:
    """Each with its variable, its file and what to do."""
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other", name="other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"ca_file": text}, f"MQTT_CA_FILE='{text}': expected certificates (PEM): "),
        ({"key_file": other.key}, f"MQTT_KEY_FILE='{other.key}': is another certificate's key, not that of "),
        ({"cert_file": text}, f"MQTT_CERT_FILE='{text}': expected a certificate (PEM), it holds none"),
        ({"cert_file": ours.key}, f"MQTT_CERT_FILE='{ours.key}': expected a certificate (PEM), it holds none"),
        ({"key_file": ours.certificate}, "expected a private key (PEM), it holds none"),
        ({"cert_file": broken}, f"MQTT_CERT_FILE='{broken}': cannot be used with {ours.key}: "),
        ({"key_file": tmp_path}, f"MQTT_KEY_FILE='{tmp_path}': cannot be read by the user that runs this: Is a dir"),
    )
    for changes, said in cases:
        broker = attrs.evolve(BROKER, ca_file=ours.ca, cert_file=ours.certificate, key_file=ours.key)
        assert said in problem_of(attrs.evolve(broker, **changes))


def test_a_key_with_a_pass_phrase_is_no_question_at_the_start(ours: Certificates, tmp_path: Path) -> None:
    """OpenSSL would ask on the terminal; we say how to take it away, and that way works."""
    closed = tmp_path / "closed.key"
    command = ["openssl", "pkey", "-in", str(ours.key), "-aes256", "-passout", "pass:s3cret", "-out", str(closed)]
    subprocess.run(command, check=True, capture_output=True)
    said = problem_of(attrs.evolve(BROKER, cert_file=ours.certificate, key_file=closed))
    assert f"openssl pkey -in {closed} -out plain.key" in said
    subprocess.run(
        ["openssl", "pkey", "-in", closed, "-passin", "pass:s3cret", "-out", tmp_path / "plain.key"], check=True
    )
    assert tls_of(attrs.evolve(BROKER, cert_file=ours.certificate, key_file=tmp_path / "plain.key")) is not None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MQTT_TLS": "1", "MQTT_CERT_FILE": "host.pem"}, "MQTT_CERT_FILE: MQTT_KEY_FILE is not set: it takes both"),
        ({"MQTT_TLS": "1", "MQTT_KEY_FILE": "host.pem"}, "MQTT_KEY_FILE: MQTT_CERT_FILE is not set: it takes both"),
        ({"MQTT_CERT_FILE": "host.pem", "MQTT_KEY_FILE": "host.pem"}, "counts only over TLS"),
        ({"MQTT_HOST": "", "MQTT_TLS": "1", "MQTT_CERT_FILE": "host.pem", "MQTT_KEY_FILE": "host.pem"}, "MQTT_HOST"),
        ({"MQTT_TLS": "1", "MQTT_CERT_FILE": "none", "MQTT_KEY_FILE": "host.pem"}, "there is none of that name"),
    ],
)
def test_half_a_proof_is_refused(
    environ: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file without the other, or both without TLS: the host would go unknown, or its password in the clear."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "host.pem").touch()
    with pytest.raises(InvalidSettings) as caught:
        load_settings({"MQTT_HOST": "b", **environ})
    (problem,) = caught.value.problems
    assert said in str(problem)
