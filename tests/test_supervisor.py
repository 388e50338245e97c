"""A supervisor's promises, in virtual time: states told truly, crashes contained and restarted, an end under a deadline."""

from __future__ import annotations

from typing import ClassVar

import anyio
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host import BaseWorker
from halloween_host.errors import SpawnError
from halloween_host.states import State
from tests.yard import open_yard


class Quiet(BaseWorker):
    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg or "ok")


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
        assert yard.heard == ["status/availability online", *(f"telemetry/pong {number}" for number in range(3))]


async def test_not_online_before_the_broker_took_the_subscription(autojump_clock: MockClock) -> None:
    """Started without a broker, a worker runs but is not online; it is as soon as the subscription stands, and again each time."""
    async with open_yard(Quiet, subscribed=False) as yard:
        await trio.sleep(5)
        assert yard.heard == []
        yard.subscribed = True
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


async def test_an_exception_in_a_handler_is_said_and_the_worker_lives_on(autojump_clock: MockClock) -> None:
    """`fire: ValueError: …` on status/error, no restart, the next command works."""

    class Worker(Quiet):
        async def do_fire(self, arg: str | None) -> None:
            int(arg or "")

    async with open_yard(Worker) as yard:
        yard.send("fire soon")
        await yard.expect("status/error fire: ValueError: invalid literal for int() with base 10: 'soon'")
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        assert yard.supervisor.restarts == 0


async def test_a_plain_handler_that_fails_is_said_likewise() -> None:
    """An exception in a thread takes the same way; what is no Exception there is a crash."""

    class Worker(Quiet):
        def do_blink(self, arg: str | None) -> None:
            raise OSError("no lamp")

        def do_quit(self, arg: str | None) -> None:
            raise SystemExit

    async with open_yard(Worker) as yard:
        yard.send("blink")
        await yard.expect("status/error blink: OSError: no lamp")
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        yard.send("quit")
        await yard.expect("status/error do_quit crashed: SystemExit…")
        await yard.expect("status/availability offline")


