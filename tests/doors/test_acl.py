"""contrib/mosquitto/acl gives each user what docs/security.md says, and nothing more, on a real mosquitto with that very file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeMosquitto
from tests.doors.guests import Guest, users
from tests.mosquitto import Mosquitto

ACL = Path(__file__).parents[2] / "contrib" / "mosquitto" / "acl"

#: Every kind of topic that docs/topics.md knows, of a prop and of the host, and one of a stranger's.
OF_A_PROP = (
    *("cmd", "ack", "state", "telemetry/tick", "telemetry/a/b"),
    *("status/mood", "status/error", "status/warn", "status/availability", "status/health", "else"),
)
OF_THE_HOST = (
    *("cmd", "ack", "uptime", "nonce/some-host"),
    *("status/availability", "status/panic", "status/error", "status/warn", "telemetry/tick", "state"),
)
TOPICS = (
    *(f"halloween/coffin/{rest}" for rest in OF_A_PROP),
    *(f"halloween/lift/{rest}" for rest in OF_A_PROP),
    *(f"halloween/worker_host/{rest}" for rest in OF_THE_HOST),
    "somewhere/else",
)
STATUS_OF_THE_HOST = {f"halloween/worker_host/status/{key}" for key in ("availability", "panic", "error", "warn")}

READS = {
    "coffin": {"halloween/coffin/cmd"} | STATUS_OF_THE_HOST,
    "lift": {"halloween/lift/cmd"} | STATUS_OF_THE_HOST,
    "operator": {topic for topic in TOPICS if topic.startswith("halloween/")},
    "halloween_host": set(TOPICS),
}
OWN = ("ack", "state", "telemetry/tick", "telemetry/a/b", "status/mood", "status/error", "status/warn")
WRITES = {
    "coffin": {f"halloween/coffin/{rest}" for rest in OWN},
    "lift": {f"halloween/lift/{rest}" for rest in OWN},
    "operator": {"halloween/coffin/cmd", "halloween/lift/cmd", "halloween/worker_host/cmd"},
    "halloween_host": set(TOPICS),
}


@pytest.fixture
def broker(make_mosquitto: MakeMosquitto) -> Mosquitto:
    """Locked by the file of the repository."""
    return make_mosquitto(users=users(*READS), config_lines=[f"acl_file {ACL}"])


@pytest.mark.parametrize("user", READS)
async def test_who_may_read_what(broker: Mosquitto, user: str) -> None:
    """Whatever a user subscribes to, `#` or each topic by its name, it hears what is its own and nothing else; retained alike."""
    host = Guest(broker, "halloween_host")
    for topic in TOPICS:
        assert await host.publish(topic, "retained", "-r") == ""
    for filters in (("#",), TOPICS):
        async with Guest(broker, user).listen(*filters) as listener:
            for topic in TOPICS:
                assert await host.publish(topic, "live") == ""
            last = max(READS[user])
            assert await host.publish(last, "the last") == ""
            await listener.expect(f"{last} the last")
            for word in ("live", "retained"):
                assert {line.topic for line in listener.lines if line.payload == word.encode()} == READS[user]


@pytest.mark.parametrize("version", ["5", "311"])
@pytest.mark.parametrize("user", WRITES)
async def test_who_may_write_what(broker: Mosquitto, user: str, version: str) -> None:
    """What is refused reaches no subscriber, retained or not; MQTT 5 says so, 3.1.1 has no word for it."""
    guest = Guest(broker, user)
    async with Guest(broker, "halloween_host").listen("#") as listener:
        for topic in TOPICS:
            complaint = await guest.publish(topic, "written", version=version)
            refused = topic not in WRITES[user]
            assert ("Not authorized" in complaint) == (refused and version == "5"), topic
        await Guest(broker, "halloween_host").publish("fence")
        await listener.expect("fence x")
        assert {line.topic for line in listener.lines} - {"fence"} == WRITES[user]


async def test_a_will_is_no_way_round(broker: Mosquitto) -> None:
    """Firmware cannot make the broker say `offline` for its prop, or for another, by dying."""
    async with Guest(broker, "halloween_host").listen("#") as listener:
        for topic in ("halloween/coffin/status/availability", "halloween/lift/state", "halloween/coffin/state"):
            will = ("--will-topic", topic, "--will-payload", "offline")
            async with Guest(broker, "coffin", None, *will).listen("halloween/coffin/cmd"):
                pass  # a Listener is ended by SIGKILL: its will is due
        await listener.expect("halloween/coffin/state offline")
        assert {line.topic for line in listener.lines} == {"halloween/coffin/state"}


@pytest.mark.parametrize("name", [None, "coffin", "nobody", "halloween_host"])
async def test_nobody_comes_in_without_a_password(broker: Mosquitto, name: str | None) -> None:
    """A guest's phone on the Wi-Fi: no name, a wrong password, an unknown name."""
    for version in ("5", "311"):
        said = await Guest(broker, name, "wrong").publish("halloween/worker_host/cmd", "panic", version=version)
        assert "not authori" in said.lower()


@pytest.mark.parametrize("name", ["+", "lift/cmd"])
async def test_a_user_named_like_a_wildcard_gets_nothing_of_others(make_mosquitto: MakeMosquitto, name: str) -> None:
    """`%u` is no way to a filter: make-passwords refuses such names, and mosquitto gives them nothing."""
    broker = make_mosquitto(users=users("halloween_host", name), config_lines=[f"acl_file {ACL}"])
    host = Guest(broker, "halloween_host")
    async with host.listen("#") as listener, Guest(broker, name).listen("#") as guest:
        await Guest(broker, name).publish("halloween/lift/telemetry/tick")
        await host.publish("halloween/lift/cmd", "up")
        await host.publish("halloween/worker_host/status/panic", "fence")
        await listener.expect("halloween/worker_host/status/panic fence")
        assert "halloween/lift/telemetry/tick x" not in listener.lines
        if name == "lift/cmd":  # the others are not even told of the host
            await guest.expect("halloween/worker_host/status/panic fence")
        assert "halloween/lift/cmd up" not in guest.lines
