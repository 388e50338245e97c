"""Where one variant of a row spends its time: a flame graph (SVG), stacks for speedscope, and the hottest functions here.

    just profile receive-qos0-v311              ours
    just profile receive-qos0-v311 gmqtt        a peer

py-spy samples the program while the row is measured, with five times the messages; where it may not (macOS without sudo,
`kernel.yama.ptrace_scope` of 2 and more) cProfile takes its place, which slows small functions down most.
"""

from __future__ import annotations

import argparse
import collections
import pstats
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.harness import Bench, MeasurementError, Row
from benchmarks.harness._interrupts import run_interruptible
from benchmarks.harness._peers import BUILD, PROGRAMS, peers
from benchmarks.rows import ROWS

RATE: Final = "500"
SHOWN: Final = 25
#: A stack that has it is start-up, not what is measured.
IMPORTING: Final = "_find_and_load"


def may_spy(spy: Path, python: Path) -> bool:
    """Whether py-spy can look into a process that it starts itself."""
    command = [str(spy), "record", "--format", "raw", "--output", "/dev/null", "--"]
    command += [str(python), "-c", "import time; time.sleep(.2)"]
    return subprocess.run(command, capture_output=True).returncode == 0


def measure(row: Row, variant_name: str, bench: Bench) -> None:
    """One round, for the profiler's sake."""
    variant = next((each for each in row.variants if each.name == variant_name), None)
    if variant is None:
        raise ValueError(f"{row.name} has {', '.join(each.name for each in row.variants)}")

    async def once() -> None:
        try:
            await row.measure(bench, variant)
        except MeasurementError as error:  # what was seen so far is a profile nevertheless
            print(f"profile: {error}", file=sys.stderr)

    run_interruptible(once)


def hottest(stacks: str) -> list[tuple[str, float, float]]:
    """Function, share of samples in itself, share with all that it calls; of collapsed stacks, without imports."""
    own: collections.Counter[str] = collections.Counter()
    total: collections.Counter[str] = collections.Counter()
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        if IMPORTING in stack:
            continue
        frames = stack.split(";")
        own[frames[-1]] += int(samples)
        for frame in set(frames):
            total[frame] += int(samples)
    everything = sum(own.values()) or 1
    return [(frame, count / everything, total[frame] / everything) for frame, count in own.most_common(SHOWN)]


def by_py_spy(row: Row, variant: str, python: Path, spy: Path, folder: Path) -> None:
    """Twice: py-spy writes one format at a time."""
    for kind, file in (("flamegraph", f"{row.name}-{variant}.svg"), ("raw", f"{row.name}-{variant}.stacks.txt")):
        command = (
            str(spy),
            "record",
            "--rate",
            RATE,
            "--function",
            "--format",
            kind,
            "--output",
            str(folder / file),
            "--",
        )
        measure(row, variant, Bench(python=python, build=PROGRAMS, profiler=command))
        print(f"wrote {(folder / file).relative_to(BUILD.parent)}")
    print(f"\n{'itself':>8} {'with all':>9}  function")
    for frame, own, total in hottest((folder / file).read_text()):
        print(f"{own:8.1%} {total:9.1%}  {frame}")


def by_cprofile(row: Row, variant: str, python: Path, folder: Path) -> None:
    """One run; only the main thread is seen."""
    file = folder / f"{row.name}-{variant}.pstats"
    wrapper = (str(python), "-c", _CPROFILE, str(file))
    measure(row, variant, Bench(python=python, build=PROGRAMS, profiler=wrapper))
    pstats.Stats(str(file)).sort_stats("tottime").print_stats(SHOWN)


#: argv: the file, an interpreter that is not used, -m, the module, its arguments.
_CPROFILE: Final = """\
import cProfile, runpy, sys
file, module = sys.argv[1], sys.argv[4]
sys.argv = sys.argv[4:]
profiler = cProfile.Profile()
try:
    profiler.runcall(runpy.run_module, module, run_name="__main__", alter_sys=True)
finally:
    profiler.dump_stats(file)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, profile, show."""
    parser = argparse.ArgumentParser(
        prog="just profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=[row.name for row in ROWS], metavar="ROW", help="one of `just bench --list`")
    parser.add_argument("variant", nargs="?", help="ours unless given")
    options = parser.parse_args(arguments)
    row = next(each for each in ROWS if each.name == options.row)
    python = peers()
    spy = python.with_name("py-spy")
    folder = BUILD / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    names = [each.name for each in row.variants]
    variant = options.variant or ("ours" if "ours" in names else names[0])
    try:
        if may_spy(spy, python):
            by_py_spy(row, variant, python, spy, folder)
        else:
            by_cprofile(row, variant, python, folder)
    except ValueError as error:
        print(f"profile: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
