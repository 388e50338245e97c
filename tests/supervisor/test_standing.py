"""What a worker is follows from facts: its phase, the link, its restarts, its mailbox; and is said once per change."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host.supervisor._standing import LINK_GRACE_S, LOOK_S, RECENT_S, Phase
from tests.supervisor.bench import bench


async def test_a_start_is_starting_then_online(autojump_clock: MockClock) -> None:
    """`offline` before, whatever an earlier night left there; health has exactly its seven keys."""
    async with bench(running=False) as made:
        made.standing.link_up()
        made.standing.enter(Phase.STARTING)
        assert made.voice.words == ["offline"]
        assert made.said() == ["starting"]
        made.standing.enter(Phase.RUNNING)
        assert made.voice.words == ["offline", "online"]
        assert made.said() == ["online"]
        assert made.healths[-1] == {
            "state": "online",
            "reason": None,
            "since": round(made.wall(), 3),
            "restarts": 0,
            "dialect": "native",
            "presence": True,
            "refused": 0,
        }


async def test_a_worker_that_runs_before_the_broker_is_there_waits_for_it(autojump_clock: MockClock) -> None:
    """Never online, and not offline by `link` either: it was never reachable."""
    async with bench(running=False) as made:
        made.standing.enter(Phase.RUNNING)
        await trio.sleep(60)
        assert made.said() == ["starting: waits for the broker"]
        assert "online" not in made.voice.words
        made.standing.link_up()
        assert made.said() == ["online"]


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.DOWN, "_ticker crashed: RuntimeError: boom (worker.py:12)"),
        (Phase.STOPPED, "stopped by the operator"),
        (Phase.PANIC, "panic: a guest fell"),
    ],
)
async def test_what_does_not_run_is_offline_and_says_why(autojump_clock: MockClock, phase: Phase, reason: str) -> None:
    """The word goes out before anything else can happen: `enter` is a plain call."""
    async with bench() as made:
        made.standing.enter(phase, reason)
        assert made.voice.words == ["offline"]
        assert made.said() == [f"offline: {reason}"]
        made.standing.link_down()
        await trio.sleep(10)
        made.standing.link_up()
        assert made.said() == [f"offline: {reason}"]  # it stays its own reason, the link's is less


async def test_since_is_when_the_state_began_and_not_when_it_was_said(autojump_clock: MockClock) -> None:
    """Also over a new connection, and when only a count changes."""
    async with bench() as made:
        began = made.standing.health.since
        await trio.sleep(100)
        made.standing.link_up()
        made.refused_count = 3
        made.standing.count_changed()
        await trio.sleep(5)
        assert made.said() == ["online", "online"]
        assert {each["since"] for each in made.healths} == {round(began, 3)}
        made.standing.enter(Phase.STOPPED, "stopped by the operator")
        assert made.standing.health.since == made.wall()


async def test_a_link_that_is_away_for_two_seconds_is_offline_for_that_reason(autojump_clock: MockClock) -> None:
    """A prop that cannot be commanded is not available; back it is online at once."""
    async with bench() as made:
        made.standing.link_down()
        await trio.sleep(LINK_GRACE_S - 0.01)
        assert (made.voice.words, made.said()) == ([], [])
        await trio.sleep(0.02)
        assert made.voice.words == ["offline"]
        assert made.said() == ["offline: link"]
        await trio.sleep(30)
        made.standing.link_up()
        assert made.voice.words == ["offline", "online"]
        assert made.said() == ["online"]


async def test_a_link_that_blinks_changes_nothing(autojump_clock: MockClock) -> None:
    """Each absence has two seconds of its own, and each connection hears the health anew."""
    async with bench() as made:
        for _ in range(5):
            made.standing.link_down()
            await trio.sleep(1.9)
            made.standing.link_up()
            assert made.said() == ["online"]
        assert made.voice.words == []
        assert made.voice.ups[1:] == [False] * 5  # nothing was said anew: the voice repeats what it must


async def test_a_voice_is_told_when_its_word_was_just_said_for_the_new_link(autojump_clock: MockClock) -> None:
    """So that nobody says it twice."""
    async with bench() as made:
        made.standing.link_down()
        await trio.sleep(3)
        made.standing.link_up()
        assert made.voice.ups[1:] == [True]


async def test_a_restart_is_counted_and_is_a_reason_to_look_for_a_minute(autojump_clock: MockClock) -> None:
    """Degraded is online: the reason stands in health alone."""
    async with bench() as made:
        made.standing.enter(Phase.DOWN, "boom")
        made.standing.restarted("boom")
        made.standing.enter(Phase.STARTING)
        await trio.sleep(10)
        made.standing.enter(Phase.RUNNING)
        assert made.said() == ["offline: boom", "starting", "degraded: restarted after: boom"]
        assert made.voice.words == ["offline", "online"]
        assert [each["restarts"] for each in made.healths[-3:]] == [0, 1, 1]
        await trio.sleep(RECENT_S - 10 - 0.1)
        assert made.said() == []
        await trio.sleep(0.2)
        assert made.said() == ["online"]
        assert made.voice.words == ["offline", "online"]
        assert made.healths[-1]["restarts"] == 1


@pytest.mark.parametrize("at", [0.1 * number for number in range(20, 50)])
async def test_a_moment_that_is_asked_for_is_not_missed(autojump_clock: MockClock, at: float) -> None:
    """4.1 + 60 - 4.1 is less than 60: in virtual time such a review would have been the last."""
    async with bench() as made:
        await trio.sleep(at)
        made.standing.restarted("boom")
        made.standing.review()
        await trio.sleep(RECENT_S)
        await wait_all_tasks_blocked()
        assert made.said() == ["degraded: restarted after: boom", "online"]
        made.standing.link_down()
        await trio.sleep(LINK_GRACE_S)
        await wait_all_tasks_blocked()
        assert made.said() == ["offline: link"]


async def test_the_second_restart_begins_a_minute_of_its_own(autojump_clock: MockClock) -> None:
    """The first one's review must not end it."""
    async with bench() as made:
        for reason in ("first", "second"):
            made.standing.restarted(reason)
            made.standing.review()
            await trio.sleep(40)
        await trio.sleep(15)
        assert made.said() == ["degraded: restarted after: first", "degraded: restarted after: second"]
        await trio.sleep(10)
        assert made.said() == ["online"]


