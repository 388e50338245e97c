"""A record is the same after JSON, of several the newest row of each fault counts, and a page is written the same twice."""

from __future__ import annotations

import io
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from faults.harness import Finding
from faults.harness._docs import machines, write_docs
from faults.harness._results import Record, merged
from faults.harness._tables import lines, print_table
from faults.rows import FAULTS
from tests.faults.findings import RUN, counted, fault, row, timed

PAGE = """\
Before.
<!-- faults:begin table -->
old
<!-- faults:end table -->
<!-- faults:begin machine -->
<!-- faults:end machine -->
After.
"""
LATER = attrs.evolve(RUN, command="just faults --only b", date="2026-11-30T21:00:00+00:00")


def test_a_record_is_the_same_after_json(tmp_path: Path) -> None:
    record = Record([row("a", timed([1.0, 2.5]), counted([0.0])), row("b", error="no broker")])
    record.write(tmp_path / "deep" / "record.json")
    again = Record.read(tmp_path / "deep" / "record.json")
    assert again == record
    assert [each.kept for each in again.rows] == [True, False]


def test_a_file_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"rows": [{}]}')
    with pytest.raises(ValueError, match=r"x\.json holds no record of faults"):
        Record.read(tmp_path / "x.json")


def test_of_several_runs_the_newest_row_counts() -> None:
    """Whatever the order of the files; the rows stand in the order of the faults, and one that is none of them last."""
    old = Record([row("gone", timed([1.0])), row("b", timed([1.0])), row("a", timed([1.0]))])
    new = Record([row("b", timed([2.0]), run=LATER)])
    for records in ([old, new], [new, old]):
        record = merged(records, [fault("a"), fault("b")])
        assert [each.name for each in record.rows] == ["a", "b", "gone"]
        assert record.rows[1].run is LATER


def test_a_quick_row_gives_way_to_one_of_full_length() -> None:
    quick = Record([row("a", timed([9.0]), run=attrs.evolve(LATER, quick=True))])
    full = Record([row("a", timed([1.0]))])
    assert merged([full, quick], [fault("a")]) == full
    assert merged([quick], [fault("a")]) == quick


def test_one_promise_that_is_broken_breaks_the_record() -> None:
    assert Record([row("a", timed([1.0])), row("b", counted([0.0]))]).kept
    assert not Record([row("a", timed([1.0])), row("b", timed([1.0]), counted([1.0]))]).kept
    assert not Record([row("a", timed([1.0])), row("b", timed([1.0]), error="ended early")]).kept
    assert not Record([row("a")]).kept
    assert not Record().kept


def test_a_line_is_a_promise() -> None:
    first, second = lines(row("a", timed([1.0, 2.0, 300.0]), counted([0.0, 1.0])))
    assert first.cells == (
        "a breaks × 3",
        "`offline` seen: p50 ≤ 50 ms, p99 ≤ 250 ms",
        "3",
        "2.0 ms",
        "300.0 ms",
        "300.0 ms",
        "NO",
    )
    assert second.cells == ("", "run again: 0 commands", "2", "", "", "1 in all", "NO")
    [told] = lines(row("c", Finding("events", (1.0, 3.0), "events", ())))
    assert told.cells == ("c breaks × 3", "events", "2", "1", "3", "3", "")
    [failed] = lines(row("b", error="no broker\nits log"))
    assert failed.cells == ("b breaks × 3", "failed: no broker", "0", "–", "–", "–", "NO")


def test_the_terminal_shows_each_fault_and_the_whole_error() -> None:
    out = io.StringIO()
    print_table(Record([row("a", timed([1.0])), row("b", error="no broker\nits log")]), Console(file=out, width=170))
    text = out.getvalue()
    assert "b: no broker\nits log" in text
    assert "1 of 2 promises kept" in text


def test_the_page_is_written_twice_the_same(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(PAGE)
    record = Record([row("a", timed([1.0])), row("b", timed([2.0]), run=LATER)])
    write_docs(record, page)
    once = page.read_text()
    write_docs(record, page)
    assert page.read_text() == once
    assert "| a breaks × 3 | `offline` seen: p50 ≤ 50 ms, p99 ≤ 250 ms | 1 | 1.0 ms | 1.0 ms | 1.0 ms | yes |" in once
    assert "old" not in once
    assert once.startswith("Before.")
    assert once.endswith("After.\n")


def test_a_machine_is_named_once() -> None:
    """Above it stand the commands that were given there."""
    rows = [row("a"), row("c"), row("b", run=LATER)]
    assert machines(rows).splitlines() == [
        "- `just faults`, 2026-11-30, load before 0.1",
        "- `just faults --only b`, 2026-11-30, load before 0.1",
        "- CPU a CPU",
        "- Python 3.11.7",
    ]


def test_the_page_of_the_docs_has_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text((Path(__file__).parents[2] / "docs" / "reliability.md").read_text())
    write_docs(Record([row("a", timed([1.0]))]), page)
    assert "| a breaks × 3 |" in page.read_text()


def test_no_two_faults_have_one_name() -> None:
    assert len({each.name for each in FAULTS}) == len(FAULTS)
    assert all(0 < each.quick_times <= each.times for each in FAULTS)
