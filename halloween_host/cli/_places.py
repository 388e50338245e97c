"""Where workers are looked for: the folders that were given, else those of the current folder and of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.host import Places

__all__ = ["find_places"]

_PACKAGE: Final = Path(__file__).parents[1]


def find_places(props: Path | None, builtins: list[Path] | None) -> Places:
    """The folders for these options; None takes the default, which need not exist.

    Raises:
        InvalidSettings: when a folder that was given is none.
    """
    problems = [
        SettingsError(option, str(folder), "is no folder" if folder.exists() else "there is no such folder")
        for option, folders in (("--props", [props] if props else []), ("--builtins", builtins or []))
        for folder in folders
        if not folder.is_dir()
    ]
    if problems:
        raise InvalidSettings(tuple(problems))
    return Places(props or Path("props"), tuple(_default_builtins() if builtins is None else builtins))


def _default_builtins() -> list[Path]:
    """Those of the wheel or of the checkout that we run from, then the current folder's own."""
    candidates = [_PACKAGE / "builtins"]
    if (_PACKAGE.parent / "pyproject.toml").is_file():  # in site-packages it would be some stranger's package
        candidates.append(_PACKAGE.parent / "builtins")
    candidates.append(Path("builtins"))
    return list({folder.resolve(): folder for folder in candidates if folder.is_dir()}.values())