@pytest.mark.parametrize(
    "error", [ValueError("boom"), SystemExit(3), KeyboardInterrupt(), BaseExceptionGroup("g", [SystemExit(1)])]
)
async def test_a_crashed_task_takes_the_worker_offline_stops_it_and_restarts_it(
    autojump_clock: MockClock, error: BaseException
) -> None:
    """`offline` first, then the other tasks end, then `stop()` runs, and after a back-off a new instance is online."""

    class Worker(Quiet):
        instances: ClassVar[int] = 0

        async def start(self) -> None:
            type(self).instances += 1
            self.spawn(self._other)
            if self.instances == 1:
                self.spawn(self._crashes)

        async def _other(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.status("other", "ended")

        async def _crashes(self) -> None:
            await anyio.sleep(1)
            raise error

        async def stop(self) -> None:
            self.status("valve", "closed")
            await super().stop()

    async with open_yard(Worker) as yard:
        await yard.expect("status/valve closed")
        names = [line.split()[0] + " " + line.split()[1] for line in yard.heard]
        assert names[:5] == [
            "status/availability online",
            "status/availability offline",
            "status/error _crashes",
            "status/other ended",
            "status/valve closed",
        ]
        await yard.expect("status/availability online", since=5)
        assert yard.supervisor.restarts == 1
        yard.send("ping")
        await yard.expect("telemetry/pong ok")


async def test_a_failing_start_is_tried_again_with_a_growing_back_off_and_a_budget(autojump_clock: MockClock) -> None:
    """5 restarts within a minute, then one try a minute; `offline` is never contradicted."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            raise RuntimeError("no relay")

    async with open_yard(Worker) as yard:
        await trio.sleep(120)
        first = yard.supervisor.restarts
        await trio.sleep(600)
        assert 5 <= first <= 9
        assert 9 <= yard.supervisor.restarts - first <= 11
        assert "status/availability online" not in yard.heard
        assert any(line.startswith("status/error start() crashed: RuntimeError: no relay") for line in yard.heard)


async def test_commands_while_it_is_down_are_refused_not_kept(autojump_clock: MockClock) -> None:
    """A command that comes between two instances is refused with a line: it must not fire the prop at its return."""

    class Worker(Quiet):
        async def start(self) -> None:
            self.spawn(self._crashes)

        async def _crashes(self) -> None:
            await anyio.sleep(1)
            raise RuntimeError("boom")

    async with open_yard(Worker) as yard:
        await yard.expect("status/availability offline")
        yard.send("ping")
        await yard.expect("status/error ping: refused, the worker is offline")


async def test_stop_order(autojump_clock: MockClock) -> None:
    """Handlers are cancelled, then `stop()` runs with the spawned tasks alive, then those end, then `offline`."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            self.spawn(self._tick)

        async def _tick(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.1)
                self.telemetry("said", "task ended")

        async def do_fire(self, arg: str | None) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.telemetry("said", "handler ended")

        async def stop(self) -> None:
            await anyio.sleep(0.1)
            self.telemetry("said", "stop runs")
            await super().stop()
            self.telemetry("said", "stop is over")

    async with open_yard(Worker) as yard:
        yard.send("fire")
        await trio.sleep(1)
        await yard.stop()
        assert yard.heard == [
            "status/availability online",
            "telemetry/said handler ended",
            "telemetry/said stop runs",
            "telemetry/said task ended",
            "telemetry/said stop is over",
            "status/availability offline",
        ]
        assert yard.supervisor.left_behind == []


async def test_a_stop_over_its_deadline_is_cancelled_and_named(autojump_clock: MockClock) -> None:
    """`stop()` gets 5 s, then it is cancelled with a line, and the worker is offline."""

    class Worker(BaseWorker):
        async def stop(self) -> None:
            await anyio.sleep_forever()

    async with open_yard(Worker) as yard:
        await trio.sleep(1)
        began = trio.current_time()
        await yard.stop()
        assert 4.9 < trio.current_time() - began < 6
        await yard.expect("status/error stop() has not returned in 5 s and was cancelled")
        await yard.expect("status/availability offline")


async def test_who_refuses_to_end_is_named_and_left_behind(autojump_clock: MockClock) -> None:
    """A shielded task outlives the deadline: it is named with its line, and nobody waits for it any longer."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            self.spawn(self._stubborn)

        async def _stubborn(self) -> None:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(100)

    async with open_yard(Worker) as yard:
        await trio.sleep(1)
        began = trio.current_time()
        await yard.stop()
        assert trio.current_time() - began < 7
        assert len(yard.supervisor.left_behind) == 1
        assert "_stubborn" in yard.supervisor.left_behind[0]
        assert "test_supervisor.py" in yard.supervisor.left_behind[0]
        await yard.expect("status/availability offline")


async def test_a_worker_that_stops_itself_goes_offline_on_purpose(autojump_clock: MockClock) -> None:
    """`await self.stop()` in a handler: offline, not restarted, not stopped twice, and the handler goes on to its end."""

    class Worker(BaseWorker):
        stops: ClassVar[int] = 0

        async def stop(self) -> None:
            type(self).stops += 1
            await super().stop()

        async def do_exit(self, arg: str | None) -> None:
            await self.stop()
            await anyio.sleep(0.5)
            self.status("exit", "done")

    async with open_yard(Worker) as yard:
        yard.send("exit")
        await yard.expect("status/exit done")
        await trio.sleep(100)
        assert yard.supervisor.state is State.STOPPED
        assert yard.heard == ["status/availability online", "status/availability offline", "status/exit done"]
        assert Worker.stops == 1
        assert yard.supervisor.restarts == 0


async def test_what_fails_after_its_own_stop_restarts_nothing(autojump_clock: MockClock) -> None:
    """Offline on purpose stays offline, whatever the handler that goes on does."""

    class Worker(BaseWorker):
        async def do_exit(self, arg: str | None) -> None:
            await self.stop()
            raise SystemExit

    async with open_yard(Worker) as yard:
        yard.send("exit")
        await yard.expect("status/error do_exit crashed: SystemExit…")
        await trio.sleep(100)
        assert yard.supervisor.state is State.STOPPED
        assert yard.supervisor.restarts == 0


async def test_spawn_at_the_wrong_moment_is_one_clear_error(autojump_clock: MockClock) -> None:
    """Before `start()` and after `stop()` spawn raises, and closes a coroutine object: no 'never awaited'."""

    class Worker(BaseWorker):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type] # as an author would hand them on
            try:
                self.spawn(self._tick())
            except SpawnError as error:
                self.status("spawn", str(error))

        async def _tick(self) -> None:
            await anyio.sleep_forever()

        async def stop(self) -> None:
            await super().stop()
            self.spawn(self._tick())

    async with open_yard(Worker) as yard:
        await yard.expect("status/spawn coffin: spawn() called before start()…")
        await yard.stop()
        await yard.expect("status/error stop(): SpawnError: coffin: spawn() called after stop()…")


async def test_the_hosts_own_status_keys_are_dropped_with_a_line(autojump_clock: MockClock) -> None:
    """A worker cannot claim to be online."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            self.status("availability", "online")

    async with open_yard(Worker, subscribed=False) as yard:
        await yard.expect("status/warn status('availability', …)…")
        assert "status/availability online" not in yard.heard


async def test_a_full_mailbox_refuses_the_newest_and_counts(autojump_clock: MockClock) -> None:
    """Beyond its capacity a command is refused, said once a second at most, and the first ones still run."""

    class Worker(Quiet):
        async def start(self) -> None:
            await anyio.sleep(1)

    async with open_yard(Worker, mailbox_capacity=3) as yard:
        await wait_all_tasks_blocked()
        for number in range(10):
            yard.send(f"ping {number}")
        await yard.expect("status/error ping: refused, the mailbox is full (3 commands wait); 1 so far")
        await yard.expect("telemetry/pong 2")
        assert sum(line.startswith("status/error") for line in yard.heard) == 1


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        ("", "status/error …"),
        (b"\xff\xfe", "status/error …"),
        ('{"action": 5}', "status/error …"),
        ("__init__", "status/error …"),
        ("_ticker", "status/error …"),
        ("start", "status/error start: no such action; this worker has: ping"),
        ("stop", "status/error stop: no such action; this worker has: ping"),
        ("pong", "status/error pong: no such action; did you mean 'ping'? this worker has: ping"),
    ],
)
async def test_what_is_no_command_is_refused_and_the_worker_lives_on(
    autojump_clock: MockClock, payload: str | bytes, line: str
) -> None:
    """Bad payloads get one line on status/error, never reach a life-cycle method, and change nothing."""
    async with open_yard(Quiet) as yard:
        await yard.expect("status/availability online")
        yard.send(payload)
        await yard.expect(line)
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        assert yard.supervisor.state is State.ONLINE


async def test_asyncio_in_a_native_worker_names_the_import_to_change(autojump_clock: MockClock) -> None:
    """The wrong turn gets one line with file, line and both ways out."""

    class Worker(BaseWorker):
        async def do_nap(self, arg: str | None) -> None:
            import asyncio

            await asyncio.sleep(1)

    async with open_yard(Worker) as yard:
        yard.send("nap")
        index = await yard.expect("status/error nap: RuntimeError: no running event loop (…")
        assert "test_supervisor.py:" in yard.heard[index]
        assert "import anyio" in yard.heard[index]
        assert "from worker_host.base import BaseWorker" in yard.heard[index]
