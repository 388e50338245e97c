"""New code takes the old one's place, or the old code stays or comes back, and the ack says which."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from halloween_host.testing import rehearsal
from tests.reload.coffin import LEGACY, NATIVE, Coffin, dialects, on_stage, reload


@dialects
@rehearsal
async def test_new_code_and_config_take_the_old_ones_place(props: Path, source: str) -> None:
    """The old instance stops, the new one has the new helper module and config; nothing counts as a restart."""
    coffin = Coffin(props, source)
    async with on_stage(coffin) as show:
        coffin.write("words.py", "WORD = 'new'\n")
        coffin.write("config.json", '{"lid": 5}')
        ack = await reload(show, "done")
        assert (ack["result"], ack["error"]) == (None, None)
        await show.expect("coffin/telemetry/stopped", "old")
        await show.expect("coffin/status/availability", "offline")
        await show.expect("coffin/status/availability", "online")
        await show.expect("coffin/telemetry/word", "new 5")
        assert show.health("coffin").restarts == 0
        assert show.health("coffin").state.value == "online"
        show.send("coffin", "open")
        await show.expect("coffin/telemetry/opened", "new")


@dialects
@pytest.mark.parametrize(
    ("file", "text", "error"),
    [
        ("worker.py", "\ndef broken(:\n", "worker.py:2:12: SyntaxError"),
        ("words.py", "WORD = 1 / 0\n", "words.py:1: import failed with ZeroDivisionError"),
        ("words.py", "import nowhere_to_be_found\n", "the package 'nowhere_to_be_found' is not installed"),
        ("worker.py", "raise SystemExit(3)\n", "worker.py:1: import failed with SystemExit"),
        ("requirements.txt", "a b c\n", "requirements.txt:1: pip cannot read"),
        ("config.yaml", "host: {stop_timeout_s: -1}\n", "config.yaml:1:"),
    ],
)
@rehearsal
async def test_what_cannot_be_loaded_leaves_the_old_code_running(
    props: Path, source: str, file: str, text: str, error: str
) -> None:
    """Ack, `status/error` and log name file and line, and that the old code runs on; its instance never noticed."""
    coffin = Coffin(props, source)
    async with on_stage(coffin) as show:
        coffin.write(file, text)
        ack = await reload(show, "failed")
        assert error in ack["error"]
        assert ack["error"].startswith("the old code runs on: ")
        line = await show.expect("coffin/status/error")
        assert line.startswith("not reloaded, the old code runs on: ")
        assert error in line
        show.send("coffin", "open")
        await show.expect("coffin/telemetry/opened", "old")
        assert "coffin/telemetry/stopped" not in str(show.transcript)


@rehearsal
async def test_a_config_that_the_new_class_refuses_is_not_put_into_use(props: Path) -> None:
    """Validated against the new code, beside the old."""
    coffin = Coffin(props, NATIVE)
    async with on_stage(coffin) as show:
        coffin.write("config.yaml", "lid: 1\nlidd: 2\n")
        ack = await reload(show, "failed")
        assert "config.yaml:2:1: $.lidd: expected one of the keys 'lid'" in ack["error"]
        coffin.write("config.yaml", "lid: 1\n")
        await reload(show, "done")
        await show.expect("coffin/telemetry/word", "old 1")


@dialects
@pytest.mark.parametrize(
    ("place", "instead", "why"),
    [
        (
            'self.telemetry("word"',
            "raise OSError('no relay')\n        print(0",
            "start() crashed: OSError: no relay (/",
        ),
        (
            'self.telemetry("word"',
            "await anyio.sleep(1e6)\n        print(0",
            "start() has not returned in 30 s; the old",
        ),
        (
            "async def start(",
            "def __init__(self, *_):\n        1 / 0\n    async def start(",
            "__init__() crashed: Zero",
        ),
    ],
    ids=["raises", "hangs", "init"],
)
@rehearsal
async def test_new_code_that_does_not_start_gives_way_to_the_old(
    props: Path, source: str, place: str, instead: str, why: str
) -> None:
    """It ends as after a crash, its `safe()` and `stop()` run; the old class starts at once and does what it did."""
    coffin = Coffin(props, source)
    async with on_stage(coffin) as show:
        coffin.write("worker.py", f"import anyio\n{source.replace(place, instead, 1)}")
        coffin.write("words.py", "WORD = 'new'\n")
        ack = await reload(show, "failed")
        assert why in ack["error"]
        assert ack["error"].endswith("; the old code runs again")
        assert ("backend/worker.py:" in ack["error"]) is ("crashed" in why)
        await show.expect("coffin/status/error", lambda line: line.endswith("the old code starts again"))
        await show.expect("coffin/telemetry/word", "old 0")
        show.send("coffin", "open")
        await show.expect("coffin/telemetry/opened", "old")
        assert vars(sys.modules["props.coffin.backend.words"])["WORD"] == "old"
        coffin.write("worker.py", source)
        await reload(show, "done")
        await show.expect("coffin/telemetry/word", "new 0")


@rehearsal
async def test_a_task_that_crashes_at_once_counts_as_a_start_that_failed(props: Path) -> None:
    """Until the broker has its `online`, whatever crashes the new code brings the old one back; later it is a crash like any other."""
    coffin = Coffin(props, NATIVE)
    task = "await super().start()\n        self.spawn(self.lost)"
    async with on_stage(coffin) as show:
        coffin.write("worker.py", NATIVE.replace("await super().start()", task))
        ack = await reload(show, "failed")
        assert "AttributeError" in ack["error"]
        assert ack["error"].endswith("; the old code runs again")
        later = "    async def lost(self):\n        await anyio.sleep(5)\n        1 / 0\n"
        coffin.write("worker.py", NATIVE.replace("await super().start()", task) + later)
        coffin.write("words.py", "WORD = 'new'\n")
        await reload(show, "done")
        await show.expect("coffin/telemetry/word", "new 0")
        await show.expect("coffin/status/error", lambda line: "ZeroDivisionError" in line, within_s=10)
        await show.expect("coffin/telemetry/word", "new 0", within_s=60)


@rehearsal
async def test_a_new_mode_cooldown_and_dialect_count(props: Path) -> None:
    """Actions, terms and the dialect are the new code's."""
    coffin = Coffin(props, NATIVE)
    async with on_stage(coffin) as show:
        coffin.write("worker.py", LEGACY + "    async def do_wave(self, arg):\n        self.telemetry('waved', arg)\n")
        await reload(show, "done")
        assert show.health("coffin").dialect == "legacy"
        show.send("coffin", "wave", "hat")
        await show.expect("coffin/telemetry/waved", "hat")
        coffin.write("worker.py", NATIVE.replace("cooldown=100", "cooldown=2"))
        await reload(show, "done")
        show.send("coffin", "open")
        await show.run_for(3)
        show.send("coffin", "open")
        for _ in range(2):
            await show.expect("coffin/telemetry/opened", "old")
