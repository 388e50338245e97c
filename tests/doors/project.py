"""A copy of what an owner has of this project: contrib/, compose.yaml and the shipped props, to make passwords in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["Project"]

ROOT = Path(__file__).parents[2]


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "contrib", folder / "contrib")
        shutil.copytree(ROOT / "props", folder / "props", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "compose.yaml", folder)

    def make_passwords(self, *names: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run contrib/mosquitto/make-passwords, from elsewhere, as Docker does."""
        command = [str(self.folder / "contrib" / "mosquitto" / "make-passwords"), *names]
        given = {"PATH": os.environ["PATH"], **environ}
        return subprocess.run(command, cwd="/", env=given, capture_output=True, text=True, check=False)

    def password_of(self, name: str) -> str:
        where = "host/password" if name == "halloween_host" else f"users/{name}"
        return (self.folder / "secrets" / where).read_text().removesuffix("\n")

    @property
    def hashed(self) -> Path:
        return self.folder / "secrets" / "broker" / "passwords"

    @property
    def broker_lines(self) -> list[str]:
        """contrib/mosquitto/mosquitto.conf, with our paths for the container's, and a listener and a database of the test's."""
        ours = {"/mosquitto/secrets": self.hashed.parent, "/mosquitto/config": self.folder / "contrib" / "mosquitto"}
        text = (ours["/mosquitto/config"] / "mosquitto.conf").read_text()
        for theirs, path in ours.items():
            text = text.replace(theirs, str(path))
        words = ("#", "listener", "persistence_location")
        return [line for line in text.splitlines() if not line.startswith(words)]

    @property
    def users(self) -> list[str]:
        return [line.partition(":")[0] for line in self.hashed.read_text().splitlines()]
