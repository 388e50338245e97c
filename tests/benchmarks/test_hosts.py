"""A host of each design comes up, answers every command exactly once and says good-bye; a lost answer is an error, no figure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.designs.serving import ASYNCIO, OURS, THREAD, C, serving
from benchmarks.harness import Bench, MeasurementError, Variant
from benchmarks.rows import telemetry
from benchmarks.rows.full_path import check, commands_of
from benchmarks.rows.round_trip import round_trips_while
from benchmarks.rows.scale import of_size


class Small(Bench):
    """Two hundred messages, whatever the row asks for."""

    def count(self, full: int, weight: float = 1.0, *, quick: float = 1.0) -> int:
        return 200


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Small(python=Path(sys.executable), build=tmp_path_factory.mktemp("c"))


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("design", [OURS, ASYNCIO, THREAD, C])
async def test_two_hundred_commands_are_answered(bench: Bench, design: str, qos: int) -> None:
    measured = await commands_of("blink", qos)(bench, Variant(design))
    assert measured.values["rate"] > 0
    assert measured.values["cpu_us"] > 0


@pytest.mark.parametrize("design", [OURS, ASYNCIO, THREAD])
async def test_so_they_are_by_handlers_that_suspend(bench: Bench, design: str) -> None:
    measured = await commands_of("pause", 0)(bench, Variant(design))
    assert measured.values["rate"] > 0


@pytest.mark.parametrize("design", [OURS, ASYNCIO, THREAD, C, telemetry.BATCHED])
async def test_one_command_makes_a_worker_send_two_hundred_values(bench: Bench, design: str) -> None:
    (row,) = telemetry.ROWS
    measured = await row.measure(bench, Variant(design))
    assert measured.values["rate"] > 0


@pytest.mark.parametrize("flood_per_s", [0, 500])
async def test_round_trips_are_timed_beside_a_flood_too(bench: Bench, flood_per_s: int) -> None:
    measured = await round_trips_while(flood_per_s)(bench, Variant(OURS))
    assert 0 < measured.values["p50_us"] <= measured.values["p99_us"]


async def test_a_worker_more_is_weighed(bench: Bench) -> None:
    measured = await of_size(OURS)(bench, Variant("12"))
    assert set(measured.values) >= {"online_s", "rss_kib_per_worker", "p50_us", "offline_s"}


@pytest.mark.parametrize("design", [OURS, THREAD])
async def test_the_last_offline_is_seen_after_sigterm(bench: Bench, design: str) -> None:
    async with bench.mosquitto() as broker, serving(bench, design, broker, workers=3) as served:
        assert served.online_s > 0
        assert sum(served.usage().sleeps.values()) > 0
        assert await served.stop() > 0
        assert await served.child.wait() == 0


@pytest.mark.parametrize("result", [{"lost": 1, "again": 0}, {"lost": 0, "again": 1}])
def test_an_answer_that_is_missing_or_came_twice_is_an_error(result: dict[str, int]) -> None:
    with pytest.raises(MeasurementError):
        check(result)
