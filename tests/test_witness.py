"""A late will is corrected and another publisher is named; our own words on their way are neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from halloween_host import BaseWorker, topics
from halloween_host.outbox import Outbox
from halloween_host.reporter import Reporter
from halloween_host.testing import rehearsal, rehearse
from halloween_host.witness import MOST, SETTLED_S, WINDOW_S, Witness


class Prop:
    """A prop whose repeated word is heard again after `delay_s`, and acknowledged just before."""

    def __init__(self, prop_id: str, said: str | None, delay_s: float = 0.01) -> None:
        self.prop_id = prop_id
        self.said = said
        self.delay_s = delay_s
        self.repeats: list[float] = []
        self.yard: Yard

    def repeat(self) -> None:
        self.repeats.append(trio.current_time() - self.yard.began)
        word, self.said = self.said or "online", None
        self.yard.nursery.start_soon(self._come_back, word)

    async def _come_back(self, word: str) -> None:
        await trio.sleep(self.delay_s)
        self.said = word
        self.yard.witness.hear(self.prop_id, word)


class Yard:
    def __init__(self, nursery: trio.Nursery, props: list[Prop]) -> None:
        self.began = trio.current_time()
        self.nursery = nursery
        self.outbox = Outbox(wake=lambda: None, clock=trio.current_time, dropped=lambda prop_id, text: None)
        self.witness = Witness({prop.prop_id: prop for prop in props}, Reporter(self.outbox))
        for prop in props:
            prop.yard = self


@asynccontextmanager
async def witnessed(*props: Prop) -> AsyncIterator[Witness]:
    async with trio.open_nursery() as nursery:
        yard = Yard(nursery, list(props))
        nursery.start_soon(yard.witness.run)
        yield yard.witness
        nursery.cancel_scope.cancel()


async def test_a_late_will_is_corrected_once_it_has_stood_for_half_a_second(autojump_clock: MockClock) -> None:
    """After a power cut the old connection's `offline` follows the new one's `online`."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        witness.hear("coffin", "online")
        await trio.sleep(10)
        witness.hear("coffin", "offline")
        await trio.sleep(SETTLED_S - 0.01)
        assert coffin.repeats == []
        await trio.sleep(60)
        assert coffin.repeats == [10 + SETTLED_S]


async def test_what_is_heard_first_is_corrected_too(autojump_clock: MockClock) -> None:
    """The broker's memory of an earlier night is no better than a late will."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        witness.hear("coffin", "offline")
        await trio.sleep(5)
        assert coffin.repeats == [SETTLED_S]


async def test_the_old_word_that_comes_before_ours_is_none_of_anybodys(autojump_clock: MockClock) -> None:
    """A will before the new birth, a retained word before our first: ours follows within a moment, nothing is corrected."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        for _ in range(20):
            witness.hear("coffin", "offline")
            await trio.sleep(0.1)
            witness.hear("coffin", "online")
            await trio.sleep(1)
        assert coffin.repeats == []


async def test_our_own_words_on_their_way_are_never_corrected(autojump_clock: MockClock) -> None:
    """A word that no PUBACK stands behind yet is judged when one does, however long that takes."""
    coffin = Prop("coffin", None)
    async with witnessed(coffin) as witness:
        witness.hear("coffin", "offline")  # the last word that was out; `online` is on its way
        await trio.sleep(30)
        assert coffin.repeats == []
        coffin.said = "online"
        witness.hear("coffin", "online")
        await trio.sleep(30)
        assert coffin.repeats == []


async def test_a_word_on_its_way_that_is_overwritten_at_once_is_corrected_then(autojump_clock: MockClock) -> None:
    """Waiting for the PUBACK forgets nothing."""
    coffin = Prop("coffin", None)
    async with witnessed(coffin) as witness:
        witness.hear("coffin", "offline")
        await trio.sleep(3)
        coffin.said = "online"
        await trio.sleep(3)
        assert len(coffin.repeats) == 1


