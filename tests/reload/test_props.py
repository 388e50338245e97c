"""What can be reloaded, what goes on over it, and what does not stay."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from typing import Any

from halloween_host import BaseWorker, topics
from halloween_host.testing import rehearsal, rehearse
from tests.reload.coffin import NATIVE, Coffin, answer, dialects, done, on_stage, reload


@dialects
@rehearsal
async def test_ids_the_store_and_cooldowns_go_on(props: Path, source: str) -> None:
    """A command that comes again after the reload is not done again; what was stored is there; what cooled down cools on."""
    coffin = Coffin(props, source)
    async with on_stage(coffin) as show:
        assert await done(show, "count", 1) == 1
        assert await done(show, "open", 2) is None
        coffin.write("words.py", "WORD = 'new'\n")
        await reload(show, "done")
        assert await done(show, "count", 1) == 1
        assert await done(show, "count", 3) == 2
        if source is NATIVE:
            show.send("coffin", "open")
            await show.expect("coffin/status/error", lambda line: "it cools down; accepted again in" in line)


@rehearsal
async def test_what_there_is_not_is_refused_with_a_hint(props: Path) -> None:
    """A typo, none at all, a path: nothing is loaded."""
    coffin = Coffin(props, NATIVE)
    (props / "fogger").mkdir()
    async with on_stage(coffin) as show:
        for name, error in (
            ("cofin", "there is no worker 'cofin'; did you mean 'coffin'?"),
            ("fogger", "there is no worker 'fogger'"),
            ("../props/coffin", "there is no worker"),
            ("..", "there is no worker '..'"),
        ):
            assert error in (await reload(show, "refused", name))["error"]
        show.publish(topics.HOST_COMMAND, "reload")
        assert (await answer(show, "refused", "reload"))["error"] == "say which: reload coffin"


@rehearsal
async def test_a_new_prop_and_a_mended_one_start(props: Path) -> None:
    """A folder without a worker that runs is loaded and lives like the others: commands, panic, reload; a broken one is told so."""
    coffin = Coffin(props, NATIVE)
    async with on_stage(coffin) as show:
        lantern = props / "lantern" / "backend" / "worker.py"
        lantern.parent.mkdir(parents=True)
        lantern.write_text("def broken(:\n")
        ack = await reload(show, "failed", "lantern")
        assert ack["error"].startswith("lantern does not run: ")
        assert "worker.py:1" in ack["error"]
        assert "does not load: SyntaxError" in await show.expect("lantern/status/health")
        (lantern.parent / "words.py").write_text("WORD = 'lit'\n")
        lantern.write_text(NATIVE)
        await reload(show, "done", "lantern")
        await show.expect("lantern/telemetry/word", "lit 0")
        show.send("lantern", "open", id=1)
        await show.expect("lantern/telemetry/opened", "lit")
        show.panic()
        await answer(show, "done", "panic")
        assert "lantern" in show.report.safe
        show.rearm()
        await answer(show, "done", "rearm")
        await show.expect("lantern/telemetry/word", "lit 0")
        (lantern.parent / "words.py").write_text("WORD = 'bright'\n")
        await reload(show, "done", "lantern")
        await show.expect("lantern/telemetry/word", "bright 0")


@dialects
@rehearsal
async def test_old_code_does_not_stay_in_memory(props: Path, source: str) -> None:
    """After twenty reloads every old module and class is gone, but for the first, which who started the host had in hand."""
    coffin = Coffin(props, source)
    old: list[weakref.ref[Any]] = []
    async with on_stage(coffin) as show:
        await reload(show, "done")
        await show.expect("coffin/telemetry/word", "old 0")
        for number in range(20):
            for name in ("worker", "words"):
                old.append(weakref.ref(sys.modules[f"props.coffin.backend.{name}"]))
            old.append(weakref.ref(vars(sys.modules["props.coffin.backend.worker"])["Worker"]))
            coffin.write("words.py", f"WORD = '{number}'\n")
            await reload(show, "done")
            await show.expect("coffin/telemetry/word", f"{number} 0")
            assert (await done(show, "count", number)) == number + 1
        gc.collect()
        assert [each() for each in old if each() is not None] == []


@rehearsal
async def test_a_class_that_was_given_by_hand_has_no_files() -> None:
    """Refused, with what to do."""

    class Lamp(BaseWorker):
        pass

    async with rehearse({"lamp": Lamp}) as show:
        assert "give it the props folder" in (await reload(show, "refused", "lamp"))["error"]
