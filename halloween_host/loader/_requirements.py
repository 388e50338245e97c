"""A prop's `backend/requirements.txt` is read as pip reads it, so that a line pip refuses is known before pip runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from halloween_host.errors import LoadError
from halloween_host.loader._discovery import Found

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["check_requirements", "listed", "requirements_file"]

#: pip's "Requirements File Format": a comment starts at a `#` that begins the line or follows white space.
_COMMENT: Final = re.compile(r"(^|\s+)#.*$")
#: Options of one requirement (`--hash=…`, `--config-settings=…`) stand behind it.
_OPTIONS: Final = re.compile(r"\s--?[a-z].*$")
#: What pip takes without a name: an address, a version control address, a path, an archive.
_ADDRESS: Final = re.compile(
    r"^([a-z][a-z0-9+.-]*:|\.|/|~|[^\s\[;]*/)|\.(whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)(\s|;|\[|$)", re.I
)


def requirements_file(found: Found) -> Path:
    return found.folder / "requirements.txt"


def check_requirements(found: Found) -> None:
    """Do nothing for a built-in or a prop without such a file.

    Raises:
        ExceptionGroup: of one LoadError for each line that pip cannot read.
        LoadError: when the file cannot be read.
    """
    path = requirements_file(found)
    if found.builtin or not os.path.lexists(path):
        return
    problems = []
    for line, text in _lines(found, path):
        try:
            _requirement(text)
        except ValueError as error:  # packaging's InvalidRequirement
            reason = f"pip cannot read {text!r}: {str(error).splitlines()[0]}"
            problems.append(LoadError(found.name, path, reason, line=line))
    if problems:
        raise ExceptionGroup(f"{path} has lines that pip cannot read", problems)


def listed(found: Found) -> set[str]:
    """The packages that the prop's file names, each as distribution and as Python would spell the module."""
    if found.builtin:
        return set()
    names: set[str] = set()
    for _, text in _lines(found, requirements_file(found)):
        requirement = _requirement(text)
        if requirement is not None:
            names |= {requirement.name, re.sub(r"[-_.]+", "_", requirement.name).lower()}
    return names


def _requirement(text: str) -> Requirement | None:
    """None for what has no name: an option of pip's, an address, a path."""
    bare = _OPTIONS.sub("", text).strip()
    if text.startswith("-") or (_ADDRESS.search(bare) and "@" not in bare.partition("/")[0]):
        return None
    from packaging.requirements import Requirement  # for those who have such a file

    return Requirement(bare)


def _lines(found: Found, path: Path) -> Iterator[tuple[int, str]]:
    """Every line that says something, comments off, continued ones joined, with the number of its first."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path.is_symlink():
            raise LoadError(found.name, path, f"is a link to nowhere ({path.readlink()})") from None
        return
    except OSError as error:
        raise LoadError(found.name, path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise LoadError(
            found.name, path, f"is not UTF-8: byte 0x{error.object[error.start]:02x}", line=number
        ) from None
    joined, first = "", 0
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        if raw.endswith("\\") and not _COMMENT.match(raw):
            joined, first = joined + raw[:-1], first or number
            continue
        line = _COMMENT.sub("", joined + raw).strip()
        if line:
            yield first or number, line
        joined, first = "", 0
