"""The lock files belong to pyproject.toml and peers.in, carry a hash for every version, and name no package registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.scripts.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASKED = {
    "run": PROJECT["project"]["dependencies"],
    "dev": PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"],
    "tools": PROJECT["dependency-groups"]["tools"] + PROJECT["build-system"]["requires"],
    "peers": re.findall(r"^[^#\s].*", (ROOT / "benchmarks" / "requirements" / "peers.in").read_text(), re.MULTILINE),
}


def lock(name: str) -> Path:
    """The benchmarks' peers have an environment of their own, and their lock file lies with the benchmarks."""
    return (ROOT / "benchmarks" if name == "peers" else ROOT) / "requirements" / f"{name}.txt"


def locked(name: str) -> dict[str, str]:
    """The versions in a lock file, by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock(name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", sorted(ASKED))
def test_what_is_asked_for_is_locked(name: str) -> None:
    """Every dependency of pyproject.toml is locked at a version that it allows; else: `just lock`."""
    versions = locked(name)
    for text in ASKED[name]:
        requirement = Requirement(text)
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{text} is not in {lock(name)}: just lock"
        assert requirement.specifier.contains(version), f"{text}, but {version} is locked: just lock"


def test_one_environment_holds_them_all() -> None:
    """What two lock files name has one version in both."""
    run, dev, tools, peers = (locked(name) for name in ("run", "dev", "tools", "peers"))
    assert run.items() <= dev.items()
    for name in tools.keys() & dev.keys():
        assert tools[name] == dev[name]
    for name in peers.keys() & run.keys():
        assert peers[name] == run[name]


@pytest.mark.parametrize("name", sorted(ASKED))
def test_every_version_has_its_hash(name: str) -> None:
    """Nothing is installed unseen: a version, its hashes, and no line with an address or an option."""
    lines = [line for line in lock(name).read_text().splitlines() if line[:1] != "#"]
    hashed = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
    version = re.compile(r"[a-z0-9-]+==\S+( ; .+)? \\")
    assert [line for line in lines if not hashed.fullmatch(line) and not version.fullmatch(line)] == []
