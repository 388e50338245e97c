"""Every line of the log says whose it is, for people and for machines; what workers print is part of it."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

NATIVE = """\
import logging
import sys
import threading

from halloween_host import BaseWorker

print("printed at import")


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        print("printed in start")
        print("two", "words", end="")
        print(" and a half")
        logging.getLogger("lamp.relay").warning("logged by %s", "the author")

    async def do_speak(self, arg):
        print("printed in a handler\\n\\x1b[31mred")
        thread = threading.Thread(target=lambda: print("printed in a thread"))
        thread.start()

    def do_shout(self, arg):
        print("printed in a plain handler")

    async def do_fail(self, arg):
        raise ValueError("two\\nlines")
"""

LEGACY = NATIVE.replace("halloween_host", "worker_host.base")
PRINTED = (
    "printed at import",
    "printed in start",
    "two words and a half",
    "logged by the author",
    "printed in a handler",
    "printed in a thread",
    "printed in a plain handler",
)
DIALECTS = pytest.mark.parametrize("source", [pytest.param(NATIVE, id="native"), pytest.param(LEGACY, id="legacy")])


@DIALECTS
async def test_what_a_worker_prints(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """`print` at import, in `start`, in handlers of both kinds and in threads is a line of ours under the worker's name."""
    haunt.prop("lamp", source)
    async with haunt.host(broker) as host:
        await host.expect_log("online", "lamp")
        for action in ("speak", "shout"):
            await broker.publish("halloween/lamp/cmd", action)
        for text in PRINTED:
            line = await host.expect_log(text)
            assert "  lamp " in f" {line}".replace(" lamp", "  lamp"), line
        assert "\x1b" not in host.log
        await host.stop()


@DIALECTS
async def test_json_lines(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """With `LOG_FORMAT=json` every line from the first to the last is a JSON object with level, time and its worker."""
    haunt.prop("lamp", source)
    haunt.prop("broken", "import nothing_of_that_name\n")
    async with haunt.host(broker, LOG_FORMAT="json") as host:
        await host.expect_log("online", "lamp")
        for action in ("speak", "shout", "fail", "unknown"):
            await broker.publish("halloween/lamp/cmd", action)
        for text in (*PRINTED, "fail: ValueError: two lines", "unknown: no such action"):
            record = json.loads(await host.expect_log(text))
            assert record["worker"] == "lamp", record
        await host.stop()
        records = [json.loads(line) for line in host.lines]
        assert all(record["level"] in ("debug", "info", "warning", "error") for record in records)
        assert all(record["timestamp"].endswith("Z") and record["event"] for record in records)
        (failure,) = [record for record in records if record["event"].startswith("fail: ValueError")]
        assert "Traceback (most recent call last)" in failure["exception"]


async def test_log_level(haunt: Haunt, broker: Mosquitto) -> None:
    """`LOG_LEVEL=ERROR` leaves errors alone."""
    haunt.prop("lamp", NATIVE)
    async with broker.listen("halloween/lamp/#") as listener, haunt.host(broker, LOG_LEVEL="error") as host:
        await listener.expect("halloween/lamp/status/availability online", within_s=30)
        await broker.publish("halloween/lamp/cmd", "fail")
        await host.expect_log("fail: ValueError: two lines", "lamp")
        await host.stop()
        assert not host.matching(" info ")
        assert not host.matching(" warning ")


async def test_the_start_says_what_was_loaded(haunt: Haunt, broker: Mosquitto) -> None:
    """What was loaded, from where, what was skipped and why."""
    haunt.prop("lamp", NATIVE)
    haunt.prop("old", LEGACY)
    haunt.prop("tree", NATIVE)
    haunt.builtin("pulse", NATIVE)
    haunt.builtin("_draft", NATIVE)
    async with haunt.host(broker, WORKER_PROPS_DISABLE="tree") as host:
        for prop in ("lamp", "old", "pulse"):
            await host.expect_log("online", prop)
        for prop, place in (("lamp", "props/lamp/backend/worker.py"), ("pulse", "builtins/pulse.py")):
            assert host.matching(prop, place), host.log
        assert host.matching("old", "legacy")
        assert host.matching("skipped", "tree", "WORKER_PROPS_DISABLE")
        assert host.matching("skipped", "_draft")
        await host.stop()
