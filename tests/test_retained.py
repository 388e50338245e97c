"""A retained command never fires a prop: it is refused with the line that deletes it, and who sent it is told."""

from __future__ import annotations

import json

from halloween_host import BaseWorker
from halloween_host.testing import rehearsal, rehearse


class Lamp(BaseWorker):
    async def do_light(self, arg: str | None) -> None:
        self.telemetry("light", arg or "on")


@rehearsal
async def test_a_retained_command_is_refused_live_and_at_every_connect() -> None:
    """One line and, with an id, an ack each time; the id stays free for the same command sent as it should be."""
    retained = json.dumps({"action": "light", "args": None, "id": 9})
    async with rehearse(Lamp) as show:
        await show.expect("lamp/status/availability", "online")
        show.publish("halloween/lamp/cmd", retained, retain=True)
        for _ in range(2):
            line = await show.expect("lamp/status/error", within_s=20)
            assert line == "light: a retained command was refused; delete it: mosquitto_pub -t halloween/lamp/cmd -r -n"
            answer = json.loads(await show.expect("lamp/ack"))
            assert (answer["id"], answer["outcome"]) == (9, "refused")
            show.broker.drop("halloween-stage")
        await show.run_for(5)
        assert show.health("lamp").refused == 3
        show.publish("halloween/lamp/cmd", "", retain=True)
        show.publish("halloween/lamp/cmd", retained)
        await show.expect("lamp/ack", lambda text: json.loads(text)["outcome"] == "done")
        assert str(show.transcript).count("lamp/telemetry/light") == 1