async def test_who_is_started_on_purpose_is_not_degraded(autojump_clock: MockClock) -> None:
    """The operator looked already."""
    async with bench() as made:
        made.standing.enter(Phase.DOWN, "boom")
        made.standing.restarted("boom")
        made.standing.forgive()
        made.standing.enter(Phase.RUNNING)
        assert made.said()[-1] == "online"


async def test_a_mailbox_over_half_full_is_degraded_until_it_is_down_to_two_fifths(autojump_clock: MockClock) -> None:
    """Looked at within a second, and again as long as it is: it empties without a message."""
    async with bench() as made:
        made.load = 0.5
        made.standing.count_changed()
        await trio.sleep(LOOK_S + 0.1)
        assert made.said() == []
        made.load = 0.51
        made.standing.count_changed()
        await trio.sleep(LOOK_S + 0.1)
        assert made.said() == ["degraded: its mailbox is over half full"]
        for made.load in (0.49, 0.41, 0.6, 0.41):
            await trio.sleep(LOOK_S + 0.1)
        assert made.said() == []
        made.load = 0.4
        await trio.sleep(LOOK_S + 0.1)
        assert made.said() == ["online"]
        assert made.voice.words == []


async def test_ten_thousand_refusals_are_said_once_a_second(autojump_clock: MockClock) -> None:
    """Health is read by people; the count is right when it stands."""
    async with bench() as made:
        for number in range(100):
            for _ in range(100):
                made.refused_count += 1
                made.standing.count_changed()
            await trio.sleep(0.1)
            assert made.refused_count == 100 * (number + 1)
        await trio.sleep(2)
        assert 9 <= len(made.said()) <= 12
        assert made.healths[-1]["refused"] == 10_000


async def test_nothing_is_said_twice(autojump_clock: MockClock) -> None:
    """However often it is reviewed; a presence that came or went is a change."""
    async with bench() as made:
        for _ in range(10):
            made.standing.review()
            made.standing.enter(Phase.RUNNING)
        assert made.said() == []
        made.voice.present = False
        made.standing.review()
        assert made.said() == ["online"]
        assert not made.healths[-1]["presence"]
        assert made.voice.words == []


async def test_a_birth_is_told_when_the_broker_has_it(autojump_clock: MockClock) -> None:
    """Then, and for `online` alone: commands are taken from there on. Until then nothing of ours is out."""
    births: list[float] = []
    async with bench(running=False) as made:
        made.standing.born = lambda: births.append(trio.current_time())
        made.standing.link_up()
        made.standing.enter(Phase.STARTING)
        made.voice.acknowledge()
        assert births == []
        assert made.standing.said == "offline"
        made.standing.enter(Phase.RUNNING)
        assert births == []
        assert made.standing.said is None
        made.voice.acknowledge()
        assert len(births) == 1
        assert made.standing.said == "online"


async def test_a_silenced_standing_says_nothing_more(autojump_clock: MockClock) -> None:
    """The topics are another host's: neither word nor health, for what happens here."""
    async with bench() as made:
        made.standing.speaks = False
        made.standing.enter(Phase.STOPPED, "the host stopped")
        made.standing.link_down()
        await trio.sleep(10)
        assert (made.voice.words, made.said()) == ([], [])


async def test_a_change_is_told_to_who_waits_and_logged_once(autojump_clock: MockClock) -> None:
    """`online` and `offline: why`, when availability changed; degraded is no line."""
    async with bench() as made:
        with capture_logs() as lines:
            changed = made.standing.changed
            made.standing.enter(Phase.DOWN, "boom")
            assert changed.is_set()
            made.standing.restarted("boom")
            made.standing.enter(Phase.STARTING)
            made.standing.enter(Phase.RUNNING)
            changed = made.standing.changed
            await trio.sleep(70)
            assert changed.is_set()
        assert [line["event"] for line in lines] == ["offline: boom", "online"]
