"""A password's file is read once, at the start: the password is its one line, without the newline that editors put there."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

__all__ = ["exposure_of", "read_password_file"]

#: MQTT 3.1.1, section 3.1.3.5: a password's length is told in two bytes.
MAX_BYTES: Final = 65_535
#: Where Docker puts secrets, which are everybody's there: in a container nobody else is.
_CONTAINERS: Final = Path("/run/secrets")


def read_password_file(text: str) -> str:
    """The password in the file `text`. A file that does not exist is not named: its name may be the password itself.

    Raises:
        ValueError: when there is no such file, it cannot be read, or it is not one line of UTF-8; says what to do.
    """
    path = Path(text)
    if not _is_there(path):
        folder = path.absolute().parent
        where = f"in {folder} there is no file of that name" if _is_there(folder) else "there is no such folder"
        raise ValueError(f"expected the path of a file that holds the password; {where}")
    if not path.is_file():
        raise ValueError(f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 3)
    except OSError as error:
        who = "chown it to the user that runs the host, and chmod 600"
        raise ValueError(f"{path} cannot be read ({error.strerror}): {who}") from None
    return _password_in(content, path)


def _password_in(content: bytes, path: Path) -> str:
    line = content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(b"\n") else content
    try:
        password = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None
    if not password:
        raise ValueError(f"{path} is empty: write the password into it")
    if "\n" in password:
        raise ValueError(f"{path} holds more than one line: expected the password alone")
    if len(line) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES:,} bytes: no password of MQTT's is")
    return password


def exposure_of(text: str) -> str | None:
    """A warning when everybody on this machine may read the file `text`, else None."""
    path = Path(text)
    if path.is_relative_to(_CONTAINERS) or not path.stat().st_mode & stat.S_IROTH:
        return None
    return f"MQTT_PASSWORD_FILE: every user of this machine may read {path}: chmod 600 {path}"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long, a folder above it that is closed to us
        raise ValueError(f"expected the path of a file that holds the password: {error.strerror}") from None
