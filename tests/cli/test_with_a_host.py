"""Against a host that runs, the command line and the host mean the same."""

from __future__ import annotations

import json
import signal

from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto

COFFIN = """
from halloween_host import BaseWorker
class Worker(BaseWorker):
    async def do_open(self, arg: str | None):
        return {"angle": 90, "how": arg}
    async def do_ping(self, arg: str | None): ...
    async def safe(self): ...
"""


async def test_a_night_at_the_command_line(wired: Terminal, broker: Mosquitto) -> None:
    """Asked, stopped, started, stopped by a panic, refused while it stands, and rearmed: each with its exit status."""
    wired.write_worker("coffin", COFFIN)
    host = await wired.start("run", "--builtins", "props")
    async with broker.listen("halloween/coffin/status/availability") as listener:

        async def say(*arguments: str, status: int = 0) -> str:
            finished = await wired.run(*arguments)
            assert finished.status == status, f"{arguments}: {finished}"
            return finished.out + finished.err

        await listener.expect("halloween/coffin/status/availability online")
        assert json.loads(await say("send", "--wait", "coffin", "open", "wide")) == {"angle": 90, "how": "wide"}
        assert "no such action" in await say("send", "--wait", "coffin", "fly", status=3)
        await say("stop", "coffin")
        await listener.expect("halloween/coffin/status/availability offline")
        assert "offline" in await say("ping", "coffin", status=3)
        await say("start", "coffin")
        assert "coffin answered in " in await say("ping", "coffin")
        assert "smoke; 1 safe in " in await say("panic", "smoke")
        assert "send rearm" in await say("restart", "coffin", status=3)
        assert "coffin\toffline\t" in await say("list", "--live")
        assert "PANIC by cli" in await say("status")
        await say("rearm")
        await say("restart", "coffin")
        assert "coffin\tonline\t" in await say("status")
    host.send(signal.SIGTERM)
    assert (await host.end()).status == 0
