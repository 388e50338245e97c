"""The C programs compile without a warning, lose nothing, and are compiled again when their source changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness import Bench, MeasurementError, Variant
from benchmarks.harness._compiler import SOURCES, compiled
from benchmarks.rows.receive import OURS, PAHO, READER, from_stub, through_mosquitto

PROGRAMS = sorted(path.stem for path in SOURCES.glob("*.c"))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c")


@pytest.fixture
def bench(build: Path) -> Bench:
    return Small(python=Path(sys.executable), build=build)


class Small(Bench):
    """A thousand messages instead of a hundred thousand."""

    def count(self, full: int, weight: float = 1.0, *, quick: float = 1.0) -> int:
        return 1000


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_compiles_without_a_warning(name: str, tmp_path: Path) -> None:
    options = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    command = [os.environ.get("CC", "cc"), *options, "-o", str(tmp_path / name), str(SOURCES / f"{name}.c")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_compiled_again_only_when_its_source_is_newer(build: Path) -> None:
    program = compiled("reader", into=build)
    os.utime(program, (2e9, 2e9))
    assert compiled("reader", into=build).stat().st_mtime == 2e9
    os.utime(program, (1, 1))
    assert compiled("reader", into=build).stat().st_mtime > 1


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", ["311", "5"])
@pytest.mark.parametrize("variant", [OURS, PAHO], ids=lambda variant: variant.name)
async def test_a_client_gets_a_thousand_messages_of_the_stub(
    bench: Bench, variant: Variant, qos: int, version: str
) -> None:
    measured = await from_stub(bench, variant, qos=qos, version=version)
    assert measured.values["rate"] > 0
    assert measured.values["cpu_us"] > 0


@pytest.mark.parametrize(("variant", "qos", "tls"), [(OURS, 1, True), (READER, 0, False), (READER, 1, False)])
async def test_a_thousand_messages_come_through_mosquitto(bench: Bench, variant: Variant, qos: int, tls: bool) -> None:
    measured = await through_mosquitto(bench, variant, qos=qos, tls=tls)
    assert measured.values["rate"] > 0


async def test_a_client_that_is_missing_is_an_error(bench: Bench) -> None:
    with pytest.RaisesGroup(MeasurementError, allow_unwrapped=True, flatten_subgroups=True):
        await from_stub(bench, Variant("nobody"), qos=0, version="311")
