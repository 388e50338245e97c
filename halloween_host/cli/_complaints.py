"""What is wrong is said on stderr, one line each, under our name; control characters in it are shown, never sent."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from halloween_host.logs import escape
from halloween_host.settings import without_credentials

__all__ = ["complain", "leaves", "without_passwords"]


def complain(*lines: str) -> None:
    """Say what is wrong."""
    for line in lines:
        print(f"halloween-host: {escape(line)}", file=sys.stderr, flush=True)  # noqa: T201


def without_passwords(text: str, arguments: Iterable[str]) -> str:
    """`text`, where it repeats an argument that may be a broker's address, without that one's user and password."""
    for argument in arguments:
        if (shown := without_credentials(argument)) != argument:
            text = text.replace(argument, shown).replace(repr(argument)[1:-1], shown)
    return text


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions of a group, nested ones too; the exception itself when it is no group."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]
