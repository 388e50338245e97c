"""A broker program is a command, a configuration that keeps it on the loopback and in memory, and signs in its log."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
from typing import Literal

import attrs

__all__ = ["Program", "find_program"]

# Debian and Homebrew keep servers where the PATH of a plain user does not lead.
_SERVER_FOLDERS = ("/usr/sbin", "/opt/homebrew/sbin", "/usr/local/sbin")


@attrs.frozen
class Program:
    """A broker ready to be started: `config` goes into a file whose path is the last argument of `command`.

    `version` is None when the program tells it in its log, where `version_line` finds it. A program that logs
    a `failure_line` before it ever answered has failed, though it may run on.
    """

    name: str
    command: tuple[str, ...]
    config: str
    config_suffix: str
    version: str | None = None
    version_line: re.Pattern[str] | None = None
    failure_line: re.Pattern[str] | None = None


def find_program(host: str, port: int, *, prefer: Literal["mosquitto", "amqtt"] | None = None) -> Program | None:
    """Mosquitto when it is installed, else amqtt, else None. `prefer` leaves no choice."""
    if prefer != "amqtt" and (path := _which("mosquitto")) is not None:
        return _mosquitto(path, host, port)
    if prefer != "mosquitto" and importlib.util.find_spec("amqtt") is not None:
        return _amqtt(host, port)
    return None


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_SERVER_FOLDERS))


def _mosquitto(path: str, host: str, port: int) -> Program:
    # No `user`: started by root it drops to its own, and the leash, still root, ends it all the same.
    lines = (
        f"listener {port} {host}",
        "allow_anonymous true",
        "persistence false",
        "max_queued_messages 10000",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_timestamp false",
    )
    return Program(
        name="mosquitto",
        command=(path, "-c"),
        config="\n".join(lines) + "\n",
        config_suffix=".conf",
        version_line=re.compile(r"mosquitto version (\S+) starting"),
    )


def _amqtt(host: str, port: int) -> Program:
    # Plugins are named so that its defaults stay out: $SYS topics, and a log line for every packet. JSON is YAML.
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    return Program(
        name="amqtt",
        # -P: what lies in the folder we were started in must not be imported in place of amqtt's own modules
        command=(sys.executable, "-P", "-m", "amqtt.scripts.broker_script", "-c"),
        config=json.dumps(config),
        config_suffix=".yaml",
        version=importlib.metadata.version("amqtt"),
        failure_line=re.compile(r"^[\w.]*(Error|Exception): "),  # the end of a traceback: it runs on without a listener
    )
