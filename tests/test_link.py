"""A link comes back by itself: at once to a broker that restarted, ever more slowly to one that is away or contested."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from halloween_host.link import AWAY_CAP_S, BACKOFF_CAP_S, CONTESTED_CAP_S, Link
from halloween_host.mqtt import AnyClient, MqttCodeError, MqttError, MqttTimeoutError, ProtocolVersion, Will
from halloween_host.settings import BrokerSettings

TAKEN_OVER = MqttCodeError(142, "127.0.0.1:1883 disconnected us")
WILL = Will("halloween/coffin/status/availability", b"offline", qos=1, retain=True)


class Rehearsed(Link):
    """A link whose connections are given: for each, the error that ends it and after how many seconds (None: refused)."""

    def __init__(
        self,
        *connections: tuple[MqttError, float | None],
        protocol: Any = "auto",
        failed: Callable[[MqttError], None] | None = None,
        name: str = "",
    ) -> None:
        self.script = list(connections)
        self.tries: list[tuple[float, ProtocolVersion]] = []
        self.dialled: set[tuple[str, Will | None]] = set()
        self.evidence: list[str] = []
        super().__init__(
            BrokerSettings("127.0.0.1", protocol=protocol),
            self.dial,
            self.serve,
            client_id="host",
            will=WILL,
            name=name,
            taken_over=self.evidence.append,
            failed=failed,
            random_=lambda: 1.0,
        )
        self.fall_silent()  # its connections carry nothing

    async def serve(self, client: AnyClient) -> None:
        error, seconds = self.script.pop(0)
        await trio.sleep(seconds or 0)
        raise error

    def dial(
        self, client_id: str, protocol: ProtocolVersion, will: Will | None
    ) -> AbstractAsyncContextManager[AnyClient]:
        @asynccontextmanager
        async def connection() -> AsyncIterator[AnyClient]:
            if client_id == "host/probe":  # answered, unless the next try finds no broker either
                if self.script and self.script[0][1] is None:
                    raise self.script[0][0]
                yield cast(AnyClient, None)
                return
            self.dialled.add((client_id, will))
            self.tries.append((trio.current_time(), protocol))
            if not self.script:
                await trio.sleep_forever()
            if self.script[0][1] is None:
                raise self.script.pop(0)[0]
            yield cast(AnyClient, None)

        return connection()


async def tries(link: Rehearsed) -> list[float]:
    """Run the script; the seconds between its tries."""
    with trio.move_on_after(3600):
        await link.run()
    times = [time for time, _ in link.tries]
    return [round(later - earlier, 3) for earlier, later in pairwise(times)]


def said(lines: Sequence[MutableMapping[str, Any]]) -> list[str]:
    """What stands in the log of a host that was not asked for more."""
    return [line["event"] for line in lines if line["log_level"] != "debug"]


async def test_a_broker_that_is_away_is_tried_with_a_growing_back_off(autojump_clock: MockClock) -> None:
    """Full jitter (here at its upper end) from 0.5 s, doubling, 1.5 s at most; said once, and again once a minute."""
    link = Rehearsed(*[(MqttError("connection refused"), None)] * 130)
    with capture_logs() as lines:
        waits = await tries(link)
    assert waits[:4] == [0.5, 1, 1.5, 1.5]
    assert max(waits) == AWAY_CAP_S
    assert said(lines)[0] == "cannot reach the broker: connection refused; trying again"
    assert 3 <= len(said(lines)) <= 6


@pytest.mark.parametrize("failed", [None, lambda error: None], ids=["refused", "a prop's own"])
async def test_who_is_refused_asks_less_often(
    failed: Callable[[MqttError], None] | None, autojump_clock: MockClock
) -> None:
    """10 s at most; so does the connection of a prop, which the host's tells to hurry."""
    error = MqttError("connection refused") if failed else MqttCodeError(135, "not authorized")
    waits = await tries(Rehearsed(*[(error, None)] * 10, failed=failed))
    assert waits[:6] == [0.5, 1, 2, 4, 8, 10]
    assert max(waits) == BACKOFF_CAP_S


async def test_a_broker_that_restarted_is_joined_again_at_once(autojump_clock: MockClock) -> None:
    """The first try after a lost connection does not wait."""
    assert await tries(Rehearsed((MqttError("gone"), 60), (MqttError("gone"), 60))) == [60, 60]


async def test_three_short_connections_in_a_row_are_a_stranger_with_our_client_id(autojump_clock: MockClock) -> None:
    """Then one line says so, and the back-off grows to 30 s: no fight for ever."""
    link = Rehearsed(*[(MqttError("the broker closed the connection"), 0.1)] * 12)
    with capture_logs() as lines:
        waits = await tries(link)
    assert waits[:2] == [0.5, 0.5]  # 0.1 s of connection, and a moment of giving way
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
    """MQTT 5's reason 142 is proof: whoever owns the link is told, and there is no further try: the topics are the other's."""
    link = Rehearsed((TAKEN_OVER, 100), (MqttError("gone"), 60))
    with trio.fail_after(101):
        await link.run()
    assert len(link.tries) == 1
    (evidence,) = link.evidence
    assert "session taken over" in evidence


async def test_a_lost_connection_is_no_take_over(autojump_clock: MockClock) -> None:
    """Whatever else ends a connection, the link comes back and accuses nobody."""
    link = Rehearsed((MqttCodeError(139, "the broker shuts down"), 10), (MqttError("gone"), 60))
    assert await tries(link) == [10, 60]
    assert link.evidence == []


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


