"""cyclopts reads the command lines that need help, or a word about what is wrong with them; and it knows every command."""

from __future__ import annotations

import importlib.metadata
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, Group, UnusedCliTokensError

from halloween_host.cli._complaints import complain, without_passwords
from halloween_host.settings import VARIABLES

__all__ = ["build", "parse_and_run"]

WRONG_USE: Final = 2

_HELP: Final = """Runs the brains of a haunt's props as supervised workers and bridges them to
MQTT.

Start it in a folder that holds props/ (and builtins/, if you have some of your
own); without MQTT_HOST it brings a broker along. Each command explains itself:
halloween-host COMMAND --help
"""

_EXAMPLES: Final = {
    "run": """
halloween-host run
halloween-host run --broker mqtt://haunt@broker.lan:1883
halloween-host run --broker embedded:1884 --props ~/haunt/props
MQTT_HOST=broker.lan LOG_LEVEL=DEBUG halloween-host run""",
    "check": """
halloween-host check
halloween-host check --props ~/haunt/props""",
    "list": """
halloween-host list
halloween-host list | cut -f1,3
halloween-host list --live""",
    "status": """
halloween-host status
halloween-host status --json | jq .workers.coffin""",
    "preflight": """
halloween-host preflight
halloween-host preflight --yes && halloween-host preflight""",
    "panic": """
halloween-host panic
halloween-host panic smoke in room 3
MQTT_HOST=broker.lan STATE_DIR=/var/lib/haunt halloween-host panic""",
    "rearm": """
halloween-host rearm""",
    "restart": """
halloween-host restart coffin""",
    "reload": """
halloween-host reload coffin""",
    "stop": """
halloween-host stop coffin""",
    "start": """
halloween-host start coffin""",
    "ping": """
halloween-host ping
halloween-host ping coffin --timeout 1""",
    "send": """
halloween-host send heartbeat ping hello
halloween-host send --wait coffin open && echo open
halloween-host send --wait --timeout 30 --ttl 2 lift up
halloween-host send heartbeat fire 750
halloween-host send lights colour --json '{"red": 255, "blue": 40}'
halloween-host send coffin move -- -15""",
    "watch": """
halloween-host watch
halloween-host watch fogger
halloween-host watch | grep /status/error""",
    "health": """
halloween-host health && echo alive
HEALTHCHECK CMD ["halloween-host", "health"]""",
}


def parse_and_run(arguments: Sequence[str]) -> object:
    """Do what `arguments` say; what the command returned, or the exit status for a line that no command can be read from."""
    try:
        return build()(list(arguments))
    except CycloptsError as error:
        explained = without_passwords(_explained(error), arguments)
        complain(explained, f"try: {' '.join(('halloween-host', *(error.command_chain or ())))} --help")
        return WRONG_USE


def build() -> App:
    """The commands, none of them imported yet."""
    app = App(
        name="halloween-host",
        help=_HELP,
        version=_version,
        help_format="plaintext",
        help_formatter="default" if sys.stdout.isatty() else "plain",
        backend="trio",
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        group_commands=Group("Commands", sort_key=0),
        help_epilogue=_epilogue("halloween-host run", *(variable.name for variable in VARIABLES)),
    )
    for name, examples in _EXAMPLES.items():
        names = [each.name for each in VARIABLES if name == "run" or _matters(each.name, name)]
        app.command(
            f"halloween_host.cli._{name}:{name}_",
            name=name,
            help_epilogue=_epilogue(examples.strip(), *names),
        )
    return app


def _matters(variable: str, command: str) -> bool:
    """Whether a command other than `run` goes by this variable."""
    if variable == "MQTT_CLIENT_ID":  # the host's own: a second client of that name would cut it off
        return False
    starts = {"check": ("WORKER_",), "list": ("WORKER_", "MQTT_"), "preflight": ("WORKER_", "MQTT_")}
    starts["panic"] = ("MQTT_", "STATE_")
    return variable.startswith(("LOG_", *starts.get(command, ("MQTT_",))))


def _epilogue(examples: str, *names: str) -> str:
    """Examples, and the variables of these names: text that stands as it is on a terminal of 80 columns."""
    shown = "\n".join(f"  {line}" for line in examples.splitlines())
    start = max(map(len, names)) + 4
    lines = [
        textwrap.fill(
            f"{each.meaning} [{each.default}]",
            width=79,
            initial_indent=f"  {each.name:<{start - 2}}",
            subsequent_indent=" " * start,
        )
        for each in VARIABLES
        if each.name in names
    ]
    return "\n".join(("Examples:", shown, "", "Environment [default]:", *lines)).replace("`", "")


def _version() -> str:
    try:
        return importlib.metadata.version("halloween-host")
    except importlib.metadata.PackageNotFoundError:
        return "unknown: not installed, run from its sources"


def _explained(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"nothing was expected after it: {' '.join(error.unused_tokens)!r}"
    return str(error)
