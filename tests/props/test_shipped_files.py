"""Every shipped prop loads, and its example of a config is valid when it is copied to where it counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.props.conftest import ROOT

PROPS = sorted(path.name for path in (ROOT / "props").iterdir() if (path / "backend").is_dir())
WORKERS = [*PROPS, *sorted(path.stem for path in (ROOT / "builtins").glob("[!_]*.py"))]


def command(haunt: Haunt, name: str) -> HostProcess:
    folders = ("--props", str(haunt.props), "--builtins", str(haunt.builtins))
    return HostProcess(name, *folders, environ={}, folder=haunt.folder)


def copy_example(example: Path) -> Path:
    """What the owner does by hand: `config.example.yaml` becomes `config.yaml`."""
    return Path(shutil.copy(example, example.with_name(example.name.replace(".example", ""))))


def test_what_is_shipped() -> None:
    """The documented props are there, one of them in the legacy dialect, each with one example of a config."""
    assert PROPS == ["coffin_jumper", "example_prop", "fogger"]
    for prop in PROPS:
        assert len(list((ROOT / "props" / prop / "backend").glob("config.example.*"))) == 1
    legacy = [prop for prop in PROPS if "worker_host" in (ROOT / "props" / prop / "backend" / "worker.py").read_text()]
    assert legacy == ["example_prop"]
    assert "heartbeat" in WORKERS


async def test_they_load_without_a_config(shipped: Haunt) -> None:
    """As they come from a fresh clone: `check` finds no problem and `list` names every one of them."""
    async with command(shipped, "check") as check:
        await check.wait(0)
    async with command(shipped, "list") as listing:
        await listing.wait(0)
        for worker in WORKERS:
            assert listing.matching(worker), listing.log


async def test_their_examples_are_valid_configs(shipped: Haunt) -> None:
    """Copied to `config.*` each is read, used and valid."""
    copies = [copy_example(path) for path in sorted(shipped.props.glob("*/backend/config.example.*"))]
    assert len(copies) == len(PROPS)
    async with command(shipped, "check") as check:
        await check.wait(0)
        assert not check.matching("warning:"), check.log
    async with command(shipped, "list") as listing:
        await listing.wait(0)
        for copy in copies:
            assert listing.matching(str(copy.relative_to(shipped.folder))), listing.log


@pytest.mark.parametrize("prop", [prop for prop in PROPS if prop != "example_prop"])
async def test_their_settings_are_checked(shipped: Haunt, prop: str) -> None:
    """A key with a typo in it is found by `check`, with its line; the fogger and the coffin are models for typed settings."""
    (example,) = (shipped.props / prop / "backend").glob("config.example.*")
    config = copy_example(example)
    config.write_text(f"{config.read_text()}\nno_such_key: 1\n")
    lines = config.read_text().splitlines()
    async with command(shipped, "check") as check:
        await check.wait(1)
        assert check.matching(f"{config.name}:{lines.index('no_such_key: 1') + 1}", "no_such_key"), check.log
