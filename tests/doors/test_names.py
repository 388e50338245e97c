"""A name, topic or payload is text and nothing else: to a shell, to a path, to a terminal, whoever sent it and wherever it ends up."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import halloween_host
from halloween_host.errors import TopicError
from halloween_host.logs import escape
from halloween_host.topics import check_prop_id
from tests.cli.terminal import Terminal
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

#: What a terminal obeys, or turns round: C0 but tab, DEL, C1, line and paragraph separators, bidirectional controls.
OBEYED = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: Set the title, clear, C1's CSI, turn round, end the line and fake one of ours, ring.
WILD = "\x1b]0;x\x07\x1b[2J\x9b31m\u202e\u2066\u200f\u061c\u2028\r\n12:00:00 info     lock  all is well\x7f\x85"
SHELL = ("$(touch pwned)", "`touch pwned`", ";touch pwned;", "| touch pwned", "../../pwned", "-rf", "%s%n", "'\"\\")

MIMIC = """
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def do_say(self, text: str):
        self.status("mood", text)
        self.log.info(text, text=text) if hasattr(self, "log") else print(text)
        raise RuntimeError(text)
"""


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_what_a_terminal_obeys_is_escaped(text: str) -> None:
    """Every character of that kind, and what is shown otherwise stays as it was; once escaped it is escaped no further."""
    shown = escape(text)
    assert not OBEYED.search(shown)
    assert "\n" not in shown
    assert escape(shown) == shown
    kept = [char for char in text if not OBEYED.match(char)]
    assert [char for char in shown if char in kept][: len(kept)] == kept or "\\" in shown


def test_every_control_of_unicodes_bidi_algorithm_is_among_them() -> None:
    """Unicode's own table is the witness: the explicit formatting characters (UAX 9, section 2) and every Cc but tab."""
    for code in range(0x110000):
        char = chr(code)
        explicit = unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        if explicit or (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char != "\t"):
            assert escape(char) != char, hex(code)


def test_no_such_character_can_stand_in_a_prop_id() -> None:
    """Nor a slash: a prop id is one level of a topic, and no path."""
    for wild in ("a\x1bb", "a\u202eb", "a\nb", "a/b", "../a", "a\x9bb"):
        with pytest.raises(TopicError):
            check_prop_id(wild)


def test_nothing_of_ours_starts_a_shell() -> None:
    """The package has no call that would: no name could be read as a command, whatever it is."""
    root = Path(halloween_host.__file__).parent
    calls = re.compile(r"shell\s*=\s*True|os\.(system|popen)\(|\bgetoutput|create_subprocess_shell")
    for path in root.rglob("*.py"):
        if path.parts[-2] != "testing":  # the stage names them in order to forbid them
            assert not calls.search(path.read_text()), path


def test_a_bug_of_ours_quotes_it_escaped() -> None:
    """The traceback that ends the process is readable, a line a line, and obeyed by no terminal."""
    program = "import sys; from halloween_host.cli import _leaving; sys.excepthook = _leaving.end_by_bug; "
    raising = f"raise ExceptionGroup('bugs', [RuntimeError({WILD!r})])"
    command = [sys.executable, "-c", program + raising]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert not OBEYED.search(ended.stderr.replace("\n", ""))
    assert "  | ExceptionGroup: bugs (1 sub-exception)\n" in ended.stderr
    assert escape(WILD.partition("\u2028")[0]) in ended.stderr


@pytest.mark.timeout(120)
@pytest.mark.parametrize("form", ["console", "json"])
async def test_from_end_to_end(haunt: Haunt, broker: Mosquitto, terminal: Terminal, form: str) -> None:
    """Sent as payload, action, argument, id, reason and topic: the log, `watch`, `list --live`, `status`, `preflight`, `send`
    and `panic` show it escaped, no file appears, and the host lives on."""
    haunt.prop("mimic", MIMIC)
    terminal.environ |= {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port), "LOG_FORMAT": form}
    async with (
        broker.listen("halloween/#") as listener,
        haunt.host(broker, LOG_LEVEL="DEBUG", LOG_FORMAT=form) as host,
    ):
        await listener.expect("halloween/mimic/status/availability online", within_s=30)
        watching = await terminal.start("watch")
        await watching.wait_out("mimic/status/availability")
        for text in (WILD, *SHELL):
            # mosquitto lets no C0 and no C1 into a topic, other brokers may
            topic = "".join(char for char in text if char not in "+#/" and unicodedata.category(char) != "Cc")
            await broker.publish("halloween/mimic/cmd", f"say {text}")
            await broker.publish("halloween/mimic/cmd", text)
            await broker.publish("halloween/worker_host/cmd", f"restart {text}")
            await broker.publish(f"halloween/{topic}/cmd", text)
            await broker.publish(f"halloween/{topic}/status/availability", text, retain=True)
            await broker.publish(f"halloween/{topic}/status/health", f'{{"state": "{topic}"}}', retain=True)
        outputs = []
        for line in (["list", "--live"], ["status"], ["preflight"], ["send", "--wait", "mimic", "say", WILD]):
            finished = await terminal.run(*line)
            outputs.append(finished.out + finished.err)
        outputs.append((await terminal.at_tty("list", "--live")).out.replace("\x1b[", "").replace("\r\n", "\n"))
        outputs.append((await terminal.run("panic", WILD)).out)
        watching.send(signal.SIGINT)
        watched = await watching.end()
        await host.stop()
    assert "all is well" in host.log
    for text in (host.log, watched.out, watched.err, *outputs):
        for shown in text.split("\n"):
            assert not OBEYED.search(shown), ascii(shown)
            assert not shown.startswith("12:00:00 info     lock")
    assert not list(haunt.folder.rglob("*pwned*"))
    assert not list(terminal.folder.rglob("*pwned*"))
