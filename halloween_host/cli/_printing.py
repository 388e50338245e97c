"""Results go to stdout, one line each; what came from elsewhere can neither break a line nor repaint the terminal."""

from __future__ import annotations

import sys

from halloween_host.logs import escape

__all__ = ["is_terminal", "put", "put_cells"]


def put(line: str, style: str = "") -> None:
    """Print a line, control characters in it shown as escapes; a person sees it in `style`."""
    if not (style and is_terminal()):
        print(escape(line))  # noqa: T201
        return
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False, soft_wrap=True).print(Text(escape(line), style))


def put_cells(*cells: str) -> None:
    """Print a line of cells with tabs between them, as `cut -f` takes them apart."""
    print("\t".join(escape(cell).replace("\t", r"\t") for cell in cells))  # noqa: T201


def is_terminal() -> bool:
    """Whether a person looks at stdout, and not a program."""
    return sys.stdout.isatty()
