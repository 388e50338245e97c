"""Acks: what is written is read, whatever a handler returned."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.acks import Ack, encode_ack, parse_ack
from halloween_host.commands import parse_command
from halloween_host.errors import CommandError, PayloadError
from tests.strategies import actions, json_values, utf8_text

KEYS = ["id", "command", "outcome", "error", "result", "took_ms"]
ids = st.none() | utf8_text | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
outcomes = st.sampled_from(["accepted", "done", "failed", "refused", "cancelled"])
acks = st.builds(
    Ack, ids, st.none() | actions, outcomes, st.none() | utf8_text, json_values, st.none() | st.integers(0)
)


@given(acks)
def test_what_is_written_is_read(ack: Ack) -> None:
    """All six keys, in one order, and the same ack comes back."""
    payload = encode_ack(ack)
    assert list(json.loads(payload)) == KEYS
    assert parse_ack(payload) == ack


@given(acks)
def test_no_ack_is_a_command(ack: Ack) -> None:
    """An ack that comes back on a `cmd` topic fires nothing: its field is `command`, never `action`."""
    with pytest.raises(CommandError):
        parse_command(encode_ack(ack))


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_ack_or_a_payload_error(payload: bytes) -> None:
    """Firmware may say what it likes on an `ack` topic."""
    try:
        ack = parse_ack(payload)
    except PayloadError:
        return
    assert ack.outcome in ("accepted", "done", "failed", "refused", "cancelled")


class Odd(dict[str, int]):
    """Breaks as it is looked at."""

    def items(self) -> object:  # type: ignore[override] # what an author may write
        raise RuntimeError("odd")


@attrs.frozen
class Lid:
    angle: float


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (
            object(),
            "the result: cannot send dict: JSON has no form for a object; send text, numbers, lists, dicts or an attrs class",
        ),
        (float("nan"), "the result: cannot send dict: NaN and infinities are no JSON; send None or leave it out"),
        (
            b"bytes",
            "the result: cannot send dict: JSON has no form for a bytes; send text, numbers, lists, dicts or an attrs class",
        ),
        (Lid(float("inf")), "the result: cannot send dict: NaN and infinities are no JSON; send None or leave it out"),
        (Odd(a=1), "the result: cannot be written: RuntimeError"),
    ],
    ids=["object", "nan", "bytes", "infinity", "odd"],
)
def test_a_result_without_a_json_form_leaves_the_outcome(result: object, error: str) -> None:
    """It was done, and that it cannot be told is said."""
    ack = json.loads(encode_ack(Ack(1, "fire", "done", result=result, took_ms=5)))
    assert ack == {"id": 1, "command": "fire", "outcome": "done", "error": error, "result": None, "took_ms": 5}


def test_a_result_is_written_as_telemetry_is() -> None:
    """attrs classes as objects, sets as lists."""
    assert json.loads(encode_ack(Ack(1, "fire", "done", result=[Lid(2.5), {1}])))["result"] == [{"angle": 2.5}, [1]]


def test_an_authors_error_is_written_whatever_it_holds() -> None:
    """Half a character or a book: the ack goes out, and its bytes are UTF-8."""
    ack = json.loads(encode_ack(Ack(1, "fire", "failed", error="ValueError: \ud800")))
    assert ack["error"] == "ValueError: \\ud800"
    assert len(json.loads(encode_ack(Ack(1, "fire", "failed", error="x" * 10**6)))["error"]) == 1000
