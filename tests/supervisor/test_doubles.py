"""A command with an id runs once, however often it comes, and one that is too old does not run at all."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host import action
from halloween_host.supervisor import _answers, _requests
from tests.supervisor.phone import Dialect, Phone, both_dialects, open_phone


class Handlers:
    telemetry: Any

    async def do_count(self, arg: str | None) -> int:
        self.runs = getattr(self, "runs", 0) + 1
        self.telemetry("runs", self.runs)
        await anyio.sleep(2)
        return self.runs

    @action(mode="queue")
    async def do_queue(self, arg: str | None) -> None:
        self.telemetry("queue", arg or "")
        await anyio.sleep(4)

    async def do_jam(self, arg: str | None) -> None:
        self.telemetry("jam", arg or "")
        raise ValueError("jammed")


def runs(phone: Phone) -> int:
    return sum(line.startswith("telemetry/runs ") for line in phone.yard.heard)


@both_dialects
async def test_a_duplicate_gets_the_first_outcome_again(autojump_clock: MockClock, dialect: Dialect) -> None:
    """While the first runs it is `accepted` again, later it is the first one's end, result and time included."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("count", id="a")
        await trio.sleep(1)
        phone.send("count", id="a")
        await wait_all_tasks_blocked()
        assert phone.outcomes("a") == ["accepted", "accepted"]
        await phone.last("a")
        phone.send("count", id="a")
        await wait_all_tasks_blocked()
        assert phone.outcomes("a") == ["accepted", "accepted", "done", "done"]
        assert {(ack["result"], ack["took_ms"]) for ack in phone.acks() if ack["outcome"] == "done"} == {(1, 2000)}
        assert runs(phone) == 1


@both_dialects
async def test_the_end_goes_to_every_address_that_asked(autojump_clock: MockClock, dialect: Dialect) -> None:
    """A duplicate may want its answer elsewhere."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("count", id="a")
        phone.send("count", id="a", reply_to="phone/1", correlation=b"c")
        await phone.last("a")
        await wait_all_tasks_blocked()
        assert [ack["outcome"] for ack in phone.acks("phone/1")] == ["accepted", "done"]
        assert [post.correlation for post in phone.yard.posts if post.topic == "phone/1"] == [b"c", b"c"]


async def test_one_and_the_text_one_are_two_ids(autojump_clock: MockClock) -> None:
    """1 and "1" differ, 1 and 1.0 are one JSON number."""
    async with open_phone(Handlers, "native") as phone:
        for id_ in (1, "1", 1.0):
            phone.send("count", id=id_)
        await wait_all_tasks_blocked()
        assert runs(phone) == 2


@both_dialects
async def test_ids_are_remembered_over_instances(autojump_clock: MockClock, dialect: Dialect) -> None:
    """A redelivery after the worker's restart runs nothing."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("count", id=1)
        await phone.last(1)
        phone.yard.supervisor.restart()
        await trio.sleep(5)
        phone.send("count", id=1)
        await trio.sleep(5)
        assert phone.outcomes(1) == ["accepted", "done", "done"]
        assert runs(phone) == 1


@pytest.mark.parametrize("action_", ["jam", "nonsense"])
async def test_a_command_that_failed_or_was_refused_is_not_tried_again(autojump_clock: MockClock, action_: str) -> None:
    """The first outcome is the outcome, and a duplicate is said nowhere else."""
    async with open_phone(Handlers, "native") as phone:
        phone.send(action_, id=1)
        await phone.last(1)
        lines = [line for line in phone.yard.heard if line.startswith("status/error")]
        phone.send(action_, id=1)
        await wait_all_tasks_blocked()
        first, *_, again = phone.outcomes(1)
        assert (first, len(phone.outcomes(1))) == ("accepted", 3)
        assert again == phone.outcomes(1)[1]
        assert [line for line in phone.yard.heard if line.startswith("status/error")] == lines


async def test_a_duplicate_of_a_stopped_worker_is_no_refusal(autojump_clock: MockClock) -> None:
    """What was done stays done, and is not counted."""
    async with open_phone(Handlers, "native") as phone:
        phone.send("count", id=1)
        await phone.last(1)
        phone.yard.supervisor.stop()
        await wait_all_tasks_blocked()
        phone.send("count", id=1)
        await wait_all_tasks_blocked()
        assert phone.outcomes(1) == ["accepted", "done", "done"]
        assert phone.yard.supervisor.refused_count == 0


