"""The options that several commands share, as cyclopts wants them; a command line that needs no cyclopts loads none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

__all__ = ["BrokerOption", "BuiltinsOption", "PropArgument", "PropsOption", "RestartOption", "TimeoutOption"]

BrokerOption = Annotated[
    str | None,
    Parameter(
        name="--broker",
        help="Such as mqtt://user@host:1883 or embedded:1884.",
    ),
]
PropsOption = Annotated[
    Path | None,
    Parameter(name="--props", help="Folder of the props. [default: ./props]"),
]
BuiltinsOption = Annotated[
    list[Path] | None,
    Parameter(
        name="--builtins",
        negative=(),
        help="Folder of built-in workers; may be given again. [default: those that came along, ./builtins]",
    ),
]
RestartOption = Annotated[
    bool,
    Parameter(
        name="--restart",
        negative=(),
        help="Start again whenever the host ended by itself: for who has neither systemd nor Docker.",
    ),
]
TimeoutOption = Annotated[float, Parameter(name="--timeout", help="Seconds to wait for the answer at most.")]
PropArgument = Annotated[str, Parameter(help="The prop's id.")]
