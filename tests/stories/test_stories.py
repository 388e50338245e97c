"""Whatever happens to host and broker, a subscriber is told the truth; a lie shrinks to a short story."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.stories.crew import CREW
from tests.stories.playing import play
from tests.stories.theatre import Act

#: `just stories` plays more of them.
STORIES: Final = int(os.environ.get("STORIES", "60"))

#: Lines of the transcript of a story with a lie.
SHOWN: Final = 60

props = st.sampled_from(CREW)
#: The host's own connection, and those of its props that have one.
connections = st.sampled_from(("", "coffin", "fogger"))
moments = st.sampled_from((0.01, 0.3, 1.0, 2.1, 5.0, 12.0, 40.0, 70.0))


class Story(RuleBasedStateMachine):
    """Rules write the story, and its end plays it: so it is short where it shrinks, and the same each time."""

    def __init__(self) -> None:
        super().__init__()
        self.story: list[Act] = []

    def _goes_on(self, name: str, *args: Any) -> None:
        self.story.append(Act(name, args))

    @rule(seconds=moments)
    def wait(self, seconds: float) -> None:
        self._goes_on("wait", seconds)

    @rule(
        prop=props,
        action=st.sampled_from(("scare", "hold", "hang", "die", "fall")),
        with_id=st.booleans(),
        ttl=st.sampled_from((None, 0.5, 5.0)),
        age_s=st.sampled_from((0.0, 1.0)),
        retain=st.sampled_from((False, False, False, True)),
    )
    def send(self, prop: str, action: str, with_id: bool, ttl: float | None, age_s: float, retain: bool) -> None:
        self._goes_on("send", prop, action, with_id, ttl, age_s, retain)

    @rule()
    def again(self) -> None:
        self._goes_on("again")

    @rule(prop=props)
    def crash(self, prop: str) -> None:
        self._goes_on("crash", prop)

    @rule(prop=props, seconds=st.sampled_from((0.0, 3.0)))
    def slow_start(self, prop: str, seconds: float) -> None:
        self._goes_on("slow_start", prop, seconds)

    @rule(verb=st.sampled_from(("start", "stop", "restart")), prop=props)
    def order(self, verb: str, prop: str) -> None:
        self._goes_on("order", verb, prop)

    @rule()
    def panic(self) -> None:
        self._goes_on("panic")

    @rule()
    def rearm(self) -> None:
        self._goes_on("rearm")

    @rule(away_s=st.sampled_from((0.1, 3.0, 30.0)))
    def stop_host(self, away_s: float) -> None:
        self._goes_on("stop_host", away_s)

    @rule(away_s=st.sampled_from((0.1, 3.0, 30.0)))
    def kill_host(self, away_s: float) -> None:
        self._goes_on("kill_host", away_s)

    @rule(away_s=st.sampled_from((0.1, 30.0)))
    def rival(self, away_s: float) -> None:
        self._goes_on("rival", away_s)

    @rule(who=connections, lose_acks=st.booleans())
    def drop(self, who: str, lose_acks: bool) -> None:
        self._goes_on("drop", who, lose_acks)

    @rule(who=connections, for_s=st.sampled_from((None, 1.0, 8.0, 30.0)))
    def cut(self, who: str, for_s: float | None) -> None:
        self._goes_on("cut", who, for_s)

    @rule(who=st.none() | connections, for_s=st.sampled_from((0.5, 4.0, 15.0)))
    def stall(self, who: str | None, for_s: float) -> None:
        self._goes_on("stall", who, for_s)

    @rule(for_s=st.sampled_from((0.5, 3.0, 20.0)), forget=st.booleans())
    def broker_down(self, for_s: float, forget: bool) -> None:
        self._goes_on("broker_down", for_s, forget)

    @rule(prop=st.sampled_from(("coffin", "fogger")))
    def refuse(self, prop: str) -> None:
        self._goes_on("refuse", prop)

    @rule(for_s=st.sampled_from((1.0, 10.0, 40.0)))
    def lock_out(self, for_s: float) -> None:
        self._goes_on("lock_out", for_s)

    @rule(prop=props, word=st.sampled_from(("online", "offline")))
    def slander(self, prop: str, word: str) -> None:
        self._goes_on("slander", prop, word)

    def teardown(self) -> None:
        if self.story:
            played = play(self.story)
            if played.lies:
                told = ("a lie:", *played.lies, "the story:", *map(repr, self.story), "its end:")
                raise AssertionError("\n".join((*told, *played.transcript.splitlines()[-SHOWN:])))


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=STORIES,
    derandomize="STORIES" not in os.environ,  # the same each time, but where new ones are looked for
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
