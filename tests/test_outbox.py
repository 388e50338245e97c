"""The outbox keeps order while the broker takes, folds to the newest value while it is away, and forgets commands that are too old."""

from __future__ import annotations

from typing import Any

import pytest

from halloween_host import outbox as module
from halloween_host.outbox import CAPACITY, LINES_KEPT, Kind, Outbox, Post
from halloween_host.outlet import Outlet


class Desk:
    """An outbox whose clock is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.dropped: list[str] = []
        self.woken = 0
        self.outbox = Outbox(
            wake=self._woke,
            clock=lambda: self.now,
            dropped=lambda prop_id, text: self.dropped.append(f"{prop_id}: {text}"),
        )

    def _woke(self) -> None:
        self.woken += 1

    def say(self, topic: str, payload: str, kind: Kind = "telemetry", **options: Any) -> None:
        self.outbox.post(Post("fogger", topic, payload.encode(), kind, posted_at=self.now, **options))

    def connect(self) -> None:
        self.outbox.link_up()
        assert self.take() == []

    def take(self, most: int = CAPACITY) -> list[str]:
        return [f"{post.topic} {post.payload.decode()}" for post in self.outbox.take(most)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_order_is_kept_while_connected(desk: Desk) -> None:
    """Every value goes out, in order, while the broker takes them."""
    desk.connect()
    for number in range(5):
        desk.say("a", str(number))
        desk.say("b", str(number))
    assert desk.take() == [f"{topic} {number}" for number in range(5) for topic in "ab"]
    assert desk.woken == 10


def test_newest_value_per_topic_while_away(desk: Desk) -> None:
    """Away, a topic keeps its newest value, at the place of the newest."""
    for number in range(3):
        desk.say("a", str(number))
    desk.say("b", "0", kind="status")
    desk.say("a", "3")
    assert desk.take() == ["b 0", "a 3"]


def test_a_retained_value_survives_one_that_is_not(desk: Desk) -> None:
    """`started`, retained, then `armed`, not retained, before the broker came: both go out, the retained one stays."""
    desk.say("state", "started", kind="status", retain=True)
    desk.say("state", "armed", kind="status")
    assert desk.take() == ["state started", "state armed"]


def test_lines_are_all_kept_up_to_the_last_200(desk: Desk) -> None:
    """`status/error` lines never fold; the oldest goes beyond 200, and is said."""
    for number in range(LINES_KEPT + 3):
        desk.say("error", str(number), kind="line")
    assert desk.take() == [f"error {number}" for number in range(3, LINES_KEPT + 3)]
    assert len(desk.dropped) == 3


def test_a_command_is_dropped_after_5_seconds(desk: Desk) -> None:
    """A command older than 5 s is dropped with a line, at the time when it happens and never sent."""
    desk.say("coffin", "fire", kind="command")
    desk.now = 4.9
    assert desk.outbox.expire() == 5.0
    desk.say("coffin", "close", kind="command")
    desk.now = 5.1
    assert desk.outbox.expire() == pytest.approx(9.9)
    assert desk.dropped == ["fogger: command to coffin dropped: 5.1 s old and the broker did not take it"]
    assert desk.take() == ["coffin close"]
    assert desk.outbox.expire() is None


def test_an_old_command_is_not_taken(desk: Desk) -> None:
    """Nor does `take` hand out a command that nobody expired yet."""
    desk.say("coffin", "fire", kind="command")
    desk.now = 6.0
    assert desk.take() == []
    assert len(desk.dropped) == 1


def test_unacknowledged_posts_come_back_first(desk: Desk) -> None:
    """What the lost broker did not acknowledge waits again, older than what came since; a command by its first age."""
    desk.connect()
    desk.say("a", "1", qos=1)
    desk.say("coffin", "fire", kind="command", qos=1)
    sent = desk.outbox.take(10)
    desk.now = 3.0
    desk.say("b", "1")
    desk.say("a", "2")
    desk.outbox.link_down(sent)
    assert desk.take() == ["coffin fire", "b 1", "a 2"]
    desk.outbox.link_down(sent)
    desk.now = 5.5
    assert desk.outbox.expire() is None
    assert desk.take() == ["a 1"]


def test_availability_goes_first_at_a_new_connection(desk: Desk) -> None:
    """At link up availability is handed out apart, so that its PUBACK comes before anything else goes."""
    desk.say("tick", "0")
    desk.say("availability", "offline", kind="availability")
    desk.say("availability", "online", kind="availability")
    assert [post.payload for post in desk.outbox.link_up()] == [b"online"]
    assert desk.take() == ["tick 0"]


def test_a_slow_broker_folds_and_nothing_grows_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its bound a connected outbox keeps the newest value per topic; distinct topics beyond it drop the oldest, said."""
    monkeypatch.setattr(module, "CAPACITY", 10)
    desk = Desk()
    desk.connect()
    for number in range(25):
        desk.say("a", str(number))
    assert len(desk.outbox) <= 10
    for number in range(12):
        desk.say(f"t{number}", "x")
    assert len(desk.outbox) == 10
    assert desk.dropped
    desk.take()
    desk.say("a", "1")
    desk.say("a", "2")
    assert desk.take() == ["a 1", "a 2"], "with room again, every value goes out"


def test_an_outlet_holds_telemetry_until_released(desk: Desk) -> None:
    """Telemetry waits for `online`, the newest per topic; status lines pass at once."""
    outlet = Outlet("fogger", desk.outbox, lambda prop_id, text: desk.dropped.append(text))
    desk.connect()
    outlet.post("tick", b"0", "telemetry")
    outlet.post("tick", b"1", "telemetry")
    outlet.post("error", b"e", "line")
    assert desk.take() == ["error e"]
    outlet.release()
    outlet.post("tick", b"2", "telemetry")
    assert desk.take() == ["tick 1", "tick 2"]


def test_a_closed_outlet_drops_with_one_line(desk: Desk) -> None:
    """After its end a worker's thread may talk on: nothing leaves, and it is said once."""
    outlet = Outlet("fogger", desk.outbox, lambda prop_id, text: desk.dropped.append(text))
    outlet.close()
    for _ in range(3):
        outlet.post("tick", b"0", "telemetry")
    assert len(desk.outbox) == 0
    assert len(desk.dropped) == 1


@pytest.mark.parametrize(("workers", "kept"), [(10, CAPACITY), (5_000, 20_000)])
def test_there_is_room_for_the_first_words_of_thousands(desk: Desk, workers: int, kept: int) -> None:
    """5,000 workers that begin at once lose nothing, and a small host keeps its bound."""
    desk.outbox.make_room(workers)
    for number in range(20_000):
        desk.say(f"halloween/p{number}/status/health", "{}", kind="status", qos=1, retain=True)
    assert len(desk.outbox) == kept


def test_nothing_is_folded_once_the_broker_is_there(desk: Desk) -> None:
    """What is said between the broker's return and the first look into the outbox is news in its order, every word of it."""
    desk.say("tick", "0")
    assert desk.outbox.link_up() == []
    for number in range(1, 4):
        desk.say("tick", str(number))
    assert desk.take() == ["tick 0", "tick 1", "tick 2", "tick 3"]
