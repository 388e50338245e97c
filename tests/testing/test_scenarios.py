"""The stage's broker cannot drift from the truth: mosquitto writes the same transcript of every scenario."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from halloween_host.mqtt import ProtocolVersion
from halloween_host.testing._broker import StageBroker
from tests.conftest import MakeMosquitto
from tests.testing.scenarios import SCENARIOS, Scenario
from tests.testing.scenarios_mqtt5 import SCENARIOS_MQTT_5
from tests.testing.yards import MosquittoYard, StageYard

_ALL = [
    *(
        pytest.param(each, version, id=f"{each.__name__}-{version.name}")
        for each in SCENARIOS
        for version in ProtocolVersion
    ),
    *(pytest.param(each, ProtocolVersion.V5, id=f"{each.__name__}-V5") for each in SCENARIOS_MQTT_5),
]


def on_stage(scenario: Scenario, version: ProtocolVersion) -> list[str]:
    """The transcript of a scenario in virtual time."""

    async def main() -> list[str]:
        async with StageBroker(says_taken_over=False) as broker:
            yard = StageYard(version, broker)
            await scenario(yard)
            return yard.transcript

    return trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(("scenario", "version"), _ALL)
async def test_stage_and_mosquitto_write_the_same(
    scenario: Scenario, version: ProtocolVersion, make_mosquitto: MakeMosquitto
) -> None:
    """Line by line."""
    async with trio.open_nursery() as nursery:
        yard = MosquittoYard(version, make_mosquitto(), nursery)
        await scenario(yard)
        nursery.cancel_scope.cancel()
    transcript = await trio.to_thread.run_sync(on_stage, scenario, version)
    assert transcript == yard.transcript
