"""A test talks to the real Debian mosquitto: on a free port of 127.0.0.1 in 20 ms, killed and restarted at will.

    def test_x(broker): ...                      # conftest's fixture: fresh for each test
    async with broker.listen("halloween/#") as listener:
        await broker.publish("halloween/fogger/cmd", "fire 500")
        await listener.expect("halloween/fogger/telemetry/event fire start 500ms")

Everything but `listen` and `publish` is synchronous: tests without an event loop use it too.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import trio

from tests.listener import Line, Listener

__all__ = ["Line", "Listener", "Mosquitto", "free_port", "program"]

START_S = 10.0
STOP_S = 5.0


def program(name: str) -> str:
    """The path of one of mosquitto's programs; a missing one fails the test and says what to install."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if path is None:
        raise RuntimeError(
            f"{name} is missing: apt-get install mosquitto mosquitto-clients (or brew install mosquitto)"
        )
    return path


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, below the ephemeral range.

    Inside that range a client could be given the port while the broker is down, or even connect to itself.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Mosquitto:
    """One mosquitto in `folder`; `config_lines` follow its listener, so TLS options there are that listener's.

    `users` (name → password) turn anonymous clients away, `acl` are lines of mosquitto's ACL file. The port is chosen
    at the first `start` unless given, and stays the same for `restart`. With `persistent`, sessions and what waits in them
    outlive a `stop`; a `kill` takes what came after the last `save`.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        folder: Path,
        config_lines: Sequence[str] = (),
        port: int | None = None,
        users: Mapping[str, str] | None = None,
        acl: Sequence[str] = (),
        persistent: bool = False,
    ) -> None:
        self._folder = folder
        self._extra = list(config_lines)
        self._port = port
        self._users = dict(users or {})
        self._acl = list(acl)
        self._persistent = persistent
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        assert self._port is not None, "start() chooses the port"
        return self._port

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def log(self) -> str:
        """All that mosquitto has written to its log since the first start."""
        path = self._folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start and return once a TCP connection is accepted.

        Raises:
            RuntimeError: with mosquitto's log when it ends or does not come up in 10 s.
        """
        assert not self.running, "already running"
        if self._port is None:
            self._port = free_port()
        self._start()

    def stop(self) -> None:
        """End with SIGTERM, as an administrator would; nothing happens when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End with SIGKILL: no DISCONNECT goes to anyone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """`stop`, then `start` on the same port."""
        self.stop()
        self.start()

    def change(self, *, users: Mapping[str, str] | None = None, acl: Sequence[str] | None = None) -> None:
        """Go by these from now on, as after an administrator's SIGHUP; who may not stay is thrown out."""
        assert self._process is not None
        self._users = self._users if users is None else dict(users)
        self._acl = self._acl if acl is None else list(acl)
        self._write_config()
        self._log_start = len(self.log())
        self._process.send_signal(signal.SIGHUP)
        self._wait_for_log("Reloading config")

    def save(self) -> None:
        """Make a `persistent` one write down all that it holds now (SIGUSR1; it writes by itself when it is stopped)."""
        database = self._folder / "mosquitto.db"
        before = database.stat().st_ino if database.exists() else None
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + START_S
        while (
            not database.exists() or database.stat().st_ino == before
        ):  # it takes the old one's place when it is whole
            if time.monotonic() > deadline:
                raise RuntimeError(f"mosquitto wrote nothing:\n{self.log()[self._log_start :]}")
            time.sleep(0.001)

    def freeze(self) -> None:
        """Stop all progress (SIGSTOP) while its connections stay open, like a cable pulled. `thaw` lets it go on."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def listen(self, *topic_filters: str, qos: int = 1) -> Listener:
        """A `mosquitto_sub` on these filters, subscribed once the `async with` is entered."""
        # mosquitto_sub says "Subscribed" into a buffer that it flushes at the first message
        command = [program("stdbuf"), "-oL", program("mosquitto_sub"), *self.client_options()]
        return Listener(command, topic_filters or ("#",), qos=qos)

    async def publish(self, topic: str, payload: str | bytes = b"", *, qos: int = 1, retain: bool = False) -> None:
        """Publish by `mosquitto_pub` and return when it ended: QoS 1 was acknowledged by then."""
        data = payload.encode() if isinstance(payload, str) else payload
        options = [
            *self.client_options(),
            "-t",
            topic,
            "-q",
            str(qos),
            "-s" if data else "-n",
            *(["-r"] if retain else []),
        ]
        await trio.run_process([program("mosquitto_pub"), *options], stdin=data)

    def client_options(self) -> list[str]:
        """What mosquitto_sub and mosquitto_pub need to reach this broker (as its first user)."""
        options = ["-h", self.host, "-p", str(self.port)]
        for name, password in list(self._users.items())[:1]:
            options += ["-u", name, "-P", password]
        return options

    def _start(self) -> None:
        command = [program("mosquitto"), "-c", str(self._write_config())]
        self._log_start = len(self.log())
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        self._wait_for_log(" running")
        # A SIGTERM between "running" and mosquitto's main loop is lost: only a connection it took shows that it turns.
        with socket.create_connection((self.host, self.port), timeout=START_S) as probe:
            self._wait_for_log(f"New connection from {self.host}:{probe.getsockname()[1]}")

    def _wait_for_log(self, text: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_S
        while text not in self.log()[self._log_start :]:
            # mosquitto writes nothing to this pipe: it becomes readable when the process ends
            ended, _, _ = select.select([self._process.stdout], [], [], 0.005)
            if ended or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"mosquitto did not come up on port {self.port}:\n{self.log()[self._log_start :]}")

    def _end(self, signum: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signum)
            self._process.send_signal(signal.SIGCONT)  # a frozen one sees SIGTERM only when it is thawed
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def _write_config(self) -> Path:
        lines = ["user root"] if os.geteuid() == 0 else []
        lines += ["set_tcp_nodelay true", "max_queued_messages 100000"]
        lines += [f"persistence {'true' if self._persistent else 'false'}", f"persistence_location {self._folder}/"]
        lines += ["log_dest stderr", "connection_messages true"]
        lines += [f"log_type {kind}" for kind in ("error", "warning", "notice", "information")]
        if self._users:
            passwords = self._folder / "passwords"
            passwords.write_text("")
            passwords.chmod(0o600)
            for name, password in self._users.items():
                command = [program("mosquitto_passwd"), "-b", str(passwords), name, password]
                subprocess.run(command, check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if self._acl:
            acl = self._folder / "acl"
            acl.write_text("\n".join(self._acl) + "\n")
            acl.chmod(0o600)
            lines.append(f"acl_file {acl}")
        lines.append(f"allow_anonymous {'false' if self._users else 'true'}")
        lines += [f"listener {self.port} {self.host}", *self._extra]
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path
