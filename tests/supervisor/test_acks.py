"""What became of a command is told to whoever asked: taken, and then exactly one end."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.supervisor.phone import Dialect, both_dialects, open_phone


class Handlers:
    telemetry: Any
    spawn: Any
    stop: Any

    async def do_fire(self, arg: str | None) -> object:
        await anyio.sleep(2)
        return {"shots": 3}

    async def do_jam(self, arg: str | None) -> None:
        raise ValueError("jammed")

    async def do_exit(self, arg: str | None) -> str:
        await self.stop()
        await anyio.sleep(0.01)
        return "bye"

    async def do_crash(self, arg: str | None) -> None:
        raise SystemExit("out")

    async def do_odd(self, arg: str | None) -> object:
        return object()

    def do_plain(self, arg: str | None) -> str:
        return f"plain {arg}"

    def do_plain_jam(self, arg: str | None) -> None:
        raise ValueError("jammed in a thread")


@both_dialects
async def test_a_command_with_an_id_is_acked_when_taken_and_when_done(
    autojump_clock: MockClock, dialect: Dialect
) -> None:
    """All six keys each time; the second one has the handler's value and the time it took."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("fire", id="a")
        await phone.last("a")
        assert phone.acks() == [
            {"id": "a", "command": "fire", "outcome": "accepted", "error": None, "result": None, "took_ms": None},
            {"id": "a", "command": "fire", "outcome": "done", "error": None, "result": {"shots": 3}, "took_ms": 2000},
        ]
        assert {(post.qos, post.retain) for post in phone.yard.posts if post.kind == "ack"} == {(1, False)}


@both_dialects
async def test_a_command_without_an_id_is_acked_nowhere(autojump_clock: MockClock, dialect: Dialect) -> None:
    """As in 2025: nothing but what its handler says."""
    async with open_phone(Handlers, dialect) as phone:
        for action in ("fire", "jam", "nonsense"):
            phone.send(action)
        await trio.sleep(5)
        assert phone.acks() == []


@both_dialects
@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("jam", "failed: ValueError: jammed"),
        (
            "odd",
            "done: the result: cannot send dict: JSON has no form for a object; send text, numbers, lists, dicts or an attrs class",
        ),
        ("crash", "failed: SystemExit: out"),
        ("exit", "done"),
        ("plain_jam", "failed: ValueError: jammed in a thread"),
        ("nonsense", "refused: no such action; this worker has: crash, exit, fire, jam, odd, plain, plain_jam"),
    ],
)
async def test_how_else_a_command_ends(dialect: Dialect, action: str, outcome: str) -> None:
    """Each is accepted and has exactly one end; a handler that stops its own worker goes on to its own."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send(action, id=1)
        await phone.last(1)
        await wait_all_tasks_blocked(0.01)
        assert phone.outcomes(1) == ["accepted", outcome]


@both_dialects
async def test_a_plain_handlers_value_is_its_result(dialect: Dialect) -> None:
    """Threads report like tasks."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("plain", "x", id=1)
        assert (await phone.last(1))["result"] == "plain x"


