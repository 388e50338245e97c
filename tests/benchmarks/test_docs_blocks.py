"""Figures reach docs/performance.md between its markers only, and writing them again changes nothing."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.harness._docs import MACHINE, rewritten, write_docs
from benchmarks.harness._plot import svg
from benchmarks.rows import ROWS
from tests.benchmarks.records import record

PAGE = """\
# Fast
Before.
<!-- bench:begin machine -->
<!-- bench:end machine -->
Between.
<!-- bench:begin receive -->
old
<!-- bench:end receive -->
<!-- bench:begin idle -->
stays
<!-- bench:end idle -->
After.
"""


def test_a_block_is_replaced_and_the_prose_stays() -> None:
    text = rewritten(PAGE, {"receive": "new"})
    assert text == PAGE.replace("old", "new")
    assert rewritten(text, {"receive": "new"}) == text


def test_a_figure_with_a_backslash_is_no_pattern() -> None:
    assert r"\1 \g<0>" in rewritten(PAGE, {"receive": r"\1 \g<0>"})


def test_a_section_without_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no markers for scale"):
        rewritten(PAGE, {"scale": "new"})


def test_the_page_is_written_twice_the_same(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    write_docs(record(), page)
    once = page.read_text()
    write_docs(record(), page)
    assert page.read_text() == once
    assert "`just bench --quick`, 2026-11-24, 3 rounds" in once
    assert "| QoS 0 <x>: throughput | ours | 160,000/s (150,000–300,000) |" in once
    assert "![receive](performance/receive.svg)" in once
    assert (tmp_path / "performance" / "receive.svg").read_text() == svg(record().rows)


def test_a_plot_is_well_formed_and_has_a_bar_for_each_figure() -> None:
    tree = ElementTree.fromstring(svg(record().rows))
    bars = [each for each in tree.iter() if each.tag.endswith("rect")]
    assert [each.get("class") for each in bars] == ["ours", "peer", "ours", "peer"]
    assert float(bars[0].get("width", 0)) > float(bars[1].get("width", 0))


def test_the_page_has_markers_for_every_section() -> None:
    page = Path(__file__).parents[2] / "docs" / "performance.md"
    found = set(re.findall(r"<!-- bench:begin (\S+) -->", page.read_text()))
    assert found == {MACHINE, *(row.section for row in ROWS)}