async def test_our_own_change_of_mind_is_no_stranger(autojump_clock: MockClock) -> None:
    """What was foreign when it came is our own word by the time it is looked at."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        witness.hear("coffin", "offline")
        await trio.sleep(0.2)
        coffin.said = "offline"
        await trio.sleep(10)
        assert coffin.repeats == []


async def test_three_corrections_a_minute_then_one_line_and_silence(autojump_clock: MockClock) -> None:
    """Another publisher would go on for ever: who it is about and what it says stand in one line, on status/error too."""
    coffin, fogger = Prop("coffin", "online"), Prop("fogger", "online")
    with capture_logs() as lines:
        async with witnessed(coffin, fogger) as witness:
            for _ in range(40):  # once a second
                witness.hear("coffin", "offline")
                await trio.sleep(1)
            assert len(coffin.repeats) == MOST
            errors = [line for line in lines if line["log_level"] == "error"]
            assert [line["worker"] for line in errors] == ["coffin"]
            assert errors[0]["event"] == (
                "somebody else publishes for coffin: 'offline' where we said 'online', corrected 3 times in 60 s"
            )
            (post,) = fogger.yard.outbox.take(10)
            assert post.topic == topics.status("coffin", "error")
            witness.hear("fogger", "offline")  # each prop has a count of its own
            await trio.sleep(1)
            assert len(fogger.repeats) == 1


async def test_a_fight_that_goes_on_is_said_once_a_minute(autojump_clock: MockClock) -> None:
    """And never more than three corrections in any minute."""
    coffin = Prop("coffin", "online")
    with capture_logs() as lines:
        async with witnessed(coffin) as witness:
            for _ in range(600):
                witness.hear("coffin", "offline")
                await trio.sleep(1)
    for first in coffin.repeats:
        assert sum(first <= at < first + WINDOW_S for at in coffin.repeats) <= MOST
    assert len(coffin.repeats) >= 27
    assert 9 <= len(lines) <= 11


async def test_a_stranger_that_takes_its_word_back_and_forth_is_named_once(autojump_clock: MockClock) -> None:
    """Its `online` is no end of the matter."""
    coffin = Prop("coffin", "online")
    with capture_logs() as lines:
        async with witnessed(coffin) as witness:
            for _ in range(25):
                witness.hear("coffin", "offline")
                await trio.sleep(1)
                witness.hear("coffin", "online")
                await trio.sleep(1)
    assert len(coffin.repeats) == MOST
    assert len(lines) == 1


async def test_a_stranger_that_left_has_the_last_word_for_a_minute_at_most(autojump_clock: MockClock) -> None:
    """What it left behind is corrected as soon as the count allows."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        for _ in range(4):
            witness.hear("coffin", "offline")
            await trio.sleep(1)
        assert len(coffin.repeats) == MOST
        await trio.sleep(120)
        assert len(coffin.repeats) == MOST + 1
        assert coffin.repeats[-1] == coffin.repeats[0] + WINDOW_S


@pytest.mark.timeout(20)
@pytest.mark.parametrize("at", [0.1 * number for number in range(30, 50)])
async def test_the_minute_ends_when_it_ends(autojump_clock: MockClock, at: float) -> None:
    """4.1 + 60 - 4.1 is less than 60: in virtual time the witness would look at that moment for ever."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        await trio.sleep(at)
        for _ in range(4):
            witness.hear("coffin", "offline")
            await trio.sleep(1)
        await trio.sleep(120)
        assert len(coffin.repeats) == MOST + 1


async def test_of_a_link_that_is_gone_nothing_is_corrected(autojump_clock: MockClock) -> None:
    """The new one tells anew what the broker has."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        witness.hear("coffin", "offline")
        witness.forget()
        await trio.sleep(10)
        assert coffin.repeats == []
        witness.hear("coffin", "offline")
        await trio.sleep(10)
        assert len(coffin.repeats) == 1


async def test_of_props_that_are_not_ours_nothing_is_kept(autojump_clock: MockClock) -> None:
    """A house full of firmware shares the broker with us."""
    coffin = Prop("coffin", "online")
    async with witnessed(coffin) as witness:
        for number in range(1000):
            witness.hear(f"lamp{number}", "offline")
        await trio.sleep(10)
        assert coffin.repeats == []
        assert len(witness._heard) == 0


@rehearsal
async def test_a_strangers_offline_on_the_stage_is_put_right_and_a_crash_is_not() -> None:
    """The host itself is witnessed likewise; 20 quick crashes and births are all our own."""

    async with rehearse({"coffin": BaseWorker}, environ={"WORKER_RESTART_LIMIT": "1000"}) as show:
        await show.expect("coffin/status/availability", "online")
        await show.run_for(1)
        for topic in ("coffin/status/availability", "worker_host/status/availability"):
            full = f"halloween/{topic}"
            show.publish(full, "offline", retain=True)
            await show.run_for(SETTLED_S - 0.01)
            assert show.broker.retained[full] == b"offline"
            await show.run_for(0.02)
            assert show.broker.retained[full] == b"online"
        for _ in range(20):
            show.crash("coffin")
            await show.run_for(3)
        assert "somebody else publishes" not in str(show.transcript)
