"""A link comes back by itself: at once to a broker that restarted, ever more slowly to one that is away or contested."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from halloween_host.link import BACKOFF_CAP_S, CONTESTED_CAP_S, Link
from halloween_host.mqtt import Client, MqttCodeError, MqttError, MqttTimeoutError, ProtocolVersion
from halloween_host.settings import BrokerSettings

TAKEN_OVER = MqttCodeError(142, "127.0.0.1:1883 disconnected us")


class Rehearsed(Link):
    """A link whose connections are given: for each, the error that ends it and after how many seconds (None: refused)."""

    def __init__(self, *connections: tuple[MqttError, float | None], protocol: Any = "auto") -> None:
        broker = BrokerSettings("127.0.0.1", protocol=protocol)
        super().__init__(broker, self._serve, client_id="host", random_=lambda: 1.0)
        self.script = list(connections)
        self.tries: list[tuple[float, ProtocolVersion]] = []

    async def _serve(self, client: Client) -> None:
        error, seconds = self.script.pop(0)
        await trio.sleep(seconds or 0)
        raise error

    def _client(self) -> Client:
        return cast(Client, self._connection())

    def _connection(self) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def connection() -> AsyncIterator[None]:
            self.tries.append((trio.current_time(), self._protocol))
            if not self.script:
                await trio.sleep_forever()
            if self.script[0][1] is None:
                raise self.script.pop(0)[0]
            yield

        return connection()


async def tries(link: Rehearsed) -> list[float]:
    """Run the script; the seconds between its tries."""
    with trio.move_on_after(3600):
        await link.run()
    times = [time for time, _ in link.tries]
    return [round(later - earlier, 3) for earlier, later in pairwise(times)]


async def test_a_broker_that_is_away_is_tried_with_a_growing_back_off(autojump_clock: MockClock) -> None:
    """Full jitter (here at its upper end) from 0.5 s, doubling, 10 s at most; said once, and again once a minute."""
    link = Rehearsed(*[(MqttError("connection refused"), None)] * 30)
    with capture_logs() as lines:
        waits = await tries(link)
    assert waits[:6] == [0.5, 1, 2, 4, 8, 10]
    assert max(waits) == BACKOFF_CAP_S
    said = [line["event"] for line in lines]
    assert said[0] == "cannot reach the broker: connection refused; trying again"
    assert 3 <= len(said) <= 6


async def test_a_broker_that_restarted_is_joined_again_at_once(autojump_clock: MockClock) -> None:
    """The first try after a lost connection does not wait."""
    assert await tries(Rehearsed((MqttError("gone"), 60), (MqttError("gone"), 60))) == [60, 60]


async def test_three_short_connections_in_a_row_are_a_stranger_with_our_client_id(autojump_clock: MockClock) -> None:
    """Then one line says so, and the back-off grows to 30 s: no fight for ever."""
    link = Rehearsed(*[(MqttError("the broker closed the connection"), 0.1)] * 12)
    with capture_logs() as lines:
        waits = await tries(link)
    assert waits[:2] == [0.1, 0.1]
    assert waits[3] > 10
    assert max(waits) == pytest.approx(CONTESTED_CAP_S + 0.1)
    assert sum("another client uses our client id" in line["event"] for line in lines) == 1


async def test_a_broker_that_restarts_often_is_no_stranger(autojump_clock: MockClock) -> None:
    """A try that found no broker stands between its short connections: no row, no accusation."""
    gone, away = (MqttError("the broker closed the connection"), 1.0), (MqttError("connection refused"), None)
    link = Rehearsed(*[gone, away] * 5)
    with capture_logs() as lines:
        waits = await tries(link)
    assert max(waits) < 2
    assert not [line for line in lines if line["log_level"] == "error"]


async def test_a_broker_that_names_the_take_over_is_believed_at_once(autojump_clock: MockClock) -> None:
    """MQTT 5's reason 142 is proof: one line, and the first wait is long already."""
    link = Rehearsed((TAKEN_OVER, 100), (TAKEN_OVER, 0.1))
    with capture_logs() as lines:
        waits = await tries(link)
    assert waits[0] > 110
    texts = [line["event"] for line in lines if line["log_level"] == "error"]
    assert len(texts) == 1
    assert "session taken over" in texts[0]
    assert "MQTT_CLIENT_ID" in texts[0]


@pytest.mark.parametrize("error", [MqttCodeError(1, "refused"), MqttCodeError(132, "refused")])
async def test_mqtt_3_1_1_is_spoken_where_mqtt_5_is_refused_and_remembered(
    autojump_clock: MockClock, error: MqttError
) -> None:
    """At once, and at every later connection."""
    link = Rehearsed((error, None), (MqttError("gone"), 60))
    await tries(link)
    assert [protocol for _, protocol in link.tries] == [ProtocolVersion.V5, ProtocolVersion.V311, ProtocolVersion.V311]
    assert link.tries[0][0] == link.tries[1][0]


async def test_a_broker_that_answers_nothing_is_tried_with_both(autojump_clock: MockClock) -> None:
    """No answer to MQTT 5 may be amqtt's: 3.1.1 follows at once, and MQTT 5 is first again when that was not it."""
    silence = MqttTimeoutError("no answer within 10 s")
    link = Rehearsed((silence, None), (silence, None), (silence, None), (MqttError("gone"), 60))
    await tries(link)
    five, three = ProtocolVersion.V5, ProtocolVersion.V311
    assert [protocol for _, protocol in link.tries] == [five, three, five, three, three]


async def test_insisting_on_a_version_is_heeded(autojump_clock: MockClock) -> None:
    """`MQTT_PROTOCOL=5`: refused or not, nothing else is spoken."""
    link = Rehearsed((MqttCodeError(132, "refused"), None), protocol="5")
    await tries(link)
    assert {protocol for _, protocol in link.tries} == {ProtocolVersion.V5}
