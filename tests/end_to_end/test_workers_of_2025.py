"""What workers written for the 2025 host used beyond the examples works unchanged, seen from the broker."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.haunt import Haunt, beginning, heard_of, holding, words_of
from tests.mosquitto import Mosquitto

FIXTURES = Path(__file__).parents[1] / "legacy" / "fixtures"

COFFIN = """\
import asyncio
import threading

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    def __init__(self, prop_id, mqtt, config):
        super().__init__(prop_id, mqtt, config)
        self.heard = []
        self.mqtt.add_message_handler(self._raw)

    async def start(self):
        await super().start()
        self.mqtt.subscribe("halloween/+/telemetry/#")
        self.mqtt.subscribe("weather/rain", qos=1)
        self.publish_status("lid", True, 1, True)
        self.mqtt.publish("elsewhere/lid", "open", qos=1, retain=True)
        self.telemetry("values/none", None)
        self.telemetry("values/flag", True)
        self.telemetry("values/dict", {"a": 1})
        threading.Thread(target=self._in_thread).start()

    def _in_thread(self):
        self.telemetry("thread/deep/key", 0.5, retain=True)

    def _raw(self, message):
        on_main = threading.current_thread() is threading.main_thread()
        self.status("raw", f"{message.topic} {message.payload.decode()} {message.qos} {message.retain} {on_main}")

    async def do_arm(self, arg):
        self.publish_state("armed")

    def do_blink(self, arg):
        self.telemetry("blink", threading.current_thread() is threading.main_thread())

    async def do_move(self, arg: str | dict | None):
        self.telemetry("move", f"{type(arg).__name__} {arg}")

    async def do_command(self, action, arg):
        self.telemetry("fallback", f"{action} {arg}")

    async def do_exit(self, arg):
        await self.stop()
        self.telemetry("exit", "went on")

    async def stop(self):
        self.publish_status("lid", "closed")
        await super().stop()
"""

LISTENS = """\
from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("pin", self.resolve_config_var("pin", "7"))
        self.telemetry("name", self.resolve_config_var("name", "nobody"))
        self.telemetry("other", self.resolve_config_var("other", "nobody"))

    async def on_message(self, msg):
        self.telemetry("got", f"{msg.topic} {msg.payload.decode()}")
        await super().on_message(msg)

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""

VALIDATED = """\
from pydantic_settings import BaseSettings

from worker_host.base import BaseWorker


class ConfigModel(BaseSettings):
    pin: int
    colour: str = "red"


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("config", f"{self.config.pin + 1} {self.config.colour}")
"""


async def test_the_whole_of_2025s_api(haunt: Haunt, broker: Mosquitto) -> None:
    """The constructor, `self.mqtt`, `publish_status`, `publish_state`, threads, plain handlers, `do_command`, `str(value)` out,
    text in, and `stop()` called by a handler."""
    haunt.prop("coffin", COFFIN)
    await broker.publish("weather/rain", "heavy", retain=True)
    async with broker.listen("halloween/#", "elsewhere/#") as listener, haunt.host(broker) as host:
        coffin = "halloween/coffin"
        await listener.expect(f"{coffin}/status/availability online", within_s=30)
        for line in (
            f"{coffin}/state started",
            f"{coffin}/status/lid True",
            "elsewhere/lid open",
            f"{coffin}/telemetry/values/none None",
            f"{coffin}/telemetry/values/flag True",
            f"{coffin}/telemetry/values/dict {{'a': 1}}",
            f"{coffin}/telemetry/thread/deep/key 0.5",
            f"{coffin}/status/raw weather/rain heavy 1 True False",
        ):
            await listener.expect(line)
        await broker.publish("halloween/fogger/telemetry/fog", "thick", qos=0)
        await listener.expect(f"{coffin}/status/raw halloween/fogger/telemetry/fog thick 0 False False")
        await broker.publish(f"{coffin}/cmd", "arm")
        await listener.expect(f"{coffin}/state armed")
        await broker.publish(f"{coffin}/cmd", "blink")
        await listener.expect(f"{coffin}/telemetry/blink False")
        await listener.expect(f"{coffin}/status/raw {coffin}/cmd blink 1 False False")
        await broker.publish(f"{coffin}/cmd", '{"action": "move", "args": {"to": 3}}')
        await listener.expect(holding(f"{coffin}/telemetry/move str ", '"to"', "3"))
        await broker.publish(f"{coffin}/cmd", "howl at the moon")
        await listener.expect(f"{coffin}/telemetry/fallback howl at the moon")
        await broker.publish(f"{coffin}/cmd", "exit")
        await listener.expect(f"{coffin}/status/lid closed")
        await listener.expect(f"{coffin}/state stopped")
        await listener.expect(f"{coffin}/status/availability offline")
        await host.stop()
        said = heard_of(listener, "coffin")
        assert said.count("status/lid closed") == 1
        assert "status/availability online" not in said[said.index("state stopped") :]
        assert not [line for line in said if line.startswith("status/error")]
    async with broker.listen("halloween/coffin/#", "elsewhere/#") as late:
        for line in (
            f"{coffin}/state stopped",
            f"{coffin}/status/lid True",
            f"{coffin}/telemetry/thread/deep/key 0.5",
            "elsewhere/lid open",
        ):
            assert (await late.expect(line)).retain


