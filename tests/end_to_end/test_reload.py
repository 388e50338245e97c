"""`reload` with a real host, broker and command line: files are edited while the show runs."""

from __future__ import annotations

from typing import Final

from tests.end_to_end.haunt import Haunt, telling
from tests.mosquitto import Mosquitto

NATIVE: Final = """
from halloween_host import BaseWorker
from .words import WORD
class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("word", WORD)
    async def do_say(self, arg):
        self.telemetry("said", WORD)
"""
LEGACY: Final = """
import asyncio
from worker_host.base import BaseWorker
from .words import WORD
loop = asyncio.get_event_loop()
class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.here = loop is asyncio.get_running_loop()
        self.telemetry("word", f"{WORD} {self.here}")
    async def do_say(self, arg):
        self.telemetry("said", WORD)
"""
OLD: Final = "WORD = 'old'\n"
NEW: Final = "WORD = 'new'\n"


async def test_a_worker_is_mended_while_the_show_runs(haunt: Haunt, broker: Mosquitto) -> None:
    """New code with status 0; wrong code is status 1 with file and line, and the old code answers; unknown props are status 3."""
    coffin = haunt.prop("coffin", NATIVE, words__py=OLD)
    words, config = coffin.with_name("words.py"), coffin.with_name("config.yaml")
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/coffin/telemetry/word old")
        words.write_text(NEW)
        assert await haunt.order(broker, "reload", "coffin") == "coffin is online with its new code"
        for word in ("offline", "online"):
            await listener.expect(f"halloween/coffin/status/availability {word}")
        await listener.expect("halloween/coffin/telemetry/word new")
        for file, text, error in (
            (coffin, NATIVE.replace("(BaseWorker)", "(BaseWorker"), "worker.py:4:"),
            (coffin, "import no_such_package\n" + NATIVE, "the package 'no_such_package' is not installed"),
            (config, "host: {stop_timeout_s: never}\n", "config.yaml:1:"),
            (coffin, NATIVE.replace('self.telemetry("word"', '1 / 0; self.telemetry("word"'), "worker.py:7)"),
        ):
            before = file.read_text() if file.exists() else "{}"
            file.write_text(text)
            told = await haunt.order(broker, "reload", "coffin", status=1)
            assert told.startswith("halloween-host: the host failed reload: ")
            assert error in told
            assert "the old code runs" in told
            file.write_text(before)
            await broker.publish("halloween/coffin/cmd", "say")
            await listener.expect("halloween/coffin/telemetry/said new")
        await host.expect_log("coffin", "not reloaded, the old code runs on", "worker.py:4")
        told = await haunt.order(broker, "reload", "cofin", status=3)
        assert "the host refused reload: there is no worker 'cofin'; did you mean 'coffin'?" in told
        lantern = haunt.prop("lantern", LEGACY, words__py=OLD)
        assert await haunt.order(broker, "reload", "lantern") == "lantern is online with its new code"
        await listener.expect("halloween/lantern/telemetry/word old True")
        lantern.with_name("words.py").write_text(NEW)
        await haunt.order(broker, "reload", "lantern")
        await listener.expect("halloween/lantern/telemetry/word new True")
        await host.stop()
        await listener.expect("halloween/lantern/status/availability offline")


async def test_an_import_that_hangs_holds_nobody(haunt: Haunt, broker: Mosquitto) -> None:
    """Others answer meanwhile; it is given up with its line, the old code runs on, and the host still ends in good order."""
    coffin = haunt.prop("coffin", NATIVE, words__py=OLD)
    haunt.prop("organ", NATIVE, words__py=OLD)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_START_TIMEOUT_S="1.5") as host:
        await listener.expect("halloween/coffin/telemetry/word old")
        await listener.expect("halloween/organ/telemetry/word old")
        coffin.with_name("words.py").write_text("import time\nwhile True:\n    time.sleep(0.01)\n")
        await broker.publish("halloween/worker_host/cmd", "reload coffin")
        await listener.expect(telling("halloween/worker_host/ack", command="reload", outcome="accepted"))
        await broker.publish("halloween/worker_host/cmd", "reload coffin")
        second = await listener.expect(telling("halloween/worker_host/ack", command="reload", outcome="refused"))
        assert "coffin is being reloaded" in second
        for prop in ("organ", "coffin"):
            await broker.publish(f"halloween/{prop}/cmd", "say")
            await listener.expect(f"halloween/{prop}/telemetry/said old")
        last = await listener.expect(telling("halloween/worker_host/ack", command="reload", outcome="failed"))
        assert "its import has not returned in 1.5 s: it stands at" in last
        assert "words.py:3" in last
        await broker.publish("halloween/worker_host/cmd", "reload coffin")
        third = await listener.expect(telling("halloween/worker_host/ack", command="reload", outcome="refused"))
        assert "still runs" in third
        await broker.publish("halloween/coffin/cmd", "say")
        await listener.expect("halloween/coffin/telemetry/said old")
        await broker.publish("halloween/worker_host/cmd", "reload organ")
        await listener.expect(telling("halloween/worker_host/ack", command="reload", outcome="done"))
        await host.stop()
