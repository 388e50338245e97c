"""One seed gives one transcript, byte for byte: in one process, and in two whose sets of strings are in other orders."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.stories.one_show import transcript

ROOT = Path(__file__).parents[2]
SEEDS = (0, 1, 7)


def in_a_process(seed: int, hash_seed: int) -> str:
    environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-m", "tests.stories.one_show", str(seed)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def difference(one: str, other: str) -> str:
    for number, (line, its) in enumerate(zip_longest(one.splitlines(), other.splitlines()), 1):
        if line != its:
            return f"line {number}:\n{line}\n{its}"
    return ""


@pytest.mark.parametrize("seed", SEEDS)
def test_one_seed_gives_one_transcript(seed: int) -> None:
    """Both dialects, threads, `random`, `uuid4`, crashes, a broker that fails in every way, a panic and a rearm."""
    one = transcript(seed)
    assert len(one.splitlines()) > 200
    assert difference(one, transcript(seed)) == ""


def test_it_is_the_same_in_another_process() -> None:
    """Whatever `PYTHONHASHSEED` is."""
    assert difference(in_a_process(3, 1), in_a_process(3, 2)) == ""


def test_another_seed_gives_another_transcript() -> None:
    """Or the tests above would compare nothing."""
    assert difference(transcript(0), transcript(1)) != ""
