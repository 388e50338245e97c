"""What is no business of a worker is refused with one line and changes nothing."""

from __future__ import annotations

import anyio
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host import BaseWorker
from halloween_host.states import State
from tests.supervisor.quiet import Quiet
from tests.yard import open_yard


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
        assert "test_refusals.py:" in yard.heard[index]
        assert "import anyio" in yard.heard[index]
        assert "from worker_host.base import BaseWorker" in yard.heard[index]


async def test_a_quality_of_service_that_mqtt_does_not_have_is_told_to_its_author(autojump_clock: MockClock) -> None:
    """`qos=5` raises where it was written; nothing of it reaches the sender that all workers share."""

    class Worker(BaseWorker):
        async def do_say(self, arg: str | None) -> None:
            self.telemetry("said", arg, qos=5)

    async with open_yard(Worker) as yard:
        yard.send("say boo")
        await yard.expect("status/error say: QosError: qos=5: 0, 1 or 2")


async def test_a_worker_that_fails_while_its_handler_is_looked_up_harms_nobody(autojump_clock: MockClock) -> None:
    """An author's `__getattr__` that raises KeyError is said as that action's failure; supervisor and worker live on."""

    class Worker(Quiet):
        def __getattr__(self, name: str) -> object:
            return {"lamp": 1}[name]

    async with open_yard(Worker) as yard:
        await yard.expect("status/availability online")
        yard.send("blink")
        await yard.expect("status/error blink: KeyError: 'do_blink'")
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        assert yard.supervisor.health.restarts == 0


async def test_the_same_refusal_over_and_over_is_five_lines_a_second(autojump_clock: MockClock) -> None:
    """A flood of bad commands is no flood of lines: the next one says how many there were; other refusals are said at once."""
    async with open_yard(Quiet) as yard:
        await yard.expect("status/availability online")
        for _ in range(1000):
            yard.send("junk")
        yard.send("trash")
        await yard.expect("status/error trash: no such action; this worker has: ping")
        await trio.sleep(1)
        yard.send("junk")
        await yard.expect("status/error junk: no such action; this worker has: ping (and 995 more like it)")
        assert sum("junk" in line for line in yard.heard) == 6
