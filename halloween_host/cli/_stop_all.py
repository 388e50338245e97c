"""STOP, by the broker, and by a signal to the host of this machine when the broker or the host says nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import trio

from halloween_host import topics
from halloween_host.acks import Ack
from halloween_host.cli._client import connected
from halloween_host.cli._complaints import complain
from halloween_host.cli._exchange import Exchange
from halloween_host.cli._orders import silence_of
from halloween_host.cli._outcomes import DONE, FAILED, SILENT, status_of
from halloween_host.cli._pid_file import NoHostHere, signal_host
from halloween_host.cli._preparing import check_seconds, prepare
from halloween_host.cli._printing import put
from halloween_host.cli._sightings import Sightings
from halloween_host.cli._words import panic_in_words, unsafe_of
from halloween_host.latch import LATCH_FILE
from halloween_host.mqtt import Client, Message, MqttError
from halloween_host.payloads import read_json
from halloween_host.settings import BrokerSettings

__all__ = ["stop_all"]

#: Seconds for the broker to take us and our command, each.
BROKER_S: Final = 2.0
#: Seconds for the host to say that it has it; its guard gives the event loop two.
TAKEN_S: Final = 2.5
#: Seconds for the latch to stand on the disk after a signal, and between two looks at it.
LATCH_S: Final = 3.0
LOOK_S: Final = 0.02


async def stop_all(*reason: str, timeout: float = 10.0, broker: str | None = None) -> int:
    """See the command `panic`; the exit status.

    Raises:
        InvalidSettings: for wrong variables or options.
    """
    settings = prepare(broker)
    check_seconds("--timeout", timeout)
    stop = _Stop(settings.broker, settings.state_dir, " ".join(reason), timeout)
    with trio.move_on_after(timeout):
        try:
            return await stop.by_broker()
        except MqttError as error:
            complain(f"{error}; trying SIGUSR1")
            return await stop.by_signal()
    complain(stop.silence())
    return SILENT


class _Stop:
    """One panic, over whichever way it gets through."""

    def __init__(self, broker: BrokerSettings, state_dir: Path, reason: str, timeout_s: float) -> None:
        self._broker = broker
        self._state_dir = state_dir
        self._reason = reason
        self._timeout_s = timeout_s
        self._sightings = Sightings()
        self._accepted = False
        #: The report of a host that could not answer any more: it came back, latched, and publishes what it found.
        self._report: dict[str, Any] | None = None

    async def by_broker(self) -> int:
        """Send it, and tell the report; the exit status. MqttError when the broker does not take it."""
        async with connected(self._broker, "panic", timeout_s=BROKER_S) as client:
            await _listen(client)
            exchange = Exchange(client, self._hear)
            with trio.move_on_after(BROKER_S) as slow:
                id_ = await exchange.send(topics.HOST, "panic", {"reason": self._reason, "by": "cli"})
            if slow.cancelled_caught:
                raise MqttError(f"the broker does not acknowledge the panic in {BROKER_S:g} s")
            with trio.move_on_after(TAKEN_S):
                while id_ not in exchange.accepted and id_ not in exchange.answers:
                    await exchange.read()
            if id_ not in exchange.accepted and id_ not in exchange.answers:
                complain(f"the host does not answer in {TAKEN_S:g} s; trying SIGUSR1")
                await self._signal()
                self._report = None  # what came so far is some earlier panic's
            else:
                self._accepted = True
            while id_ not in exchange.answers:
                await exchange.read()
                if not self._accepted and self._report is not None:
                    return _tell_report(self._report)
            return _tell(exchange.answers[id_].ack)

    async def by_signal(self) -> int:
        """Stop the host of this machine; the exit status. Without a broker nobody can hear the report."""
        return SILENT if await self._signal() else FAILED

    def silence(self) -> str:
        """Why there was no report."""
        why = silence_of(topics.HOST, self._accepted, self._sightings, self._broker, self._timeout_s)
        panic = self._sightings.panic
        return f"{why}; the broker has: {panic_in_words(panic)}" if panic.get("active") else why

    async def _signal(self) -> bool:
        try:
            pid = signal_host(self._state_dir)
        except NoHostHere as error:
            complain(str(error))
            return False
        put(f"STOP sent to the host here by SIGUSR1, pid {pid}", "bold red")
        sys.stdout.flush()
        latch = self._state_dir / LATCH_FILE
        with trio.move_on_after(LATCH_S):
            while not latch.exists():  # noqa: ASYNC110 (another process writes it)
                await trio.sleep(LOOK_S)
            complain(f"{latch} stands: it is latched until rearm; who is safe stands in the host's log")
            return True
        complain(f"{latch} did not come in {LATCH_S:g} s: look at the host's log, or end it: kill -9 {pid}")
        return True

    def _hear(self, message: Message) -> None:
        self._sightings.hear(message)
        if str(message.topic) == topics.HOST_PANIC and not message.retain:
            try:
                report = read_json(message.payload.decode())
            except ValueError:
                return
            if isinstance(report, dict) and report.get("active") and report.get("took_ms") is not None:
                self._report = report


async def _listen(client: Client) -> None:
    """Subscribe to the answers. A broker that forbids it, or is slow, is no reason not to send the panic."""
    try:
        wanted = (topics.HOST_ACK, topics.HOST_AVAILABILITY, topics.HOST_PANIC)
        await client.subscribe([(each, 1) for each in wanted], timeout=1.0)
    except MqttError as error:
        if not client.connected:
            raise
        complain(f"the answer may not be heard: {error}")


def _tell(ack: Ack) -> int:
    """The host's last word."""
    if isinstance(ack.result, dict):
        return _tell_report(ack.result)
    status = status_of(ack)
    if status == DONE:
        put("STOPPED", "bold red")
    else:
        complain(f"the host {ack.outcome} it: {ack.error or 'no reason given'}")
    return status


def _tell_report(report: dict[str, Any]) -> int:
    """Who is safe, and who is not; the exit status."""
    put(panic_in_words(report), "bold red")
    unsafe = unsafe_of(report)
    for prop_id, why in unsafe.items():
        complain(f"NOT SAFE: {prop_id}: {why}")
    if report.get("durable") is False:
        complain("the latch could not be written: a restart of the host would start the workers")
    return FAILED if unsafe else DONE
