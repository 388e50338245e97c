"""What is counted here is the fast path: without it (``MQTT_FAST_PATH=0``) paho's own parser costs what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trio

from tests import fast_path as chosen
from tests.counts.wire import Phone
from tests.mosquitto import Mosquitto
from tests.test_host import running_host, write_prop

#: A host's props in these tests, all alike.
NAMES: Final = [f"coffin-{number}" for number in range(8)]

House = Callable[[str], AbstractAsyncContextManager[Phone]]


@pytest.fixture
def fast_path() -> None:
    if not chosen.FAST:
        pytest.skip("MQTT_FAST_PATH=0: the bounds are those of the fast path")


@pytest.fixture
def house(broker: Mosquitto, tmp_path: Path, fast_path: None) -> House:
    """Open a host in this process whose props, `NAMES`, all run one worker's source; yields a phone that hears ``telemetry/pong``."""

    @asynccontextmanager
    async def open_house(source: str) -> AsyncIterator[Phone]:
        for name in NAMES:
            write_prop(tmp_path, name, source)
        with (
            Phone(broker.port, "halloween/+/status/availability") as usher,
            Phone(broker.port, "halloween/+/telemetry/pong") as phone,
        ):
            async with running_host(broker, tmp_path, PRESENCE_MAX="0", MQTT_KEEPALIVE="600"):
                await trio.to_thread.run_sync(usher.wait_for_online, len(NAMES) + 1)  # the host itself is one
                for (
                    name
                ) in NAMES:  # what is made at a first command is made, and nothing waits for the PUBACK of `online`
                    await trio.to_thread.run_sync(phone.ask, name, "ping 0")
                yield phone

    return open_house
