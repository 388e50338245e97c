"""A worker starts in virtual time: online when it may be, commands and telemetry in their order meanwhile."""

from __future__ import annotations

from typing import ClassVar

import anyio
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host import BaseWorker
from halloween_host.states import State
from tests.supervisor.quiet import Quiet
from tests.yard import open_yard


async def test_online_then_what_was_said_before(autojump_clock: MockClock) -> None:
    """A subscriber sees `online` first, then the newest telemetry of the start; status lines pass at once."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            await super().start()
            self.telemetry("tick", 0)
            self.telemetry("tick", 1)
            self.status("phase", "warming")
            await anyio.sleep(1)
            self.telemetry("tick", 2)

    async with open_yard(Worker) as yard:
        await yard.expect("telemetry/tick 2")
        assert yard.heard == ["status/phase warming", "status/availability online", "telemetry/tick 2"]


async def test_commands_that_come_during_start_wait(autojump_clock: MockClock) -> None:
    """A command that arrives before `start()` returned runs right after it, none lost, in order."""

    class Worker(Quiet):
        async def start(self) -> None:
            await anyio.sleep(2)

    async with open_yard(Worker) as yard:
        await wait_all_tasks_blocked()
        for number in range(3):
            yard.send(f"ping {number}")
        await yard.expect("telemetry/pong 2")
        assert yard.heard == [
            "status/availability online",
            *(f"telemetry/pong {number}" for number in range(3)),
        ]


async def test_not_online_before_the_broker_took_the_subscription(autojump_clock: MockClock) -> None:
    """Started without a broker, a worker runs but is not online; it is as soon as the subscription stands, and again each time."""
    async with open_yard(Quiet, subscribed=False) as yard:
        await trio.sleep(5)
        assert yard.heard == []
        yard.supervisor.link_up()
        await yard.expect("status/availability online")
        yard.supervisor.link_up()
        await trio.sleep(1)
        assert yard.heard == ["status/availability online"] * 2


async def test_a_slow_start_is_named_and_may_still_come(autojump_clock: MockClock) -> None:
    """`start()` over its 30 s is an error line, the availability stays offline, and a late return brings it online."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            await anyio.sleep(45)

    async with open_yard(Worker) as yard:
        await yard.expect("status/error start() has not returned in 30 s…", within_s=31)
        assert yard.supervisor.state is State.STARTING
        await yard.expect("status/availability online", within_s=46)


async def test_a_handler_that_never_ends_delays_nobody(autojump_clock: MockClock) -> None:
    """Handlers run concurrently: `stop` works while `fire` runs."""

    class Worker(Quiet):
        async def do_fire(self, arg: str | None) -> None:
            await anyio.sleep_forever()

    async with open_yard(Worker) as yard:
        yard.send("fire")
        yard.send("ping")
        await yard.expect("telemetry/pong ok", within_s=1)


async def test_handlers_start_in_the_order_of_their_commands(autojump_clock: MockClock) -> None:
    """1,000 commands start in order, though Trio starts the tasks of a batch at random."""

    class Worker(BaseWorker):
        order: ClassVar[list[int]] = []

        async def do_count(self, number: int) -> None:
            self.order.append(number)
            await anyio.sleep(1)

    async with open_yard(Worker) as yard:
        for number in range(1000):
            yard.send(f"count {number}")
        await trio.sleep(2)
    assert Worker.order == list(range(1000))


async def test_plain_handlers_run_in_threads_and_start_in_order() -> None:
    """A `def` handler blocks nobody; the threads take the commands in their order, 64 at a time."""

    class Worker(BaseWorker):
        order: ClassVar[list[int]] = []

        def do_count(self, number: int) -> None:
            self.order.append(number)
            self.telemetry("count", number)

    async with open_yard(Worker) as yard:
        for number in range(200):
            yard.send(f"count {number}")
        await yard.expect("telemetry/count 199")
    assert Worker.order == list(range(200))
