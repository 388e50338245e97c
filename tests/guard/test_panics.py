"""Whatever bytes come, they are a panic or they are none; and what any host takes for one, the guard does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.commands import Command, encode_command, parse_command
from halloween_host.errors import CommandError
from halloween_host.guard import encode_panic, panic_arguments, read_panic
from halloween_host.latch import PanicRecord

WORDS = st.sampled_from(
    ["panic", "Panic!", "PANIC", "{", "}", '"action"', ":", ",", " ", "\n", "rearm", '"args"', "null", "\x00"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["action", "args", "reason", "by", "id", "ts"]), inner)
    ),
    max_leaves=8,
)


@given(st.binary() | st.lists(WORDS).map(lambda words: "".join(words).encode()))
def test_any_bytes_are_a_panic_or_none(payload: bytes) -> None:
    """Nothing raises, and a panic comes out as a command that any host takes and reads alike."""
    if (command := read_panic(payload)) is not None:
        assert parse_command(encode_panic(command)) == command
        assert read_panic(encode_panic(command)) == command


@given(st.binary() | WORDS.map(str.encode) | st.lists(WORDS).map(lambda words: " ".join(words).encode()))
def test_what_is_a_panic_for_any_host_is_one_for_the_guard(payload: bytes) -> None:
    """`parse_command` is the oracle: the guard may take more, never less."""
    try:
        taken = parse_command(payload).action == "panic"
    except CommandError:
        return
    assert not taken or read_panic(payload) is not None


@given(JSON, JSON, JSON)
def test_no_argument_id_or_time_keeps_a_panic_from_being_one(args: object, id_: object, ts: object) -> None:
    """Of any type; the id is kept when it is one, so that its ack finds its sender."""
    payload = json.dumps({"action": "panic", "args": args, "id": id_, "ts": ts, "ttl": ts}).encode()
    command = read_panic(payload)
    assert command is not None
    assert parse_command(encode_panic(command)) == command
    try:
        parsed = parse_command(payload)
    except CommandError:
        return
    assert command.id == parsed.id


@given(st.text(), st.text())
def test_reason_and_sender_survive(reason: str, by: str) -> None:
    """Both as a record tells them: one line of bounded length."""
    record = PanicRecord(0.0, reason, by)
    command = read_panic(json.dumps({"action": "panic", "args": {"reason": reason, "by": by}}).encode())
    assert command is not None
    assert panic_arguments(command.args) == (record.reason, record.by or "mqtt")


@pytest.mark.parametrize(
    ("payload", "reason", "by"),
    [
        (b"panic", "", "mqtt"),
        (b"panic kid on the coffin\n", "kid on the coffin", "mqtt"),
        (b"  PANIC! now", "now", "mqtt"),
        (b"Panic Kind f\xe4llt", "Kind f�llt", "mqtt"),
        (b'{"action": "panic", "args": "kid"}', "kid", "mqtt"),
        (b'{"action": "panic", "args": {"reason": "kid", "by": "cli"}}', "kid", "cli"),
        (b'{"action": "Panic", "ts": "2026-10-31T18:00:00Z", "id": {}}', "", "mqtt"),
        (b'{"action": "panic", "args": NaN, "ttl": -1}', "", "mqtt"),
        (b"panic " + b"!" * 100_000, "!" * 200, "mqtt"),
    ],
)
def test_panics(payload: bytes, reason: str, by: str) -> None:
    """As people and their flows send them."""
    assert read_panic(payload) == Command("panic", {"reason": reason, "by": by})


@pytest.mark.parametrize(
    "payload",
    [b"", b" ", b"ping panic", b"panicked", b"panic_", b"{panic", b'{"args": "panic"}', b'{"action": ["panic"]}', b'["panic"]',
     b'{"action": "stop", "args": "panic"}', b"rearm", b'"panic"', b"{" * 100_000 + b"panic"],
)  # fmt: skip
def test_no_panics(payload: bytes) -> None:
    """The word alone is none where it is not the command."""
    assert read_panic(payload) is None


def test_an_id_comes_along() -> None:
    """Text or number; another kind is dropped, as the panic does not depend on it."""
    ids: tuple[str | float, ...] = ("p1", 7, 1.5)
    for id_ in ids:
        command = read_panic(encode_command("panic", id=id_))
        assert command is not None
        assert command.id == id_
    for wrong in (b"true", b"[]", b"NaN", b'"\\ud800"', b'"' + b"x" * 129 + b'"'):
        command = read_panic(b'{"action": "panic", "id": ' + wrong + b"}")
        assert command is not None
        assert command.id is None
