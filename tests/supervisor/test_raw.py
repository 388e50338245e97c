"""A worker of 2025 that takes its messages raw: its commands have modes and acks all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host.legacy import LegacyMessage
from tests.supervisor.phone import Phone, open_phone
from worker_host.base import action


class Handlers:
    telemetry: Any
    mqtt: Any

    @action(cooldown=15.0)
    async def do_cool(self, arg: str | None) -> str:
        await asyncio.sleep(2)
        return "cooled"

    def do_plain(self, arg: str | None) -> str:
        return "plain"


class HandsOn(Handlers):
    """Looks at each message and hands it on."""

    async def on_message(self, msg: LegacyMessage) -> None:
        await super().on_message(msg)  # type: ignore[misc] # the base comes with the dialect
        self.telemetry("handled", msg.payload.decode(errors="replace"))


class HandsOnPlainly(Handlers):
    def on_message(self, msg: LegacyMessage) -> None:
        super().on_message(msg)  # type: ignore[misc] # the base comes with the dialect


class Listens(Handlers):
    """`add_message_handler` beside the handlers."""

    async def start(self) -> None:
        await super().start()  # type: ignore[misc] # the base comes with the dialect
        self.mqtt.add_message_handler(lambda msg: self.telemetry("heard", msg.payload.decode(errors="replace")))


async def ask(phone: Phone, action_: str, id_: object) -> None:
    phone.send(action_, id=id_)
    await phone.last(id_)
    await wait_all_tasks_blocked(0.01)


@pytest.mark.parametrize("handlers", [HandsOn, HandsOnPlainly, Listens])
async def test_a_command_that_is_handed_on_ends_as_its_handler_does(handlers: type[Any]) -> None:
    """Its value, its cool-down and its refusals are those of the handler, whoever saw the message before."""
    async with open_phone(handlers, "legacy") as phone:
        await ask(phone, "cool", 1)
        await ask(phone, "cool", 2)
        await ask(phone, "plain", 3)
        assert [phone.outcomes(1), phone.outcomes(3)] == [["accepted", "done"]] * 2
        assert [ack["result"] for ack in phone.acks() if ack["outcome"] == "done"] == ["cooled", "plain"]
        assert phone.outcomes(2)[1].startswith("refused: it cools down; accepted again in 1")


@pytest.mark.parametrize("handlers", [HandsOn, HandsOnPlainly])
async def test_what_has_no_handler_is_refused(handlers: type[Any]) -> None:
    """Handed on, it is refused as ever, with one line."""
    async with open_phone(handlers, "legacy") as phone:
        await ask(phone, "nonsense", 1)
        assert phone.outcomes(1) == ["accepted", "refused: no such action; this worker has: cool, plain"]
        assert phone.acks()[1]["took_ms"] is None
        phone.send_raw(b"\xff", "phone/1")
        await phone.yard.expect("status/error payload is not UTF-8…")
        await wait_all_tasks_blocked(0.01)
        assert [(ack["outcome"], ack["took_ms"]) for ack in phone.acks("phone/1")] == [("refused", None)]
        assert sum(line.startswith("status/error") for line in phone.yard.heard) == 2


async def test_what_a_message_handler_took_raw_is_done_when_it_was_delivered(autojump_clock: MockClock) -> None:
    """No handler of ours knows the action, but a listener may."""
    async with open_phone(Listens, "legacy") as phone:
        await ask(phone, "nonsense", 1)
        assert phone.outcomes(1) == ["accepted", "done"]
        assert not any(line.startswith("status/error") for line in phone.yard.heard)


@pytest.mark.parametrize(
    ("action_", "outcome"),
    [("raw", "done"), ("jam", "failed: ValueError: jammed"), ("hang", "cancelled: the worker stopped")],
)
async def test_what_on_message_keeps_to_itself_ends_with_it(
    autojump_clock: MockClock, action_: str, outcome: str
) -> None:
    """It never calls `super().on_message`: its own end is the command's."""

    class Keeps(Handlers):
        async def on_message(self, msg: LegacyMessage) -> None:
            if b"jam" in msg.payload:
                raise ValueError("jammed")
            await asyncio.sleep(3600 if b"hang" in msg.payload else 1)

    async with open_phone(Keeps, "legacy") as phone:
        phone.send(action_, id=1)
        await trio.sleep(2)
        phone.yard.supervisor.stop()
        await phone.last(1)
        await trio.sleep(1)
        assert phone.outcomes(1) == ["accepted", outcome]


async def test_a_message_that_is_handed_on_twice_runs_twice_and_is_answered_once(autojump_clock: MockClock) -> None:
    """As in 2025; a cool-down holds for the second one too."""

    class Twice(Handlers):
        async def do_ping(self, arg: str | None) -> None:
            self.telemetry("pong", arg or "ok")

        async def on_message(self, msg: LegacyMessage) -> None:
            for _ in range(2):
                await super().on_message(msg)  # type: ignore[misc] # the base comes with the dialect

    async with open_phone(Twice, "legacy") as phone:
        await ask(phone, "ping", 1)
        await ask(phone, "cool", 2)
        assert phone.outcomes(1) == ["accepted", "done"]
        assert phone.yard.heard.count("telemetry/pong ok") == 2
        assert phone.outcomes(2) == ["accepted", "done"]
        assert not phone.yard.supervisor._dispatcher._running
        assert sum(line.startswith("status/error cool: refused, it cools down") for line in phone.yard.heard) == 1


async def test_a_duplicate_is_not_heard_raw() -> None:
    """It runs once, for listeners too."""
    async with open_phone(Listens, "legacy") as phone:
        await ask(phone, "plain", 1)
        await ask(phone, "plain", 1)
        assert sum(line.startswith("telemetry/heard") for line in phone.yard.heard) == 1


async def test_what_the_look_up_of_a_raw_handler_raises_is_its_failure(autojump_clock: MockClock) -> None:
    """An author's property may raise anything; the worker and its supervisor live on."""

    class Odd(Handlers):
        @property
        def on_message(self) -> object:
            raise SystemExit("odd") if self.mqtt is None else KeyError("odd")

    async with open_phone(Odd, "legacy") as phone:
        await ask(phone, "plain", 1)
        assert phone.outcomes(1) == ["accepted", "failed: KeyError: 'odd'"]
        await phone.yard.expect("status/error on_message: KeyError: 'odd'")
        assert phone.yard.supervisor.health.restarts == 0
