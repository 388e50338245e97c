"""Does every fault to a real host on a real mosquitto, many times, and holds each promise against all that was seen.

just faults                                  all faults at full length
just faults --quick                          each a few times
just faults --only crashes,cable             some of them
just faults --from FILE FILE --write-docs    docs/reliability.md from earlier runs, of each fault the newest
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.harness._bench import ROOT
from benchmarks.harness._interrupts import run_interruptible
from benchmarks.harness._machine import machine, versions
from benchmarks.harness._progress import clear, minutes
from faults.harness import Fault
from faults.harness._docs import write_docs
from faults.harness._progress import show
from faults.harness._results import Record, Run, merged
from faults.harness._run import run
from faults.harness._tables import print_table
from faults.rows import FAULTS

PAGE: Final = ROOT / "docs" / "reliability.md"
RESULTS: Final = ROOT / ".faults" / "results"
#: Whose versions count.
PACKAGES: Final = ("trio", "anyio", "paho-mqtt")


def chosen(only: str | None) -> list[Fault]:
    """The faults that `only` names; all without it.

    Raises:
        ValueError: for a name that no fault has.
    """
    known = {each.name for each in FAULTS}
    names = set(only.split(",")) if only else known
    unknown = names - known
    if unknown:
        raise ValueError(f"no fault is called {', '.join(sorted(unknown))}; --list shows them")
    return [each for each in FAULTS if each.name in names]


def measured(faults: Sequence[Fault], *, quick: bool) -> Record:
    """A whole run; its record is written anew after each fault."""
    now = datetime.datetime.now().astimezone()
    about = Run(
        command=shlex.join(["just", "faults", *sys.argv[1:]]),
        date=now.isoformat(timespec="seconds"),
        machine=machine(),
        versions=versions(Path(sys.executable), PACKAGES),
        quick=quick,
    )
    path = RESULTS / f"{now:%Y-%m-%d-%H%M%S}" / "record.json"
    write = partial(Record.write, path=path)
    try:
        record = run_interruptible(partial(run, faults, about, quick=quick, progress=show, measured=write))
    finally:
        clear()
    took_s = (datetime.datetime.now().astimezone() - now).total_seconds()
    sys.stderr.write(f"{minutes(took_s)} in all; every value is in {path}\n")
    return record


def main() -> int:
    """Read the options, do, show; 1 when a promise was not kept or a fault could not be done."""
    parser = argparse.ArgumentParser(
        prog="just faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="each fault a few times: shows that all works, proves little"
    )
    parser.add_argument("--only", metavar="NAME[,NAME]", help="these faults")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument(
        "--from", dest="sources", type=Path, nargs="+", metavar="FILE", help="show the record.json of earlier runs"
    )
    parser.add_argument("--write-docs", action="store_true", help="rewrite the table of docs/reliability.md")
    options = parser.parse_args()
    try:
        faults = chosen(options.only)
        if options.list:
            for each in faults:
                print(f"{each.name:20} {each.times:6,} × {each.title}")
            return 0
        if options.sources:
            record = merged(map(Record.read, options.sources), FAULTS)
            if options.only:
                record.rows = [row for row in record.rows if row.name in {each.name for each in faults}]
        else:
            record = measured(faults, quick=options.quick)
        print_table(record, Console(width=None if sys.stdout.isatty() else 170))
        if options.write_docs:
            write_docs(record, PAGE)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if record.kept else 1


if __name__ == "__main__":
    sys.exit(main())