async def test_ids_are_forgotten_the_oldest_first(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is bounded: the id before the last so many is new again."""
    assert _answers.IDS_KEPT == 10_000
    monkeypatch.setattr(_answers, "IDS_KEPT", 3)
    async with open_phone(Handlers, "native") as phone:
        for id_ in (1, 2, 3, 4, 2, 1):
            phone.send("count", id=id_)
            await trio.sleep(3)
        assert phone.outcomes(2) == ["accepted", "done", "done"]
        assert phone.outcomes(1) == ["accepted", "done"] * 2
        assert runs(phone) == 5


async def test_a_flood_of_duplicates_is_answered_to_so_many_addresses(autojump_clock: MockClock) -> None:
    """A command that runs long does not collect addresses for ever."""
    async with open_phone(Handlers, "native") as phone:
        for number in range(1000):
            phone.send("count", id=1, reply_to=f"phone/{number}")
        await trio.sleep(5)
        ends = [post for post in phone.yard.posts if post.kind == "ack" and b'"done"' in post.payload]
        assert len(ends) == _requests.ADDRESSES_KEPT


@both_dialects
async def test_a_command_that_is_too_old_does_not_run(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Older than its `ttl` where it arrives, or from a clock far ahead: refused, each by its name, and counted."""
    async with open_phone(Handlers, dialect) as phone:
        now = phone.yard.wall()
        phone.send("count", id=1, ts=now - 6, ttl=5)
        phone.send("count", id=2, ts=now + 31)
        phone.send("count", ts=now - 60, ttl=5)
        phone.send("count", id=3, ts=now - 4, ttl=5)
        await phone.last(3)
        assert phone.outcomes(1) == ["refused: it is 6.0 s old and was worth 5 s"]
        assert phone.outcomes(2) == ["refused: clock skew: its ts is 31 s ahead of this host's clock (at most 30 s)"]
        assert "status/error count: refused, it is 60.0 s old and was worth 5 s" in phone.yard.heard
        assert (runs(phone), phone.yard.supervisor.refused_count) == (1, 3)


@both_dialects
async def test_a_command_whose_turn_comes_too_late_does_not_run(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Its age is looked at again when its handler would start: after a queue, and after a long `start()`."""

    class Slow(Handlers):
        async def start(self) -> None:
            await super().start()  # type: ignore[misc] # the base comes with the dialect
            await anyio.sleep(6)

    async with open_phone(Slow, dialect) as phone:
        phone.send("queue", "a", id=1)
        phone.send("queue", "b", id=2, ttl=3)
        phone.send("queue", "c", id=3, ttl=9)
        await phone.last(3)
        late = "refused: its turn came 1.0 s after its ttl was over"
        assert [phone.outcomes(number) for number in (1, 2, 3)] == [
            ["accepted", "done"],
            ["accepted", late],
            ["accepted", "done"],
        ]
        phone.yard.supervisor.restart()
        await trio.sleep(1)
        phone.send("count", id=4, ttl=3)
        await phone.last(4)
        assert phone.outcomes(4) == ["accepted", "refused: its turn came 2.0 s after its ttl was over"]


async def test_an_id_is_looked_at_before_the_age(autojump_clock: MockClock) -> None:
    """A late redelivery of a command that was done is told that, not that it is old."""
    async with open_phone(Handlers, "native") as phone:
        now = phone.yard.wall()
        phone.send("count", id=1, ts=now, ttl=5)
        await trio.sleep(60)
        phone.send("count", id=1, ts=now, ttl=5)
        await wait_all_tasks_blocked()
        assert phone.outcomes(1) == ["accepted", "done", "done"]


async def test_a_long_result_is_told_and_not_remembered(autojump_clock: MockClock) -> None:
    """Its duplicate learns that it was done, and why the result is missing."""

    class Photographs:
        async def do_photograph(self, arg: str | None) -> str:
            return "x" * 100_000

    async with open_phone(Photographs, "native") as phone:
        phone.send("photograph", id=1)
        assert len((await phone.last(1))["result"]) == 100_000
        phone.send("photograph", id=1)
        await wait_all_tasks_blocked()
        assert phone.outcomes(1)[2] == "done: its result was too long to be kept"
        assert phone.acks()[2]["result"] is None
