"""Whatever a worker is in the middle of, a reload changes its code and not whether it runs."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

from halloween_host import topics
from halloween_host.testing import rehearsal
from tests.reload.coffin import NATIVE, Coffin, answer, dialects, on_stage, reload


@rehearsal
async def test_commands_meanwhile_are_refused_as_at_a_restart(props: Path) -> None:
    """While the old instance stops it takes none; they are not kept for the new one."""
    coffin = Coffin(props, NATIVE.replace('self.telemetry("stopped", WORD)', "await anyio.sleep(3)"))
    async with on_stage(coffin) as show:
        show.send(topics.HOST, "reload", "coffin")
        await show.expect("coffin/status/availability", "offline")
        show.send("coffin", "open", id="lost")
        text = await show.expect("coffin/ack")
        assert json.loads(text)["outcome"] == "refused"
        assert "the worker is offline: reloaded by the operator" in json.loads(text)["error"]
        await answer(show, "done", "reload")
        await show.run_for(5)
        assert "coffin/telemetry/opened" not in str(show.transcript)


@rehearsal
async def test_one_at_a_time(props: Path) -> None:
    """A second reload while the first runs is refused, a repeated one (the same id) gets the first one's answer; then it may."""
    coffin = Coffin(props, NATIVE)
    async with on_stage(coffin) as show:
        for id_ in (1, 2, 1):
            show.send(topics.HOST, "reload", "coffin", id=id_)
        acks: list[dict[str, Any]] = []
        while len(acks) < 3:
            acks.append(json.loads(await show.expect(topics.HOST_ACK)))
        assert [(ack["id"], ack["outcome"]) for ack in acks] == [(1, "accepted"), (2, "refused"), (1, "done")]
        assert acks[1]["error"] == "coffin is being reloaded: wait for the answer, then send it again"
        await reload(show, "done")


@rehearsal
async def test_in_a_panic_new_code_is_loaded_and_waits_for_the_rearm(props: Path) -> None:
    """The worker stays stopped; new code that then does not start gives way to the old; a prop that does not run has to wait."""
    coffin = Coffin(props, NATIVE)
    async with on_stage(coffin) as show:
        show.panic("smoke")
        await answer(show, "done", "panic")
        coffin.write("words.py", "WORD = 'new'\n")
        ack = await reload(show, "done")
        assert ack["result"] == "the new code of coffin is loaded and waits: panic: smoke"
        coffin.write("worker.py", NATIVE.replace("self.telemetry(", "1 / 0; self.telemetry(", 1))
        await reload(show, "done")
        (props / "lantern" / "backend").mkdir(parents=True)
        (props / "lantern" / "backend" / "worker.py").write_text(NATIVE)
        assert "the host is latched by a panic: smoke" in (await reload(show, "refused", "lantern"))["error"]
        await show.run_for(60)
        assert show.health("coffin").state.value == "offline"
        show.rearm()
        await show.expect("coffin/status/error", lambda line: line.endswith("the old code starts again"))
        await show.expect("coffin/telemetry/word", "old 0")


@dialects
@rehearsal
async def test_a_worker_that_was_stopped_stays_so(props: Path, source: str) -> None:
    """The operator stopped it, and a reload does not start it; the new code runs from the next start on."""
    coffin = Coffin(props, source)
    async with on_stage(coffin) as show:
        show.send(topics.HOST, "stop", "coffin")
        await answer(show, "done", "stop")
        for word in ("new", "newer"):
            coffin.write("words.py", f"WORD = '{word}'\n")
            ack = await reload(show, "done")
            assert ack["result"] == "the new code of coffin is loaded and waits: stopped by the operator"
        await show.run_for(60)
        assert show.health("coffin").state.value == "offline"
        show.send(topics.HOST, "start", "coffin")
        await answer(show, "done", "start")
        await show.expect("coffin/telemetry/word", "newer 0")


@dialects
@rehearsal
async def test_new_code_that_never_came_to_run_is_let_go_with_the_host(props: Path, source: str) -> None:
    """Its event loop, if it has one, is closed: nothing complains."""
    coffin = Coffin(props, source)
    async with on_stage(coffin) as show:
        show.send(topics.HOST, "stop", "coffin")
        await answer(show, "done", "stop")
        await reload(show, "done")
    gc.collect()


@rehearsal
async def test_a_crash_loop_ends_with_better_code(props: Path) -> None:
    """One that waits for its restart starts at once."""
    coffin = Coffin(props, NATIVE)
    async with on_stage(coffin) as show:
        coffin.write("words.py", "WORD = 'new'\n")
        for _ in range(8):
            show.crash("coffin")
            await show.run_for(0.1)
        assert show.health("coffin").state.value == "offline"
        began = show.now
        await reload(show, "done")
        assert show.now - began < 0.1
        await show.expect("coffin/telemetry/word", "new 0")


@rehearsal
async def test_better_code_while_worse_code_still_ends(props: Path) -> None:
    """What failed is never gone back to, but what ran before it."""
    coffin = Coffin(props, NATIVE)
    broken = NATIVE.replace('self.telemetry("word"', "1 / 0; print(0", 1)
    async with on_stage(coffin) as show:
        for source in (broken, NATIVE):
            show.send(topics.HOST, "stop", "coffin")
            await answer(show, "done", "stop")
            coffin.write("worker.py", broken.replace('self.telemetry("stopped", WORD)', "await anyio.sleep(3)"))
            await reload(show, "done")
            show.send(topics.HOST, "start", "coffin")
            await show.expect("coffin/status/error", lambda line: line.endswith("the old code starts again"))
            coffin.write("worker.py", source)
            coffin.write("words.py", f"WORD = '{'old' if source is broken else 'new'}'\n")
            ack = await reload(show, "failed" if source is broken else "done")
            assert source is NATIVE or ack["error"].endswith("; the old code runs again")
            await show.expect("coffin/telemetry/word", "old 0" if source is broken else "new 0")
