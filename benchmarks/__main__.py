"""Measures our client and host beside their peers: every variant in turn, at least three rounds, each beside its bar.

just bench --quick                          all rows in three minutes
just bench --only receive,publish-qos1      some rows, by name or section
just bench --write-docs                     all rows at full length, into docs/performance.md
just bench --from FILE --write-docs         the page from an earlier run
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.harness import Bench, Row
from benchmarks.harness._bench import ROOT
from benchmarks.harness._docs import write_docs, write_plots
from benchmarks.harness._interrupts import run_interruptible
from benchmarks.harness._machine import machine, versions
from benchmarks.harness._peers import BUILD, PROGRAMS, peers
from benchmarks.harness._progress import clear, minutes, show
from benchmarks.harness._results import Record
from benchmarks.harness._run import run
from benchmarks.harness._tables import print_table
from benchmarks.rows import ROWS

PAGE: Final = ROOT / "docs" / "performance.md"


def chosen(only: str | None) -> list[Row]:
    """The rows that `only` names, by row or section; all without it.

    Raises:
        ValueError: for a name that no row and no section has.
    """
    names = set(only.split(",")) if only else None
    if names is None:
        return list(ROWS)
    unknown = names - {row.name for row in ROWS} - {row.section for row in ROWS}
    if unknown:
        raise ValueError(f"no row or section is called {', '.join(sorted(unknown))}; --list shows them")
    return [row for row in ROWS if {row.name, row.section} & names]


def measured(rows: Sequence[Row], *, rounds: int, quick: bool) -> Record:
    """A whole run, written to .bench/results."""
    python = peers()
    now = datetime.datetime.now().astimezone()
    record = Record(
        command=shlex.join(["just", "bench", *sys.argv[1:]]),
        date=f"{now:%Y-%m-%d}",
        rounds=rounds,
        quick=quick,
        machine=machine(),
        versions=versions(python),
    )
    bench = Bench(python=python, build=PROGRAMS, quick=quick)

    try:
        record.rows = run_interruptible(partial(run, rows, bench, rounds=rounds, progress=show))
    finally:
        clear()
    folder = BUILD / "results" / f"{now:%Y-%m-%d-%H%M%S}"
    record.write(folder / "record.json")
    write_plots(record, folder)
    took_s = (datetime.datetime.now().astimezone() - now).total_seconds()
    sys.stderr.write(
        f"{minutes(took_s)} in all; every round is in {folder.relative_to(ROOT)}/record.json, the plots beside it\n"
    )
    return record


def main() -> int:
    """Read the options, measure, show."""
    parser = argparse.ArgumentParser(
        prog="just bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer messages and peers: every row in three minutes")
    parser.add_argument("--only", metavar="NAME[,NAME]", help="these rows or sections")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each variant (3)")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="show an earlier run's record.json")
    parser.add_argument("--write-docs", action="store_true", help="rewrite the figures of docs/performance.md")
    options = parser.parse_args()
    try:
        rows = chosen(options.only)
        if options.list:
            for row in rows:
                print(f"{row.name:28} {row.section:20} {row.title}")
            return 0
        if options.source:
            record = Record.read(options.source)
        else:
            if options.quick:
                rows = [row for row in rows if row.quick or options.only]
            record = measured(rows, rounds=max(1, options.rounds), quick=options.quick)
        print_table(record, Console(width=None if sys.stdout.isatty() else 170))
        if options.write_docs:
            write_docs(record, PAGE)
    except (ValueError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
