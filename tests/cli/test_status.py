"""`status` is the host's answer: a table for a person, lines or JSON for a program."""

from __future__ import annotations

import json

from tests.cli.stand_in import StandIn, health, panic_report, status
from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto

WORKERS = {
    "fogger": {**health("offline", reason="crashed:\tvalve", presence=False, refused=3), "availability": "offline"},
    "coffin": {**health(), "availability": "online"},
}


async def test_piped_it_is_a_line_for_each_worker(wired: Terminal, broker: Mosquitto) -> None:
    """Nine cells, by name; a tab in a reason breaks no line; a panic that stands is said on stderr."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "status"] = status(WORKERS)
        calm = await wired.run("status")
        host.answers["worker_host", "status"] = status(
            WORKERS, panic=panic_report(unsafe={"fogger": "hung in do_fire"})
        )
        panic = await wired.run("status")
    assert (calm.status, calm.err) == (0, "")
    assert calm.out == panic.out
    assert calm.out.splitlines() == [
        "coffin\tonline\tonline\t1700000000.5\t2\tnative\tyes\t0\t-",
        r"fogger	offline	offline	1700000000.5	2	native	no	3	crashed:\tvalve",
    ]
    assert panic.status == 0
    assert "PANIC by cli" in panic.err
    assert "NOT SAFE: fogger (hung in do_fire)" in panic.err


async def test_a_terminal_gets_a_table(wired: Terminal, broker: Mosquitto) -> None:
    """Heads, uptime, durations and colours."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "status"] = status(WORKERS, panic=panic_report())
        finished = await wired.at_tty("status")
    assert finished.status == 0, finished.err
    for text in (
        "the host is up for 1 h 1 min, 2 workers",
        "PANIC by cli",
        "restarts",
        "\x1b[32monline",
        " d ",
        "online only while the host is",
    ):
        assert text in finished.out


async def test_json_is_the_answer_itself(wired: Terminal, broker: Mosquitto) -> None:
    """One line of JSON, whatever stands in it."""
    odd = {"coffin": {**health(reason="\x9b31m\u202eö"), "availability": "online"}}
    async with StandIn(broker) as host:
        host.answers["worker_host", "status"] = status(odd)
        finished = await wired.run("status", "--json")
    assert finished.status == 0
    assert json.loads(finished.out)["workers"] == odd
    assert len(finished.out.splitlines()) == 1


async def test_nonsense_is_no_traceback(wired: Terminal, broker: Mosquitto) -> None:
    """A result that is no status is status 1; workers that are none are left out."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "status"] = [{"outcome": "done", "result": "fine"}]
        none = await wired.run("status")
        host.answers["worker_host", "status"] = [{"outcome": "done", "result": {"workers": {"x": 1}, "panic": 7}}]
        odd = await wired.run("status")
        drawn = await wired.at_tty("status")
    assert (none.status, odd.status, drawn.status) == (1, 0, 0)
    assert "'fine'" in none.err
    assert odd.out + odd.err == ""
