"""A stand-in for the host: a real client on a real broker that answers commands as a test has it.

async with StandIn(broker) as host:
    host.answers["worker_host", "ping"] = done("pong")
    finished = await wired.run("ping")
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final, Self

import trio

from halloween_host.mqtt import Client
from tests.mosquitto import Mosquitto

__all__ = ["StandIn", "ack", "done", "health", "panic_report", "status"]

ONLINE: Final = "halloween/worker_host/status/availability"


def ack(outcome: str, *, error: str | None = None, result: object = None, took_ms: int | None = 1) -> dict[str, Any]:
    """One ack; `id` and `command` are filled in when it is sent."""
    return {"outcome": outcome, "error": error, "result": result, "took_ms": took_ms}


def done(result: object = None) -> list[dict[str, Any]]:
    """Accepted, then done."""
    return [ack("accepted", took_ms=None), ack("done", result=result)]


def health(state: str = "online", *, reason: str | None = None, presence: bool = True, **more: Any) -> dict[str, Any]:
    """What stands on `status/health`."""
    facts = {"state": state, "reason": reason, "since": 1_700_000_000.5, "restarts": 2, "dialect": "native"}
    return {**facts, "presence": presence, "refused": 0, **more}


def status(workers: Mapping[str, dict[str, Any]], *, panic: object = None) -> list[dict[str, Any]]:
    """The host's answer to `status`; `now` is filled in when it is sent."""
    return [ack("done", result={"now": None, "uptime_s": 3_700, "panic": panic, "workers": dict(workers)})]


def panic_report(**more: Any) -> dict[str, Any]:
    """A panic whose every `safe()` is through."""
    report = {"active": True, "since": 1_700_000_000.0, "reason": "smoke", "by": "cli", "safe": {"coffin": 12}}
    return {**report, "no_safe": ["heartbeat"], "unsafe": {}, "refused": 0, "durable": True, "took_ms": 13, **more}


class StandIn:
    """Answers while it is open. `heard` keeps what came, as (prop, payload); its clock is `skew_s` ahead."""

    def __init__(self, broker: Mosquitto, *, online: bool = True) -> None:
        self.answers: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.skew_s = 0.0
        self._news = trio.Event()
        self._broker = broker
        self._online = online

    async def __aenter__(self) -> Self:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        try:
            await self._nursery.start(self._serve)
            if self._online:
                await self.say(ONLINE, "online")
        except BaseException:
            self._nursery.cancel_scope.cancel()
            raise
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._nursery.cancel_scope.cancel()
        await self._manager.__aexit__(*exc)

    async def say(self, topic: str, payload: object, *, retain: bool = True) -> None:
        """Publish text as it is, all else as JSON."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        await self._client.publish(topic, text, qos=1, retain=retain)

    async def wait_heard(self, action: str, *, times: int = 1) -> None:
        """Return once this command came so often."""
        with trio.fail_after(20):
            while sum(payload.get("action") == action for _, payload in self.heard) < times:
                self._news = trio.Event()
                await self._news.wait()

    async def have(self, prop_id: str, availability: str, facts: dict[str, Any] | None = None) -> None:
        """Leave a prop's availability and health on the broker."""
        await self.say(f"halloween/{prop_id}/status/availability", availability)
        if facts is not None:
            await self.say(f"halloween/{prop_id}/status/health", facts)

    async def _serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with Client(self._broker.host, self._broker.port) as client:
            self._client = client
            await client.subscribe("halloween/+/cmd", 1)
            task_status.started()
            async for message in client.messages:
                if message.retain or not message.payload.startswith(b"{"):
                    continue
                prop_id = str(message.topic).split("/")[1]
                payload = json.loads(message.payload)
                self.heard.append((prop_id, payload))
                self._news.set()
                for each in self.answers.get((prop_id, payload.get("action", "")), []):
                    answer = {"id": payload.get("id"), "command": payload["action"], **each}
                    if isinstance(answer.get("result"), dict) and "now" in answer["result"]:
                        answer["result"]["now"] = time.time() + self.skew_s
                    await self.say(f"halloween/{prop_id}/ack", answer, retain=False)
