"""A certificate authority of the tests' own, made by `openssl` when it is needed: no key lies in the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import attrs


@attrs.frozen
class Certificates:
    """The files of a server called 127.0.0.1 and localhost, and the authority that vouches for it."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def listener(self) -> list[str]:
        """The config lines that make mosquitto's listener speak TLS with them."""
        return [f"cafile {self.ca}", f"certfile {self.certificate}", f"keyfile {self.key}"]


def make_certificates(
    folder: Path, *, name: str = "halloween tests", host: str = "localhost", address: str = "127.0.0.1"
) -> Certificates:
    """Make them in `folder`; a missing openssl fails the test and says what to install."""
    if shutil.which("openssl") is None:
        raise RuntimeError("openssl is missing: apt-get install openssl")
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName=DNS:{host},IP:{address}\nbasicConstraints=CA:FALSE\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["-subj", f"/CN={name}", "-days", "2", "-addext", "keyUsage=critical,keyCertSign"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"]
    for arguments in (
        ["req", "-x509", *new_key, *authority, "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *new_key, "-subj", f"/CN={host}", "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem"],
    ):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
