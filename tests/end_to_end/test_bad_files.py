"""A config that cannot be read leaves its worker with `{}` and a warning that names the place; one that does not fit stops it."""

from __future__ import annotations

from tests.end_to_end.haunt import Haunt, holding, words_of
from tests.mosquitto import Mosquitto

SHOWS_CONFIG = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("config", self.config, retain=True)
"""

#: Name, file, content, the warning's place (None: no warning), what the worker then has.
CONFIGS: list[tuple[str, str, bytes, str | None, str]] = [
    ("tabs", "config__yaml", b"lamp:\n\tpin: 4\n", ":2:1", "{}"),
    ("twice", "config__yaml", b"pin: 4\nname: a\npin: 5\n", ":3", "{}"),
    ("twice_json", "config__json", b'{\n  "pin": 4,\n  "pin": 5\n}\n', ":3", "{}"),
    ("broken_json", "config__json", b'{\n  "pin": 4\n  "name": 5}\n', ":3", "{}"),
    ("a_list", "config__yml", b"- 1\n- 2\n", ":1", "{}"),
    ("not_utf8", "config__yaml", b"name: \xff\xfe\n", "", "{}"),
    ("bom", "config__yaml", b"\xef\xbb\xbfpin: 4\n", None, '{"pin":4}'),
    ("bom_json", "config__json", b'\xef\xbb\xbf{"pin": 4}', None, '{"pin":4}'),
    ("huge", "config__yaml", b"pin: 4\n# " + b"x" * 10_000_000 + b"\n", "", "{}"),
    ("empty", "config__yaml", b"", None, "{}"),
    ("environ", "config__yaml", b'name: "${LAMP_NAME}"\n', None, '{"name":"Eve"}'),
    ("no_environ", "config__yaml", b'name: "${NO_SUCH_NAME}"\n', ":1", '{"name":"${NO_SUCH_NAME}"}'),
]


async def test_configs_that_cannot_be_read(haunt: Haunt, broker: Mosquitto) -> None:
    """Tabs, duplicate keys, a list, no UTF-8, 10 MB: file, line and column in one warning, and `{}`; a BOM is no trouble;
    `${NAME}` is filled from the environment, and one that is missing is a warning and stays."""
    for name, file, content, _, _ in CONFIGS:
        haunt.prop(name, SHOWS_CONFIG, **{file: content})
    async with broker.listen("halloween/#") as listener, haunt.host(broker, LAMP_NAME="Eve") as host:
        for name, file, _content, place, has in CONFIGS:
            await listener.expect(f"halloween/{name}/status/availability online", within_s=30)
            await listener.expect(f"halloween/{name}/telemetry/config {has}")
            path = str(haunt.props / name / "backend" / file.replace("__", "."))
            warnings = host.matching("warning ", f"{path}{place or ''}")
            assert len(warnings) == (place is not None), f"{name}: {warnings}"
            assert max(map(len, host.lines)) < 10_000
        await host.stop()


async def test_two_configs_at_once(haunt: Haunt, broker: Mosquitto) -> None:
    """Of config.json and config.yaml the first is used, and a warning names it."""
    haunt.prop("lamp", SHOWS_CONFIG, config__json='{"pin": 1}', config__yaml="pin: 2\n")
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect('halloween/lamp/telemetry/config {"pin":1}', within_s=30)
        (warning,) = host.matching("warning ", "config.json", "config.yaml")
        assert "lamp" in warning


TYPED = """\
import attrs

from halloween_host import BaseWorker


@attrs.frozen
class Lamp:
    pin: int
    colour: str = "red"
    dimmed: bool = False


class Worker(BaseWorker[Lamp]):
    async def start(self):
        await super().start()
        self.telemetry("settings", self.settings)
"""


async def test_typed_settings(haunt: Haunt, broker: Mosquitto) -> None:
    """Unknown keys and wrong values are errors with file, line, `$.path` and "did you mean", on the log and on `status/error`,
    and that worker does not start; one whose config fits gets the instance, and the others run."""
    haunt.prop("good", TYPED, config__yaml="pin: 4\ndimmed: true\n")
    haunt.prop("unknown", TYPED, config__yaml="pin: 4\n\ncolor: green\n")
    haunt.prop("wrong", TYPED, config__json='{\n  "colour": "red",\n  "pin": "four"\n}')
    haunt.prop("missing", TYPED)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect('halloween/good/telemetry/settings {"pin":4,"colour":"red","dimmed":true}', within_s=30)
        for prop, parts in (
            ("unknown", (f"{haunt.props}/unknown/backend/config.yaml:3", "$.color", "did you mean 'colour'")),
            ("wrong", (f"{haunt.props}/wrong/backend/config.json:3", "$.pin", "four")),
            ("missing", (f"{haunt.props}/missing/backend", "pin")),
        ):
            await listener.expect(holding("/status/error ", *parts))
            assert host.matching("error ", *parts)
            assert "online" not in words_of(listener, prop)
        await host.stop()
