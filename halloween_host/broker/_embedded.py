"""The embedded broker is found or started, answers before anyone is told of it, and comes back when it dies."""

from __future__ import annotations

from typing import Literal

import attrs
import structlog
import trio

from halloween_host.backoff import full_jitter
from halloween_host.broker._probe import Answer, probe
from halloween_host.broker._process import run_broker
from halloween_host.broker._programs import Program, find_program
from halloween_host.errors import BrokerError

__all__ = ["BrokerAddress", "EmbeddedBroker"]

_STABLE_S = 60.0  # one that lasted so long starts its back-off anew
_log = structlog.stdlib.get_logger()


@attrs.frozen
class BrokerAddress:
    """Where a broker answered. `program` is ours ("mosquitto 2.0.11"), None when we found another's."""

    host: str
    port: int
    program: str | None = None


@attrs.frozen
class EmbeddedBroker:
    """A broker on `host`:`port` for as long as `run` runs.

        address = await nursery.start(EmbeddedBroker().run)

    A broker that already answers there is used, unless `embedded_only` insists on one of ours: then a taken port is an
    error. `prefer` leaves no choice of the program (tests do).
    """

    host: str = "127.0.0.1"
    port: int = 1883
    embedded_only: bool = attrs.field(default=False, kw_only=True)
    prefer: Literal["mosquitto", "amqtt"] | None = attrs.field(default=None, kw_only=True)

    async def run(self, *, task_status: trio.TaskStatus[BrokerAddress] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell the address once a broker answers there, then keep ours alive until cancelled.

        Returns at once after `started` when the broker is another's, which we neither watch nor end. When ours dies it
        is started again after a back-off (0.5 s doubling to 30 s, full jitter) and a line on the log, for ever.

        Raises:
            BrokerError: before `started`: the port is held by something that is no broker (or, with `embedded_only`, by
                one that is not ours), no broker program is installed, or it failed; says how to choose another.
        """
        told = False
        attempt = 0
        program: Program | None = None

        def ready(version: str) -> None:
            nonlocal told
            _log.info(f"Embedded broker {version} on {self.host}:{self.port}, in memory")
            if not told:
                told = True
                task_status.started(BrokerAddress(self.host, self.port, version))

        while True:
            answer = await probe(self.host, self.port)
            if answer.kind == "broker" and not self.embedded_only:
                _log.info(f"A broker already answers on {self.host}:{self.port}: using that one")
                if not told:
                    task_status.started(BrokerAddress(self.host, self.port))
                return
            if answer.kind == "free":
                program = program or self._program()
                ending = await run_broker(program, self.host, self.port, ready=ready)
                attempt = 0 if ending.lasted_s > _STABLE_S else attempt
                reason = f"{program.name} on {self.host}:{self.port}: {ending.reason}"
                if not told and not self.embedded_only and (await probe(self.host, self.port)).kind == "broker":
                    continue  # someone else was faster to take the port
            else:
                reason = self._taken(answer)
            if not told:
                raise BrokerError(f"the embedded broker cannot start: {reason}; {self._way_out()}")
            delay_s = full_jitter(attempt)
            _log.warning("The embedded broker is gone, starting it again", reason=reason, in_s=round(delay_s, 2))
            await trio.sleep(delay_s)
            attempt += 1

    def _program(self) -> Program:
        program = find_program(self.host, self.port, prefer=self.prefer)
        if program is None:
            missing = f"{self.prefer} is not" if self.prefer else "neither mosquitto nor amqtt is"
            raise BrokerError(
                f"the embedded broker cannot start: {missing} installed; install mosquitto with apt-get or brew, "
                "or amqtt with pip, or name a broker of yours with MQTT_HOST=<host>"
            )
        return program

    def _taken(self, answer: Answer) -> str:
        holder = "another broker" if answer.kind == "broker" else f"something that is no MQTT broker ({answer.detail})"
        return f"{self.host}:{self.port} is held by {holder}"

    def _way_out(self) -> str:
        other = self.port + 1 if 1023 < self.port < 65_535 else 1884
        return f"choose another port with --broker embedded:{other}, or name a broker of yours with MQTT_HOST=<host>"
