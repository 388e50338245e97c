"""`@action(…)`: what a command does that comes while its handler runs, how often it may come, how long it may take."""

from __future__ import annotations

from typing import Any

import anyio
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host import action
from tests.supervisor.handlers import Handlers
from tests.supervisor.phone import Dialect, both_dialects, open_phone


def told(phone: Any) -> list[str]:
    """What the handlers said, in order."""
    return [line.removeprefix("telemetry/") for line in phone.yard.heard if line.startswith("telemetry/")]


@both_dialects
async def test_parallel_starts_another_one(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Without `@action` it is as ever: handlers of one action run beside each other."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("parallel", "a", id=1)
        phone.send("parallel", "b", id=2)
        await phone.last(2)
        assert told(phone)[:2] == ["begins a", "begins b"]
        assert trio.current_time() < 20


@both_dialects
async def test_drop_refuses_while_one_runs(autojump_clock: MockClock, dialect: Dialect) -> None:
    """The second is refused, a later one runs."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("drop", "a", id=1)
        phone.send("drop", "b", id=2)
        await phone.last(1)
        phone.send("drop", "c", id=3)
        await phone.last(3)
        assert phone.outcomes(2) == ["accepted", "refused: it runs already"]
        assert told(phone) == ["begins a", "ended a", "begins c", "ended c"]


@both_dialects
async def test_queue_runs_one_after_another_in_order(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Each begins when the one before has ended; another action is not held up."""
    async with open_phone(Handlers, dialect) as phone:
        for number in range(4):
            phone.send("queue", str(number), id=number)
        phone.send("parallel", "beside", id="beside")
        await phone.last(3)
        assert [line for line in told(phone) if "beside" not in line] == [
            line for number in range(4) for line in (f"begins {number}", f"ended {number}")
        ]
        assert told(phone).index("begins beside") < told(phone).index("ended 0")
        assert [ack["took_ms"] for ack in phone.acks() if ack["outcome"] == "done"] == [10_000] * 5


@both_dialects
async def test_restart_begins_after_the_old_one_ended(autojump_clock: MockClock, dialect: Dialect) -> None:
    """The old run's `finally` has the valve shut before the new one opens it, and of several newer ones the newest runs."""

    class Careful(Handlers):
        @action(mode="restart")
        async def do_valve(self, arg: str) -> str:
            self.telemetry("begins", arg)
            try:
                await anyio.sleep(10)
                return arg
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(2)
                self.telemetry("ended", arg)

    async with open_phone(Careful, dialect) as phone:
        phone.send("valve", "a", id=1)
        await trio.sleep(1)
        phone.send("valve", "b", id=2)
        await trio.sleep(1)
        phone.send("valve", "c", id=3)
        await phone.last(3)
        assert told(phone) == ["begins a", "ended a", "begins c", "ended c"]
        replaced = "cancelled: a newer command took its place"
        assert [phone.outcomes(number) for number in (1, 2, 3)] == [
            ["accepted", replaced],
            ["accepted", replaced],
            ["accepted", "done"],
        ]
        assert [ack["took_ms"] for ack in phone.acks() if ack["outcome"] != "accepted"] == [None, 3000, 12_000]


@both_dialects
async def test_restart_of_one_that_has_not_begun(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Three at once: only the last one's code runs."""
    async with open_phone(Handlers, dialect) as phone:
        for number in range(3):
            phone.send("restart", str(number), id=number)
        await phone.last(2)
        assert told(phone) == ["begins 2", "ended 2"]


@both_dialects
async def test_a_cooldown_counts_from_the_start_of_the_accepted_run(
    autojump_clock: MockClock, dialect: Dialect
) -> None:
    """A refusal says when it will be accepted again, and then it is; a refused command does not lengthen it."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("cool", "a", id=1)
        await trio.sleep(11.8)
        phone.send("cool", "b", id=2)
        await wait_all_tasks_blocked()
        assert phone.outcomes(2) == ["accepted", "refused: it cools down; accepted again in 3.2 s"]
        await trio.sleep(3.2)
        phone.send("cool", "c", id=3)
        await phone.last(3)
        assert phone.outcomes(3) == ["accepted", "done"]
        assert told(phone) == ["begins a", "ended a", "begins c", "ended c"]


@both_dialects
async def test_a_cooldown_outlives_the_instance(autojump_clock: MockClock, dialect: Dialect) -> None:
    """A restart of the worker does not cool the fogger."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("cool", "a", id=1)
        await trio.sleep(5)
        phone.yard.supervisor.restart()
        await trio.sleep(5)
        phone.send("cool", "b", id=2)
        await wait_all_tasks_blocked()
        assert phone.outcomes(2) == ["accepted", "refused: it cools down; accepted again in 5.0 s"]


@both_dialects
async def test_a_command_that_could_not_start_starts_no_cooldown(autojump_clock: MockClock, dialect: Dialect) -> None:
    """What never ran heats nothing."""

    class Typed:
        @action(cooldown=15.0)
        async def do_cool(self, arg: str) -> None:
            return None

    async with open_phone(Typed, dialect) as phone:
        phone.send("cool", "a", ttl=0, ts=1)
        phone.send("cool", "b", id=2)
        await phone.last(2)
        assert phone.outcomes(2) == ["accepted", "done"]


@both_dialects
async def test_a_queue_cools_too(autojump_clock: MockClock, dialect: Dialect) -> None:
    """What comes within the cool-down is refused; what waits begins when both are over."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("cool_queue", "a", id=1)
        phone.send("cool_queue", "b", id=2)
        await trio.sleep(16)
        phone.send("cool_queue", "c", id=3)
        await phone.last(3)
        assert phone.outcomes(2) == ["accepted", "refused: it cools down; accepted again in 15.0 s"]
        assert told(phone) == ["begins a", "ended a", "begins c", "ended c"]


@both_dialects
async def test_a_handler_over_its_timeout_has_failed(autojump_clock: MockClock, dialect: Dialect) -> None:
    """It is cancelled, its `finally` runs, and it is said on `status/error` too."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("slow", "a", id=1)
        ack = await phone.last(1)
        assert (ack["outcome"], ack["error"], ack["took_ms"]) == ("failed", "took longer than 60 s", 60_000)
        assert told(phone) == ["begins a", "ended a"]
        await phone.yard.expect("status/error slow: took longer than 60 s")
        assert phone.yard.supervisor.health.restarts == 0


@both_dialects
async def test_one_that_swallows_its_cancellation_took_too_long_all_the_same(
    autojump_clock: MockClock, dialect: Dialect
) -> None:
    """A handler of 2025 that returns on CancelledError has not done what it was asked."""

    class Stubborn:
        @action(timeout=5.0)
        async def do_nap(self, arg: str) -> str:
            try:
                await anyio.sleep(100)
            except anyio.get_cancelled_exc_class():
                return "slept"
            return "slept well"

    async with open_phone(Stubborn, dialect) as phone:
        phone.send("nap", "x", id=1)
        ack = await phone.last(1)
        assert (ack["outcome"], ack["error"], ack["result"]) == ("failed", "took longer than 5 s", None)


@both_dialects
async def test_stop_passes_mode_and_cooldown(autojump_clock: MockClock, dialect: Dialect) -> None:
    """However its handler is decorated: the action `stop` always starts."""
    async with open_phone(Handlers, dialect) as phone:
        for number in range(3):
            phone.send("stop", str(number), id=number)
        await phone.last(2)
        assert told(phone)[:3] == ["begins 0", "begins 1", "begins 2"]


@both_dialects
async def test_stop_passes_a_full_mailbox(autojump_clock: MockClock, dialect: Dialect) -> None:
    """What waits and what runs count together; the newest is refused, but for a `stop`."""
    async with open_phone(Handlers, dialect, mailbox_capacity=3) as phone:
        phone.send("queue", "a", id=1)
        phone.send("queue", "b", id=2)
        phone.send("parallel", "c", id=3)
        await wait_all_tasks_blocked()
        phone.send("parallel", "d", id=4)
        phone.send("stop", "e", id=5)
        await phone.last(5)
        assert phone.outcomes(4) == ["refused: the mailbox is full (1 command waits, 2 run); 1 so far"]
        assert phone.outcomes(5) == ["accepted", "done"]
        await phone.last(2)
        phone.send("parallel", "f", id=6)
        await phone.last(6)
        assert phone.outcomes(6) == ["accepted", "done"]


@both_dialects
async def test_do_command_is_called_as_its_own_action_says(autojump_clock: MockClock, dialect: Dialect) -> None:
    """The handler of all that has none has one mode for all."""

    class Fallback:
        @action(mode="drop")
        async def do_command(self, name: str, arg: str | None) -> str:
            await anyio.sleep(1)
            return name

    async with open_phone(Fallback, dialect) as phone:
        phone.send("left", id=1)
        phone.send("right", id=2)
        assert (await phone.last(1))["result"] == "left"
        assert phone.outcomes(2) == ["accepted", "refused: it runs already"]


@both_dialects
async def test_one_that_was_replaced_did_not_take_too_long(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Its timeout passes while it cleans up after a newer command cancelled it: it was cancelled all the same."""

    class Careful:
        telemetry: Any

        @action(mode="restart", timeout=5.0)
        async def do_valve(self, arg: str) -> None:
            try:
                await anyio.sleep(4)
            finally:
                if arg == "a":
                    with anyio.CancelScope(shield=True):
                        await anyio.sleep(10)
                self.telemetry("ended", arg)

    async with open_phone(Careful, dialect) as phone:
        phone.send("valve", "a", id=1)
        await trio.sleep(1)
        phone.send("valve", "b", id=2)
        await phone.last(2)
        assert told(phone) == ["ended a", "ended b"]
        assert phone.outcomes(1) == ["accepted", "cancelled: a newer command took its place"]
        assert phone.outcomes(2) == ["accepted", "done"]
