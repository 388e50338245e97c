"""What README and docs show is true: their workers load, their tables are the code's own, their links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import halloween_host
from halloween_host.loader import load_workers, unload_workers
from halloween_host.settings import VARIABLES, load_settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(match[1], id=f"{page.name}-{page.read_text()[: match.start()].count(chr(10)) + 2}")
    for page in PAGES
    for match in re.finditer(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
]


@pytest.mark.parametrize("source", BLOCKS)
async def test_every_python_example_is_a_worker_that_loads(source: str, tmp_path: Path) -> None:
    """Each Python block is a whole worker.py: the loader takes it, with no warning."""
    path = tmp_path / "example" / "backend" / "worker.py"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    try:
        catalog = load_workers(
            props=tmp_path, builtins=(), settings=load_settings({}), environ={}, progress=lambda text: None
        )
    finally:
        unload_workers()
    assert catalog.errors == ()
    assert catalog.warnings == ()
    assert [spec.prop_id for spec in catalog.workers] == ["example"]


def test_the_rehearsals_of_the_docs_pass(tmp_path: Path) -> None:
    """Each ```python rehearsal block is a whole test file: it runs, beside the worker that the page begins with, and passes."""
    page = (ROOT / "docs" / "rehearsals.md").read_text()
    worker = tmp_path / "props" / "lantern" / "backend" / "worker.py"
    worker.parent.mkdir(parents=True)
    worker.write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])
    rehearsals = re.findall(r"```python rehearsal\n(.*?)```", page, re.DOTALL)
    for number, source in enumerate(rehearsals):
        assert "\n@rehearsal\nasync def test_" in source
        (tmp_path / f"test_{number}.py").write_text(source)
    # as an author runs it: a process of its own, this repository's settings of pytest out of sight
    ended = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert len(rehearsals) >= 6


def test_the_table_of_variables_is_the_codes() -> None:
    """README's table between the markers is made from `settings.VARIABLES`: write it anew from the failure's text."""
    rows = "\n".join(f"| `{each.name}` | {each.default} | {each.meaning} |" for each in VARIABLES)
    table = f"| variable | default | meaning |\n|---|---|---|\n{rows}"
    between = (ROOT / "README.md").read_text().split("<!-- variables -->\n")[1].split("\n<!-- /variables -->")[0]
    assert between == table


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_public_names_are_in_the_docs() -> None:
    """`__all__` is sorted, and each name of it stands in docs/workers.md."""
    assert list(halloween_host.__all__) == sorted(halloween_host.__all__)
    words = (ROOT / "docs" / "workers.md").read_text()
    assert [name for name in halloween_host.__all__ if name not in words] == []
