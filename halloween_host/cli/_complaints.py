"""What is wrong is said on stderr, one line each, under our name; control characters in it are shown, never sent."""

from __future__ import annotations

import sys

from halloween_host.logs import escape

__all__ = ["complain", "leaves"]


def complain(*lines: str) -> None:
    """Say what is wrong."""
    for line in lines:
        print(f"halloween-host: {escape(line)}", file=sys.stderr, flush=True)  # noqa: T201


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions of a group, nested ones too; the exception itself when it is no group."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]
