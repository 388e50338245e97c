"""A panic is latched and enforced while the main thread of the process never comes back: real processes, real signals."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import trio

from halloween_host import topics
from halloween_host.latch import Latch
from tests.guard.blocked_host import BlockedHost
from tests.mosquitto import Mosquitto, free_port

HOW = ("sleep", "spin", "read")


async def test_a_panic_by_mqtt_ends_a_blocked_host(broker: Mosquitto, tmp_path: Path) -> None:
    """Exit 70 after 2 s, latched, with the worker named in the log, on status/panic (retained) and in the ack."""

    async def check(how: str) -> None:
        began = time.monotonic()
        assert await hosts[how].wait() == 70
        assert 1.9 < time.monotonic() - began < 12.0
        record = Latch(tmp_path / how).read()
        assert record is not None
        assert (record.reason, record.by) == ("kid on the coffin", "cli")
        first, *stacks = [line for line in hosts[how].lines if line["level"] in ("critical", "error")]
        assert first["worker"] == "fogger"
        assert "props/fogger/backend/worker.py:" in first["event"]
        assert any("'MainThread'" in each["event"] and f"in {how}" in each["stack"] for each in stacks)

    hosts = {how: BlockedHost(how, broker.port, tmp_path / how, how) for how in HOW}
    async with (
        broker.listen(topics.HOST_PANIC, topics.HOST_ACK) as listener,
        hosts["sleep"],
        hosts["spin"],
        hosts["read"],
    ):
        payload = {"action": "panic", "args": {"reason": "kid on the coffin", "by": "cli"}, "id": "p1"}
        await broker.publish(topics.HOST_COMMAND, json.dumps(payload))
        async with trio.open_nursery() as nursery:
            for how in HOW:
                nursery.start_soon(check, how)
        for _ in HOW:
            report = json.loads((await listener.expect(lambda line: line.topic == topics.HOST_PANIC)).payload)
            assert (report["active"], report["durable"], report["by"]) == (True, True, "cli")
            assert report["unsafe"]["fogger"].startswith("blocks the host, props/fogger/backend/worker.py:")
            ack = json.loads((await listener.expect(lambda line: line.topic == topics.HOST_ACK)).payload)
            assert (ack["id"], ack["command"], ack["outcome"]) == ("p1", "panic", "failed")
    async with broker.listen(topics.HOST_PANIC) as late:
        assert (await late.expect(lambda line: line.topic == topics.HOST_PANIC)).retain


async def test_sigusr1_ends_a_blocked_host_without_a_broker(tmp_path: Path) -> None:
    """Whatever the main thread is stuck in, C code that no signal interrupts included."""
    port = free_port()
    hosts = {how: BlockedHost(how, port, tmp_path / how, how, linked=False) for how in HOW}

    async def check(how: str) -> None:
        hosts[how].signal()
        assert await hosts[how].wait() == 70
        record = Latch(tmp_path / how).read()
        assert record is not None
        assert (record.reason, record.by) == ("SIGUSR1", "signal")

    async with hosts["sleep"], hosts["spin"], hosts["read"], trio.open_nursery() as nursery:
        for how in HOW:
            nursery.start_soon(check, how)


async def test_a_host_that_blocks_after_it_took_the_panic(tmp_path: Path) -> None:
    """Handed over is not stopped: a `finally` that blocks the loop keeps every other worker's safe() from running."""
    async with BlockedHost("x", free_port(), tmp_path / "state", "finally", linked=False) as host:
        host.signal()
        await host.says("taken signal")
        assert await host.wait() == 70


async def test_a_host_whose_log_hangs(tmp_path: Path) -> None:
    """A pager on a pipe that nobody reads blocks the loop and every log call; the panic needs neither."""
    host = BlockedHost("x", free_port(), tmp_path / "state", "flood", linked=False, reads_log=False)
    async with host:
        host.signal()
        assert await host.wait() == 70
        assert Latch(tmp_path / "state").read() is not None


async def test_a_host_that_is_not_blocked_lives_on(tmp_path: Path) -> None:
    """Panic after panic is taken, and nothing ends it; a stopped process (SIGSTOP) is no blocked one."""
    async with BlockedHost("x", free_port(), tmp_path / "state", "nothing", linked=False) as host:
        for _ in range(2):
            host.signal()
            assert await host.says("taken") == "taken signal"
        host.signal(signal.SIGSTOP)
        await trio.sleep(3.0)  # no event tells that more than PANIC_TAKEN_S went by
        host.signal(signal.SIGCONT)
        host.signal()
        assert await host.says("taken") == "taken signal"
        with pytest.raises(trio.TooSlowError), trio.fail_after(1.0):
            await host.wait()


async def test_a_folder_that_cannot_be_written_stops_no_panic(tmp_path: Path) -> None:
    """The process ends as ever."""
    (tmp_path / "state").write_text("a file")
    async with BlockedHost("x", free_port(), tmp_path / "state", "sleep", linked=False) as host:
        host.signal()
        assert await host.wait() == 70