@both_dialects
async def test_a_stop_cancels_what_waits_and_what_runs(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Each sender is told, at once, in the order of their commands; what comes later is refused."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("fire", id=1)
        await trio.sleep(1)
        phone.yard.supervisor.ask_to_stop()
        phone.send("fire", id=2)
        await phone.yard.supervisor.settled.wait()
        phone.send("fire", id=3)
        await wait_all_tasks_blocked()
        assert phone.outcomes(1) == ["accepted", "cancelled: the worker stopped"]
        assert phone.outcomes(2) == ["accepted", "cancelled: the worker stopped"]
        assert phone.outcomes(3)[0].startswith("refused: the worker is offline")
        assert [ack["took_ms"] for ack in phone.acks() if ack["outcome"] == "cancelled"] == [1000, None]


@both_dialects
async def test_a_crash_cancels_what_runs(autojump_clock: MockClock, dialect: Dialect) -> None:
    """The reason is told; the next instance takes commands again."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("fire", id=1)
        await trio.sleep(1)
        phone.yard.supervisor.crashed("a task", RuntimeError("boom"))
        phone.send("fire", id=2)
        await phone.last(1)
        await trio.sleep(60)
        phone.send("fire", id=3)
        await phone.last(3)
        assert phone.outcomes(1) == ["accepted", "cancelled: the worker crashed"]
        assert phone.outcomes(2) == ["refused: the worker is offline: a task crashed: RuntimeError: boom"]
        assert phone.outcomes(3) == ["accepted", "done"]


@both_dialects
async def test_a_panic_cancels_at_once(autojump_clock: MockClock, dialect: Dialect) -> None:
    """Running and waiting commands end before anything else happens; what comes later is refused."""
    async with open_phone(Handlers, dialect) as phone:
        phone.send("fire", id=1)
        await trio.sleep(1)
        phone.send("fire", id=2)
        phone.yard.supervisor.panic("rehearsed")
        phone.send("stop", id=3)
        await wait_all_tasks_blocked()
        assert phone.outcomes(1) == ["accepted", "cancelled: panic: rehearsed"]
        assert phone.outcomes(2) == ["accepted", "cancelled: panic: rehearsed"]
        assert phone.outcomes(3) == ["refused: the worker is offline: panic: rehearsed"]


@both_dialects
async def test_a_thread_that_runs_on_is_cancelled_for_its_sender(dialect: Dialect) -> None:
    """It cannot be cancelled; its sender is told once, and what it does later is told to nobody."""
    entered, leave = threading.Event(), threading.Event()

    class Blocked:
        def do_block(self, arg: str | None) -> str:
            entered.set()
            leave.wait(20)
            return "late"

    async with open_phone(Blocked, dialect, stop_timeout_s=0.1) as phone:
        try:
            phone.send("block", id=1)
            await trio.to_thread.run_sync(entered.wait, 10)
            phone.yard.supervisor.stop()
            assert (await phone.last(1))["outcome"] == "cancelled"
        finally:
            leave.set()
        await wait_all_tasks_blocked(0.05)
        assert phone.outcomes(1) == ["accepted", "cancelled: the worker stopped"]


@both_dialects
async def test_what_waits_for_start_is_accepted_and_runs(autojump_clock: MockClock, dialect: Dialect) -> None:
    """A command during a long `start()` waits its turn."""

    class Slow(Handlers):
        async def start(self) -> None:
            await super().start()  # type: ignore[misc] # the base comes with the dialect
            await anyio.sleep(3)

    async with open_phone(Slow, dialect) as phone:
        phone.yard.supervisor.restart()
        await trio.sleep(1)
        phone.send("jam", id=1)
        await trio.sleep(1)
        assert phone.outcomes(1) == ["accepted"]
        await phone.last(1)


async def test_a_response_topic_gets_the_acks_with_the_correlation_data(autojump_clock: MockClock) -> None:
    """MQTT 5's request and response: there instead of the prop's `ack` topic, with or without an id."""
    async with open_phone(Handlers, "native") as phone:
        phone.send("fire", reply_to="phone/7", correlation=b"\x00\x01")
        phone.send("fire", id=5, reply_to="phone/8")
        await trio.sleep(3)
        assert [(ack["id"], ack["outcome"]) for ack in phone.acks("phone/7")] == [(None, "accepted"), (None, "done")]
        assert [(ack["id"], ack["outcome"]) for ack in phone.acks("phone/8")] == [(5, "accepted"), (5, "done")]
        assert phone.acks() == []
        assert [post.correlation for post in phone.yard.posts if post.topic == "phone/7"] == [b"\x00\x01"] * 2


@pytest.mark.parametrize(
    "topic",
    [
        "halloween/coffin/cmd",
        "halloween/fogger/cmd",
        "halloween/worker_host/cmd",
        "halloween/coffin/status/availability",
        "halloween/fogger/status/health",
        "halloween/worker_host/status/availability",
        "halloween/worker_host/status/panic",
        "$SYS/broker",
        "$share/x/y",
        "a/+/b",
        "a/#",
        "",
        "a\0b",
    ],
)
async def test_a_response_topic_that_others_trust_is_refused(autojump_clock: MockClock, topic: str) -> None:
    """An ack there would fire a prop, or pretend to be alive: the command does not run, and its sender can be told elsewhere."""
    async with open_phone(Handlers, "native") as phone:
        phone.send("plain", id=1, reply_to=topic)
        phone.send("plain", reply_to=topic)
        await wait_all_tasks_blocked()
        assert phone.acks(topic) == []
        (outcome,) = phone.outcomes(1)
        assert outcome.startswith("refused: its response topic ")
        assert sum(line.startswith("status/error plain: refused, its response topic") for line in phone.yard.heard) == 2


async def test_what_is_no_command_is_answered_where_it_can_be(autojump_clock: MockClock) -> None:
    """By its id or its response topic; `command` is null, since there is none."""
    async with open_phone(Handlers, "native") as phone:
        phone.send_raw(b'{"action": "fire", "id": 7, "ttl": "soon"}')
        phone.send_raw(b"\xff", "phone/1")
        await wait_all_tasks_blocked()
        error = "'ttl' is seconds, a number of 0 or more, got 'soon'"
        assert phone.acks() == [
            {"id": 7, "command": None, "outcome": "refused", "error": error, "result": None, "took_ms": None}
        ]
        assert [(ack["id"], ack["outcome"]) for ack in phone.acks("phone/1")] == [(None, "refused")]


@both_dialects
async def test_what_the_look_up_of_a_handler_raises_is_its_failure(autojump_clock: MockClock, dialect: Dialect) -> None:
    """An author's `__getattr__` that raises, and an error whose text cannot be made, end that command alone."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    class Odd:
        def __getattr__(self, name: str) -> object:
            if name == "do_odd":
                raise Unspeakable
            raise AttributeError(name)

        async def do_jam(self, arg: str | None) -> None:
            raise Unspeakable

    async with open_phone(Odd, dialect) as phone:
        for action in ("odd", "jam"):
            phone.send(action, id=action)
            await phone.last(action)
            assert phone.outcomes(action) == ["accepted", "failed: Unspeakable"]
        assert phone.yard.supervisor.health.restarts == 0
