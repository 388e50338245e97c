"""Stories that ended in a lie once, each shrunk to what it takes."""

from __future__ import annotations

import pytest

from tests.stories.playing import play
from tests.stories.theatre import Act

Found = tuple[Act, ...]


def act(name: str, *args: object) -> Act:
    return Act(name, args)


def scare(prop_id: str, *, with_id: bool = True, retain: bool = False) -> Act:
    return act("send", prop_id, "scare", with_id, None, 0.0, retain)


FOUND: dict[str, Found] = {
    "a live retained command ran": (act("wait", 1.0), scare("lamp", retain=True), act("wait", 1.0)),
    "a panic cancelled the constructor of a host that starts latched": (
        act("wait", 2.1),
        act("panic"),
        act("wait", 1.0),
        act("kill_host", 3.0),
    ),
    "a wanted restart took the instance away under its safe()": (
        act("wait", 5.0),
        act("order", "restart", "lamp"),
        act("rearm"),
        act("panic"),
    ),
    "the host's stop took the instance away under its safe()": (act("panic"), act("stop_host", 30.0)),
    "a rearm took the instance away under its safe()": (
        act("wait", 1.0),
        act("panic"),
        act("wait", 0.005),
        act("rearm"),
        act("wait", 1.0),
    ),
    "an order that came as the host stopped ended it": (
        act("stall", None, 0.5),
        act("order", "stop", "fogger"),
        act("stop_host", 0.1),
    ),
    "what was on its way to a lost connection was lost with it": (
        scare("lamp"),
        act("wait", 1.0),
        act("drop", "", False),
    ),
    "the end in the moment of a lost connection was a crash": (
        act("wait", 1.0),
        act("drop", "", True),
        act("kill_host", 0.1),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_story_that_was_a_lie_once_is_true(name: str) -> None:
    """It is played to its end, and the audience finds nothing."""
    assert play(FOUND[name]).lies == []