async def test_every_try_is_made_with_the_same_client_id_and_will(autojump_clock: MockClock) -> None:
    """The fixed client id is what makes the broker send an old will before the new birth."""
    link = Rehearsed(
        (MqttError("gone"), 60), (MqttError("connection refused"), None), (MqttTimeoutError("silence"), None)
    )
    await tries(link)
    assert link.dialled == {("host", WILL)}


async def test_a_session_that_returns_ends_the_link(autojump_clock: MockClock) -> None:
    """As a presence does that left in good order: nothing connects again."""

    class Leaves(Rehearsed):
        async def serve(self, client: AnyClient) -> None:
            await trio.sleep(3)

    link = Leaves((MqttError("never raised"), 1))
    with trio.fail_after(4):
        await link.run()
    assert len(link.tries) == 1


async def test_a_presence_whose_broker_restarts_often_accuses_nobody_either(autojump_clock: MockClock) -> None:
    """A try that failed breaks its row too, though it is told to somebody else than the log."""
    gone, away = (MqttError("the broker closed the connection"), 0.1), (MqttError("connection refused"), None)
    link = Rehearsed(*[gone, away] * 5, failed=lambda error: None)
    with capture_logs() as lines:
        waits = await tries(link)
    assert lines == []
    assert max(waits) <= 1


async def test_a_failure_is_told_to_who_asked_for_it_and_not_to_the_log(autojump_clock: MockClock) -> None:
    """200 presences say nothing of a broker that is away: the host's own link does. A lost connection is no failure."""
    refused, lost = MqttCodeError(135, "refused"), MqttError("gone")
    told: list[MqttError] = []
    link = Rehearsed((refused, None), (refused, None), (lost, 60), (lost, 60), failed=told.append)
    with capture_logs() as lines:
        await tries(link)
    assert told == [refused, refused]
    assert lines == []


async def test_a_client_id_fought_for_is_said_even_then(autojump_clock: MockClock) -> None:
    """That line is nobody else's to say; from then on the cut connections are told, so that the host's voice steps in."""
    told: list[MqttError] = []
    link = Rehearsed(*[(MqttError("the broker closed the connection"), 0.1)] * 5, failed=told.append)
    with capture_logs() as lines:
        await tries(link)
    assert ["another client uses our client id 'host'" in line["event"] for line in lines] == [True]
    assert len(told) == 2


@pytest.mark.parametrize("failed", [None, lambda error: None], ids=["the host's own", "a prop's own"])
async def test_a_second_fight_in_the_night_is_said_too(
    failed: Callable[[MqttError], None] | None, autojump_clock: MockClock
) -> None:
    """A connection that lasted stands between them."""
    cut = (MqttError("the broker closed the connection"), 0.1)
    link = Rehearsed(*[cut] * 4, (MqttError("gone"), 3600), *[cut] * 4, failed=failed)
    with capture_logs() as lines:
        with trio.move_on_after(7200):
            await link.run()
    assert sum("another client uses our client id" in line["event"] for line in lines) == 2


async def test_a_link_that_is_not_the_hosts_own_names_itself(autojump_clock: MockClock) -> None:
    """In each line: whose connection it is."""
    link = Rehearsed((MqttError("connection refused"), None), (MqttError("gone"), 60), name="coffin")
    with capture_logs() as lines:
        await tries(link)
    assert len(lines) >= 3
    assert all(line["event"].startswith("coffin: ") for line in lines)


async def test_a_lost_connection_is_one_error_however_many_tasks_found_out(autojump_clock: MockClock) -> None:
    """A session's nursery raises a group; what is not the broker's doing goes up as it is."""

    class Crowd(Rehearsed):
        error: Exception = ExceptionGroup("x", [MqttError("gone"), ExceptionGroup("y", [MqttError("gone")])])

        async def serve(self, client: AnyClient) -> None:
            self.script.pop(0)
            raise self.error

    link = Crowd((MqttError("unused"), 1))
    assert await tries(link) == [0.4]
    link = Crowd((MqttError("unused"), 1))
    link.error = ExceptionGroup("x", [MqttError("gone"), ValueError("our own defect")])
    with pytest.raises(ExceptionGroup) as caught:
        await link.run()
    assert caught.group_contains(ValueError)


async def test_a_broker_too_slow_for_our_keep_alive_is_one_trouble(autojump_clock: MockClock) -> None:
    """It takes us again and again, and each time falls silent: said once a minute, until a connection lasts."""
    silent, gone = (MqttTimeoutError("no answer to our keep-alive"), 15.0), (MqttError("gone"), 31.0)
    with capture_logs() as lines:
        await tries(Rehearsed(*[silent] * 3, gone, gone, silent))
    once = ["connected, MQTT 5", "lost the broker"]
    assert [text.partition(":")[0] for text in said(lines)] == [*once * 3, "connected, MQTT 5"]


@pytest.mark.parametrize(
    "error", [MqttCodeError(128, "disconnected us"), MqttTimeoutError("no answer to our keep-alive")]
)
async def test_a_broker_that_says_why_it_cuts_us_is_no_stranger(error: MqttError, autojump_clock: MockClock) -> None:
    """Nor is one that falls silent: nobody is accused, and the tries have the back-off of a broker that refuses us."""
    with capture_logs() as lines:
        waits = await tries(Rehearsed(*[(error, 1.0)] * 8))
    assert waits[:5] == [1.5, 2, 3, 5, 9]
    assert max(waits) == 1 + BACKOFF_CAP_S
    assert not [line for line in lines if line["log_level"] == "error"]
