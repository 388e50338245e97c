"""A page's figures stand between markers and come from a record: none is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.harness._plot import svg
from benchmarks.harness._results import Record
from benchmarks.harness._tables import markdown

_BLOCK: Final = re.compile(r"(<!-- (bench|faults):begin (\S+) -->\n).*?(<!-- \2:end \3 -->)", re.DOTALL)
#: The block that says on what machine, when and how.
MACHINE: Final = "machine"


def rewritten(text: str, blocks: dict[str, str]) -> str:
    """The text with each of `blocks` between its markers; blocks that are not given stay.

    Raises:
        ValueError: when a block has no markers in the text.
    """
    missing = blocks.keys() - {match[3] for match in _BLOCK.finditer(text)}
    if missing:
        raise ValueError(f"no markers for {', '.join(sorted(missing))}")

    def block(match: re.Match[str]) -> str:
        begin, _, name, end = match.groups()
        body = f"{blocks[name]}\n" if name in blocks else match[0][len(begin) : -len(end)]
        return f"{begin}{body}{end}"

    return _BLOCK.sub(block, text)


def write_docs(record: Record, page: Path) -> None:
    """Rewrite the page's blocks from the record, and its plots in a folder beside it, named as the page is.

    Raises:
        ValueError: when a section of the record has no markers in the page.
    """
    plots = page.with_suffix("")
    blocks = {MACHINE: machine(record)}
    for name, rows in record.sections().items():
        blocks[name] = f"{markdown(rows)}\n\n![{name}]({plots.name}/{name}.svg)"
    text = rewritten(page.read_text(), blocks)
    write_plots(record, plots)
    page.write_text(text)


def write_plots(record: Record, folder: Path) -> None:
    """One SVG for each section."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in record.sections().items():
        (folder / f"{name}.svg").write_text(svg(rows))


def machine(record: Record) -> str:
    """Command, date, machine and versions as a list."""
    parts = [
        f"- `{record.command}`, {record.date}, {record.rounds} rounds",
        listed(record.machine),
        listed(record.versions),
    ]
    return "\n".join(parts)


def listed(facts: Mapping[str, str]) -> str:
    """Machine or versions as one item of a list."""
    return "- " + ", ".join(f"{name} {value}" for name, value in facts.items())
