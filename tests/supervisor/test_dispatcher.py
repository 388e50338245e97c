"""The dispatcher against a home of paper: whatever comes in whatever order, each sender is told one end, and nothing is kept."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host import BaseWorker, action
from halloween_host.commands import Command
from halloween_host.errors import CommandError
from halloween_host.outbox import Post
from halloween_host.supervisor._dispatcher import STOPS_BEYOND, Dispatcher
from halloween_host.worker import Arrival, Delivery, Ended, Ending, Run, read_actions


class Handlers(BaseWorker):
    async def do_parallel(self) -> None: ...

    @action(mode="drop")
    async def do_drop(self) -> None: ...

    @action(mode="queue", cooldown=3.0)
    async def do_queue(self) -> None: ...

    @action(mode="restart")
    async def do_restart(self) -> None: ...

    async def do_stop(self) -> None: ...


ACTIONS = read_actions(Handlers, "coffin", Path(__file__))


class PaperHome:
    """Runs what it is given until the test ends it."""

    wants_arrivals = False

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.began: list[object] = []

    def run(self, command: Command, ended: Ended | None = None, timeout_s: float | None = None) -> Run:
        if command.action not in ACTIONS:
            raise CommandError("no such action", action=command.action)
        if command.args == "unfit":
            raise CommandError("expected int, got 'unfit'", action=command.action)
        self.began.append(command.id)
        run = Run(ended, timeout_s)
        if command.args == "at once":
            run.end("failed", None, "at once")
        else:
            self.runs.append(run)
        return run

    def deliver(self, arrival: Arrival, delivery: Delivery | None = None) -> None:
        raise AssertionError("nothing is taken raw here")


class Office:
    """A dispatcher, its clock and what it said."""

    def __init__(self, capacity: int = 10) -> None:
        self.now = 0.0
        self.posts: list[Post] = []
        self.lines: list[str] = []
        self.home = PaperHome()
        self.dispatcher = Dispatcher(
            "coffin",
            ACTIONS,
            capacity=capacity,
            clock=lambda: self.now,
            wall=lambda: 1e9 + self.now,
            post=self.posts.append,
            refused=lambda error: self.lines.append(str(error)),
        )

    def send(
        self, name: str, id_: Any, args: object = None, *, closed: str | None = None, ttl: float | None = None
    ) -> None:
        arrival = Arrival("halloween/coffin/cmd", b"", 1, False, Command(name, args, id=id_, ttl=ttl))
        self.dispatcher.deliver(arrival, closed)

    def serve(self) -> None:
        """All that waits is handed over."""
        while self.dispatcher._waiting:
            self.dispatcher._hand_over(self.home, self.dispatcher._waiting.popleft())  # type: ignore[arg-type] # of paper

    def ends(self) -> dict[Any, list[str]]:
        """The final outcomes by id."""
        ends: dict[Any, list[str]] = {}
        for post in self.posts:
            ack = json.loads(post.payload)
            if ack["outcome"] != "accepted":
                ends.setdefault(ack["id"], []).append(ack["outcome"])
        return ends


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([*ACTIONS, "nonsense"]), st.sampled_from([None, "at once"])),
        st.tuples(st.just("late"), st.sampled_from([*ACTIONS]), st.just(None)),
        st.tuples(st.just("serve"), st.just(""), st.just(None)),
        st.tuples(st.just("end"), st.sampled_from(["done", "failed", "cancelled", "timeout"]), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.just(""), st.floats(0, 5)),
        st.tuples(st.just("close"), st.just(""), st.just(None)),
        st.tuples(st.just("closed"), st.sampled_from([*ACTIONS]), st.just(None)),
    ),
    max_size=40,
)


@given(steps)
def test_every_command_has_one_end_and_nothing_is_kept(story: list[tuple[str, str, Any]]) -> None:
    """One final ack an id, never more than the capacity (and some stops) at once, and after a `close` nothing is left."""
    office = Office(capacity=6)
    number = 0
    for step, word, value in story:
        match step:
            case "send" | "late" | "closed":
                number += 1
                office.send(
                    word,
                    number,
                    value,
                    closed="closed" if step == "closed" else None,
                    ttl=1.0 if step == "late" else None,
                )
            case "serve":
                office.serve()
            case "end" if office.home.runs:
                ending: Ending = word  # type: ignore[assignment] # one of them
                office.home.runs.pop(value % len(office.home.runs)).end(ending, None, None)
            case "wait":
                office.now += value
            case "close":
                office.dispatcher.close("closed")
        running = Counter(office.home.began)
        assert max(running.values(), default=0) <= 1
        assert 0 <= office.dispatcher.load <= (6 + STOPS_BEYOND) / 6
        assert all(len(ends) == 1 for ends in office.ends().values())
    office.dispatcher.close("closed")
    began = len(office.home.began)
    for run in list(office.home.runs):
        run.end("done", "late")
    assert len(office.home.began) == began, "nothing starts after a close"
    assert office.dispatcher.load == 0
    assert office.dispatcher._waiting == type(office.dispatcher._waiting)()
    assert office.ends().keys() == set(range(1, number + 1))
    assert all(len(ends) == 1 for ends in office.ends().values())


@given(st.integers(1, 20), st.lists(st.booleans(), max_size=60))
def test_what_waits_and_what_runs_never_exceeds_the_capacity(capacity: int, sends: list[bool]) -> None:
    """Beyond it the newest is refused and counted; each that ends makes room for one."""
    office = Office(capacity)
    held = refused = 0
    for number, send in enumerate(sends):
        if send:
            office.send("parallel", number)
            held, refused = (held + 1, refused) if held < capacity else (held, refused + 1)
            if number % 3 == 0:
                office.serve()
        elif office.home.runs:
            office.home.runs.pop().end("done")
            held -= 1
        assert office.dispatcher.load == held / capacity
        assert office.dispatcher.refused_count == refused


def test_a_flood_of_stops_ends_somewhere() -> None:
    """`stop` passes a full mailbox, but not without bound."""
    office = Office(capacity=2)
    for number in range(500):
        office.send("stop", number)
    office.serve()
    assert len(office.home.runs) == 2 + STOPS_BEYOND


def test_a_full_mailbox_is_said_once_a_second() -> None:
    """And each sender with an id is told."""
    office = Office(capacity=1)
    for number in range(100):
        office.send("parallel", number)
    office.now = 1.0
    office.send("parallel", 100)
    assert office.lines == [
        "parallel: refused, the mailbox is full (1 command waits); 1 so far",
        "parallel: refused, the mailbox is full (1 command waits); 100 so far",
    ]
    assert Counter(end for ends in office.ends().values() for end in ends) == {"refused": 100}


def test_a_queue_of_handlers_that_end_as_they_start_is_no_recursion() -> None:
    """Ten thousand of them one after another, without a stack as deep."""
    office = Office(capacity=100_000)
    office.send("restart", "first")
    office.serve()
    lane = office.dispatcher._lanes["restart"]
    lane._mode = "queue"
    for number in range(10_000):
        office.send("restart", number, "at once")
    office.serve()
    office.home.runs[0].end("done")
    assert len(office.ends()) == 10_001


def test_a_handler_that_stops_its_worker_has_the_last_word() -> None:
    """The first `close` spares it, the second does not."""
    office = Office()
    for number in (1, 2):
        office.send("parallel", number)
    office.serve()
    office.home.runs[0].stopper = office.home.runs[1].stopper = True
    office.dispatcher.close("the worker stopped")
    assert office.ends() == {}
    office.home.runs[0].end("done")
    office.dispatcher.close("the worker ended")
    assert office.ends() == {1: ["done"], 2: ["cancelled"]}


async def test_other_workers_get_their_turn_in_a_flood(autojump_clock: MockClock) -> None:
    """A mailbox of thousands is handed over in batches with a checkpoint between them."""
    office = Office(capacity=10_000)
    for number in range(1000):
        office.send("parallel", number)
    turns = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.dispatcher.serve, office.home)  # type: ignore[arg-type] # of paper
        await wait_all_tasks_blocked()
        assert office.home.began == []  # not before the broker has its `online`
        office.dispatcher.open()
        while len(office.home.began) < 1000:
            turns += 1
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert turns >= 5


@pytest.mark.parametrize("closed", [None, "the worker is offline"])
def test_news_of_a_subscription_is_no_command(closed: str | None) -> None:
    """It waits its turn with the commands, and is for nobody when the worker is away."""
    office = Office()
    office.dispatcher.deliver(Arrival("lights/1", b"on", 0, False, None), closed)
    assert len(office.dispatcher._waiting) == (closed is None)
    assert (office.posts, office.lines, office.dispatcher.refused_count) == ([], [], 0)


def test_a_cooldown_is_over_when_it_is_over() -> None:
    """What a float misses of the very moment that the refusal named is no further wait."""
    office = Office()
    office.now = 0.6
    office.send("queue", 1)
    office.serve()
    office.home.runs.pop().end("done")
    office.now += 0.7
    office.send("queue", 2)
    office.serve()
    assert office.lines == ["queue: refused, it cools down; accepted again in 2.3 s"]
    office.now += 2.3
    office.send("queue", 3)
    office.serve()
    assert office.home.began == [1, 3]


def test_a_command_that_could_not_start_starts_no_cooldown() -> None:
    """What never ran heats nothing, and does not forget what did."""
    office = Office()
    for number, args in enumerate(["unfit", None, "unfit", None]):
        office.send("queue", number, args)
        office.serve()
        if office.home.runs:
            office.home.runs.pop().end("done")
        office.now += 2
    assert office.ends() == {0: ["refused"], 1: ["done"], 2: ["refused"], 3: ["done"]}
    assert office.lines[1].startswith("queue: refused, it cools down")