async def test_on_message_and_config_variables(haunt: Haunt, broker: Mosquitto) -> None:
    """An overridden `on_message` sees its commands and hands them on; `resolve_config_var` reads config and `${ENV}`."""
    haunt.prop("lamp", LISTENS, config__yaml='pin: 4\nname: "${LAMP_NAME}"\n')
    async with broker.listen("halloween/lamp/#") as listener, haunt.host(broker, LAMP_NAME="Eve"):
        for line in ("pin 4", "name Eve", "other nobody"):
            await listener.expect(f"halloween/lamp/telemetry/{line}", within_s=30)
        await broker.publish("halloween/lamp/cmd", "ping hello")
        await listener.expect_in_order(
            "halloween/lamp/telemetry/got halloween/lamp/cmd ping hello", "halloween/lamp/telemetry/pong hello"
        )
        await broker.publish("halloween/lamp/cmd", "no_such_thing")
        await listener.expect(beginning("halloween/lamp/status/error no_such_thing: no such action"))


async def test_pydantic_config(haunt: Haunt, broker: Mosquitto) -> None:
    """A module-level `ConfigModel` makes `self.config` its instance, from file and environment; one that does not validate is an
    error naming worker and field, and that worker alone does not start."""
    haunt.prop("good", VALIDATED, config__yaml="pin: 4\n")
    haunt.prop("wrong", VALIDATED, config__yaml="pin: four\n")
    async with broker.listen("halloween/#") as listener, haunt.host(broker, COLOUR="green") as host:
        await listener.expect("halloween/good/telemetry/config 5 green", within_s=30)
        await listener.expect(holding("/status/error ", "wrong", "pin"))
        assert host.matching("error", "wrong", "pin")
        assert "online" not in words_of(listener, "wrong")


FOGGER = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_start(self, seconds: float):
        self.telemetry("fog", seconds)
"""


async def test_the_documented_example_prop(haunt: Haunt, broker: Mosquitto) -> None:
    """Byte for byte as the documents show it: it ticks by its config, answers `ping` and commands the fogger on `fire`."""
    fixture = FIXTURES / "props" / "example_prop" / "backend" / "worker.py"
    haunt.prop("example_prop", fixture.read_text(), config__json='{"tick_interval": 0.05}')
    haunt.prop("fogger", FOGGER)
    example = "halloween/example_prop"
    # two connections are in no order
    async with broker.listen("halloween/#") as listener, haunt.host(broker, PRESENCE_MAX="0") as host:
        ticks = [f"{example}/telemetry/tick {number}" for number in range(4)]
        await listener.expect_in_order(f"{example}/status/availability online", *ticks, within_s=30)
        await broker.publish(f"{example}/cmd", "ping")
        await listener.expect(f"{example}/telemetry/pong ok")
        await broker.publish(f"{example}/cmd", "fire 2.5")
        await listener.expect_in_order(
            'halloween/fogger/cmd {"action": "start", "args": "2.5"}', "halloween/fogger/telemetry/fog 2.5"
        )
        await host.stop()
        assert not host.matching("error"), host.matching("error")
