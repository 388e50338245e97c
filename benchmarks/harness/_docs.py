"""docs/performance.md's figures stand between markers and come from a record: none is typed by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from benchmarks.harness._plot import svg
from benchmarks.harness._results import Record
from benchmarks.harness._tables import markdown

_BLOCK: Final = re.compile(r"(<!-- bench:begin (\S+) -->\n).*?(<!-- bench:end \2 -->)", re.DOTALL)
#: The block that says on what machine, when and how.
MACHINE: Final = "machine"


def rewritten(text: str, blocks: dict[str, str]) -> str:
    """The text with each of `blocks` between its markers; blocks that are not given stay.

    Raises:
        ValueError: when a block has no markers in the text.
    """
    missing = blocks.keys() - {match[2] for match in _BLOCK.finditer(text)}
    if missing:
        raise ValueError(f"no markers for {', '.join(sorted(missing))}")

    def block(match: re.Match[str]) -> str:
        body = f"{blocks[match[2]]}\n" if match[2] in blocks else match[0][len(match[1]) : -len(match[3])]
        return f"{match[1]}{body}{match[3]}"

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
        "- " + ", ".join(f"{name} {value}" for name, value in record.machine.items()),
        "- " + ", ".join(f"{name} {version}" for name, version in record.versions.items()),
    ]
    return "\n".join(parts)
