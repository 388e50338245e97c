"""One file beside the worker, read whole or refused with its line; `${NAME}` in it is filled from the environment."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from halloween_host.config._json import parse_json
from halloween_host.config._loaded import Document, Lines, LoadedConfig, Steps
from halloween_host.errors import ConfigError, did_you_mean
from halloween_host.structuring import step_of

__all__ = ["MAX_CONFIG_BYTES", "load_config"]

MAX_CONFIG_BYTES: Final = 1_048_576

#: In the order of their precedence.
_SUFFIXES: Final = ("json", "yaml", "yml")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_config(folder: Path, environ: Mapping[str, str], stem: str = "config") -> LoadedConfig:
    """Read ``<stem>.json``, ``.yaml`` or ``.yml`` of `folder`; ``{}`` when there is none, the first when there are several.

    Raises:
        ConfigError: when the file cannot be read or parsed, is larger than `MAX_CONFIG_BYTES`, is not UTF-8, or is no mapping at
            its top; with line and column, but for a file that cannot be opened.
    """
    names = [f"{stem}.{suffix}" for suffix in _SUFFIXES]
    beside = str(folder)
    found = [folder / name for name in names if os.path.lexists(f"{beside}/{name}")]
    if not found:
        return LoadedConfig({}, looked_for=folder / names[0])
    path, *ignored = found
    document = _parse(path, _read(path))
    warnings = [f"{path.name} is used, {other.name} beside it is not: {other}" for other in ignored]
    warnings += _fill(document, path, environ)
    return LoadedConfig(document.values, path, tuple(warnings), document=document)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file() and path.exists():
            raise ConfigError(path, "is no regular file")
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError(path, f"the file is {size:,} bytes, at most {MAX_CONFIG_BYTES:,}", line=1)
    return content


def _parse(path: Path, content: bytes) -> Document:
    def fail(reason: str, line: int, column: int) -> NoReturn:
        raise ConfigError(path, reason, line=line, column=column)

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()  # the object is without its byte order mark
        place = Lines(before).place(len(before))
        fail(f"not UTF-8 (byte 0x{error.object[error.start]:02x}); save the file as UTF-8", place.line, place.column)
    if not text.strip():
        return Document()
    if path.suffix == ".json":
        document = parse_json(text, fail)
    else:
        from halloween_host.config._yaml import parse_yaml  # ruamel.yaml, for those who write YAML

        document = parse_yaml(text, fail)
    if not isinstance(document.values, dict):
        top: object = document.values
        what = "a list" if isinstance(top, list) else "nothing" if top is None else f"{top!r:.40}"
        fail(f"expected keys and values at the top, got {what}", *document.value_places[()])
    return document


def _fill(document: Document, path: Path, environ: Mapping[str, str]) -> list[str]:
    """Put the environment into all text values, in place; returns a warning for each variable that is missing."""
    warnings: list[str] = []

    def filled(value: Any, steps: Steps) -> Any:
        if isinstance(value, dict):
            return {key: filled(each, (*steps, step_of(key))) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(each, (*steps, index)) for index, each in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        for name in dict.fromkeys(_VARIABLE.findall(value)):
            if name not in environ:
                place = document.place_of_value(steps)
                near = did_you_mean(name, environ)
                reason = f"${{{name}}}: no such environment variable, the text stays{near}"
                warnings.append(
                    str(ConfigError(path, reason, line=place and place.line, column=place and place.column))
                )
        text = _VARIABLE.sub(lambda match: environ.get(match[1], match[0]), value)
        if text != value:
            document.filled[steps] = value
        return text

    document.values = filled(document.values, ())
    return warnings
