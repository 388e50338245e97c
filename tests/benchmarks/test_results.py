"""A ratio is one median by another, a spread the least and the greatest, and a record is the same after JSON."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import Bar, Measurement, Row, Variant
from benchmarks.harness._results import Record, shown
from benchmarks.harness._tables import lines, markdown, print_table
from tests.benchmarks.records import ROW, never, record


def test_median_and_spread_are_of_all_rounds() -> None:
    paho, ours = record().rows[0].variants
    assert (paho.median("rate"), paho.spread("rate")) == (30_000, (20_000, 50_000))
    assert (ours.median("rate"), ours.spread("rate")) == (160_000, (150_000, 300_000))
    assert (ours.median("rss_mib"), ours.spread("rss_mib")) == (None, None)


def test_a_bar_compares_medians_of_the_same_run() -> None:
    reached, missed = record().rows[0].verdicts()
    assert reached.figure == pytest.approx(160 / 30)
    assert reached.reached
    assert missed.figure == pytest.approx(4.5 / 30)
    assert not missed.reached


def test_a_bar_is_missed_when_one_side_has_no_figure() -> None:
    result = record().rows[0]
    result.variants[0].rounds.clear()
    assert [each.figure for each in result.verdicts()] == [None, None]
    assert not any(each.reached for each in result.verdicts())


@pytest.mark.parametrize(
    ("bar", "limit", "good", "bad"),
    [
        (Bar("ours", "paho", "rate", at_least=2.5), "≥ 2.5×", 2.5, 2.49),
        (Bar("ours", "paho", "p50_us", at_most=0.8), "≤ 0.8×", 0.8, 0.81),
        (Bar("ours", None, "online_s", at_most=1.2), "≤ 1.2 s", 1.2, 1.21),
    ],
)
def test_a_bar_is_reached_at_its_limit(bar: Bar, limit: str, good: float, bad: float) -> None:
    assert bar.limit == limit
    assert bar.reached(good)
    assert not bar.reached(bad)


def test_nonsense_is_refused_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="either at_least or at_most"):
        Bar("ours", "paho", "rate")
    with pytest.raises(ValueError, match="not in METRICS: speed"):
        Bar("ours", "paho", "speed", at_least=1)
    with pytest.raises(ValueError, match="not in METRICS: speed"):
        Measurement({"speed": 1})
    with pytest.raises(ValueError, match="a bar names a variant that the row has not"):
        Row("x", title="", section="x", variants=(Variant("ours"),), bars=ROW.bars, measure=never)


def test_a_record_is_the_same_after_json(tmp_path: Path) -> None:
    written = record()
    written.rows[0].variants[0].errors.append("round 1: 3 messages of 4")
    written.write(tmp_path / "deep" / "record.json")
    assert Record.read(tmp_path / "deep" / "record.json") == written


def test_a_file_without_a_record_is_refused_by_name(tmp_path: Path) -> None:
    for text in ("[]", "{}", "no JSON"):
        path = tmp_path / "record.json"
        path.write_text(text)
        with pytest.raises(ValueError, match=r"record\.json holds no record"):
            Record.read(path)


def test_ours_comes_first_and_a_peer_says_what_ours_is_to_it() -> None:
    shown_lines = [(each.title, each.variant.name, each.ratios, each.bars) for each in lines(record().rows[0], "r")]
    assert shown_lines == [
        ("r: throughput", "ours", [], []),
        ("", "paho", ["5.33×"], ["≥ 5× reached"]),
        ("r: CPU a message", "ours", [], []),
        ("", "paho", ["0.15×"], ["≤ 0.1× missed"]),
    ]


def test_figures_have_thousands_and_units() -> None:
    assert (shown(35_912.4, "rate"), shown(24.96, "cpu_us"), shown(3, "lost")) == ("35,912/s", "25.0 µs", "3")


def test_the_markdown_table_has_a_cell_for_each_column() -> None:
    rows = markdown(record().rows).splitlines()
    assert {row.count("|") for row in rows} == {7}
    assert "160,000/s (150,000–300,000)" in rows[2]


def test_the_terminal_shows_the_bars_and_the_errors() -> None:
    shown_record = record()
    shown_record.rows[0].variants[0].errors.append("round 3: not done in 120 s")
    console = Console(width=170, record=True, file=io.StringIO())
    print_table(shown_record, console)
    text = console.export_text()
    assert "≥ 5× reached" in text
    assert "receive-x, paho's thread, round 3: not done in 120 s" in text
    assert "1 of 2 bars reached" in text
