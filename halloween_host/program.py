"""How this very program was started, so that it can be started again."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

__all__ = ["Program", "same_program"]


@attrs.frozen
class Program:
    """Its command without arguments, and the environment and the folder to start it in."""

    command: Sequence[str]
    environ: Mapping[str, str] = attrs.field(repr=False)  # it may hold a password
    folder: Path


def same_program() -> list[str]:
    """The interpreter and its options, then the script or `-m` that we are; no arguments of ours."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]
