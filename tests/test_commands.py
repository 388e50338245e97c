"""Commands: any bytes are a Command or a CommandError, and what we send is what is read."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.commands import (
    MAX_ACTION_CHARS,
    MAX_COMMAND_BYTES,
    MAX_ID_CHARS,
    Command,
    encode_command,
    parse_command,
    remaining_s,
)
from halloween_host.errors import CommandError, PayloadError
from tests.strategies import Colour, Lamp, actions, json_values, near_commands, utf8_text


@given(st.binary() | near_commands | utf8_text.map(str.encode))
def test_any_bytes_are_a_command_or_a_command_error(payload: bytes) -> None:
    """Nothing else leaves `parse_command`, and a command's action is always a public identifier."""
    try:
        command = parse_command(payload)
    except CommandError:
        return
    assert command.action.isidentifier()
    assert not command.action.startswith("_")
    assert len(command.action) <= MAX_ACTION_CHARS
    assert command.text is None or isinstance(command.text, str)


@given(json_values)
def test_any_json_is_a_command_or_a_command_error(value: object) -> None:
    """Also as the value of `action`, and as the whole payload."""
    assert parse_command(json.dumps({"action": "ping", "args": value}).encode()) == Command("ping", value)
    for payload in (value, {"action": value}):
        with contextlib.suppress(CommandError):
            parse_command(json.dumps(payload).encode())


@given(actions, json_values)
def test_what_is_encoded_is_what_is_parsed(action: str, args: object) -> None:
    """Encode, then parse: the same arguments, and the action with - and / as _."""
    command = parse_command(encode_command(action, args))
    assert command == Command(unicodedata.normalize("NFKC", action.replace("-", "_").replace("/", "_")), args)
    assert repr(command.args) == repr(args), "1 is not True, 1.0 is not 1"


@given(actions, utf8_text.filter(lambda text: text == text.strip() and text))
def test_plain_text_is_action_then_the_rest(action: str, rest: str) -> None:
    """``<action> <rest>`` gives the rest as it is, inner white space included."""
    assert parse_command(f"{action} \t {rest}".encode()).args == rest


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"ping", Command("ping")),
        (b"ping hello", Command("ping", "hello")),
        (b"ping   hello  world ", Command("ping", "hello  world ")),
        (b"fire 750\n", Command("fire", "750")),
        (b"fire 750\r\n", Command("fire", "750")),
        (b"say one\ntwo\n", Command("say", "one\ntwo")),
        (b"set-mode/now x", Command("set_mode_now", "x")),
        (b'{"action": "ping", "args": "hello"}', Command("ping", "hello")),
        (b' {"action": "ping"}\n', Command("ping")),
        (b'{"action": "ping", "args": null, "id": 7}', Command("ping", id=7)),
        (b'{"action": "fire", "args": {"ms": [1, 2.5, true]}}', Command("fire", {"ms": [1, 2.5, True]})),
        (b"true", Command("true")),
        (b'{"action": "spr\\u00fchen", "args": "\\ud83c\\udf83"}', Command("sprühen", "🎃")),
        ("cafe\u0301 au lait".encode(), Command("café", "au lait")),
    ],
)
def test_commands(payload: bytes, expected: Command) -> None:
    """What the wire's contract calls a command."""
    assert parse_command(payload) == expected


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "empty payload; send"),
        (b" \n\t", "empty payload; send"),
        (b"ping " + b"x" * 1_048_576, "payload of 1,048,581 bytes, at most 65,536"),
        (b"ping \xff", "payload is not UTF-8: byte 0xff at 5"),
        (b'{"action": "ping", "args": ' + b"[" * 30_000, "JSON is nested too deep, at most 100 levels"),
        (b'{"action": "ping", "args": ' + b"[" * 100 + b"]" * 100 + b"}", "JSON is nested too deep"),
        (b'{"args": 5, "acton": "ping"}', "the JSON object has no 'action', only 'args', 'acton'"),
        (b"{}", "the JSON object has no 'action', only nothing"),
        (b'{"action": 5}', "'action' must be text, got 5"),
        (b'{"action": null}', "'action' must be text, got null"),
        (b'{"action": true}', "'action' must be text, got true"),
        (b'{"action": ["ping"]}', "'action' must be text, got a JSON list"),
        (b'{"action": {}}', "'action' must be text, got a JSON object"),
        (b'{"action": ""}', "'' is no action"),
        (b'{"action": "ping", "args": NaN}', "NaN is no JSON number"),
        (b'{"action": "ping", "args": -Infinity}', "-Infinity is no JSON number"),
        (b'{"action": "ping", "args": 1e999}', "1e999 is too large for a number"),
        (b'{"action": "ping", "args": ' + b"9" * 5_000 + b"}", "digits"),
        (b'{"action": "ping", "args": "\\ud800"}', "lone surrogate"),
        (b'{"action": "ping", "args": {"\\udfff": 1}}', "lone surrogate"),
        (b'{"action": "ping"', "broken JSON at line 1 column 18: Expecting ',' delimiter"),
        (b'{"action": "ping"} {}', "broken JSON at line 1 column 20: Extra data"),
        (b'["ping"]', "is no action: letters, digits and '_'"),
        (b'"ping"', "is no action"),
        (b"5", "'5' is no action"),
        (b"__init__", "'__init__' is no action: it starts with '_'"),
        (b"_ticker", "'_ticker' is no action: it starts with '_'"),
        (b"-stop", "'_stop' is no action: it starts with '_' (or '-' or '/')"),
        (b'{"action": "__class__", "args": 1}', "'__class__' is no action"),
        (b"pi.ng", "'pi.ng' is no action"),
        (b"a" * 129, "'aaaaaaaaaaaaaaaaaaaa'… is no action: 129 characters, at most 128"),
        (b"\x00", "is no action"),
        ("\ufe33init".encode(), "is no action"),
    ],
)
def test_what_is_no_command(payload: bytes, said: str) -> None:
    """Each is refused in one short line that says what came and what was expected."""
    with pytest.raises(CommandError) as caught:
        parse_command(payload)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_deepest_json_that_is_taken() -> None:
    """A hundred levels, the command's own object among them, on every version of Python."""
    command = parse_command(b'{"action": "ping", "args": ' + b"[" * 99 + b"]" * 99 + b"}")
    assert command.text == "[" * 99 + "]" * 99


def test_the_longest_command_that_is_taken() -> None:
    """65,536 bytes are a command, one more is none."""
    payload = b"say " + b"x" * (MAX_COMMAND_BYTES - 4)
    assert parse_command(payload).text == "x" * (MAX_COMMAND_BYTES - 4)
    with pytest.raises(CommandError):
        parse_command(payload + b"x")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (None, None),
        ("as it is ", "as it is "),
        (True, "true"),
        (5, "5"),
        (2.5, "2.5"),
        ({"a": [1, None, "ü"]}, '{"a":[1,null,"ü"]}'),
        ([], "[]"),
    ],
)
def test_the_text_of_a_command(args: object, text: str | None) -> None:
    """A handler that takes text gets numbers, booleans, objects and lists as their JSON text."""
    assert Command("ping", args).text == text


def test_commands_as_they_are_sent() -> None:
    """Always both keys, and the action as it was given."""
    assert encode_command("stop") == b'{"action": "stop", "args": null}'
    assert encode_command("set-mode", "ü") == '{"action": "set-mode", "args": "ü"}'.encode()
    assert encode_command("fire", {"a": [1, True]}) == b'{"action": "fire", "args": {"a": [1, true]}}'
    assert encode_command("set", Lamp(3, colour=Colour.GREEN)) == (
        b'{"action": "set", "args": {"pin": 3, "dimmed": false, "colour": "green"}}'
    )


@pytest.mark.parametrize("args", [float("nan"), object(), "\ud800", {"a": {1j}}, "x" * 65_536], ids=type)
def test_arguments_that_cannot_be_sent(args: object) -> None:
    """They are refused where they are sent, not where they arrive."""
    with pytest.raises(PayloadError, match="cannot send"):
        encode_command("ping", args)


@pytest.mark.parametrize("action", ["", "two words", "_private", "/x", "5", "a" * 129, 5, None])
def test_actions_that_cannot_be_sent(action: str) -> None:
    """No worker could ever be asked to do them."""
    with pytest.raises(CommandError):
        encode_command(action)


@pytest.mark.parametrize("action", ["", "__init__", "a-b", "a b"])
def test_a_command_is_checked_where_it_is_made(action: str) -> None:
    """There is no Command whose action is no public identifier."""
    with pytest.raises(CommandError):
        Command(action)


ids = (
    utf8_text.filter(lambda text: len(text) <= MAX_ID_CHARS)
    | st.integers(-(10**100), 10**100)
    | st.floats(allow_nan=False, allow_infinity=False)
)
seconds = st.floats(0, 1e12) | st.integers(0, 10**12)


@given(actions, ids, st.none() | seconds, st.none() | seconds)
def test_id_ts_and_ttl_arrive_as_they_were_sent(
    action: str, id_: str | float, ts: float | None, ttl: float | None
) -> None:
    """With their types: 1 and "1" are two ids."""
    command = parse_command(encode_command(action, None, id=id_, ts=ts, ttl=ttl))
    assert (repr(command.id), command.ts, command.ttl) == (repr(id_), ts, ttl)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("id", "true", "an id is text or a number, got true"),
        ("id", "[1]", "an id is text or a number, got a JSON list"),
        ("id", "{}", "an id is text or a number, got a JSON object"),
        ("id", '"' + "x" * 129 + '"', "an id has at most 128 characters"),
        ("id", "1" + "0" * 128, "an id has at most 128 characters"),
        ("ttl", '"5"', "'ttl' is seconds, a number of 0 or more, got '5'"),
        ("ttl", "-1", "'ttl' is seconds, a number of 0 or more, got -1"),
        ("ttl", "true", "'ttl' is seconds, a number of 0 or more, got true"),
        ("ttl", "1" + "0" * 400, "'ttl' is seconds, a number of 0 or more, got 1"),
        ("ts", "false", "'ts' is seconds"),
        ("ts", "[]", "'ts' is seconds"),
        ("ts", "-0.5", "'ts' is seconds"),
    ],
)
def test_id_ts_and_ttl_of_a_wrong_type_are_refused(field: str, value: str, said: str) -> None:
    """A command that we do not understand wholly is not carried out; where it has an id, the refusal can be told."""
    with pytest.raises(CommandError) as caught:
        parse_command(f'{{"action": "fire", "{field}": {value}}}'.encode())
    assert str(caught.value).startswith(said)
    assert caught.value.id is None
    if field != "id":
        with pytest.raises(CommandError) as caught:
            parse_command(f'{{"action": "fire", "id": 7, "{field}": {value}}}'.encode())
        assert caught.value.id == 7


def test_an_object_without_an_action_still_has_its_id() -> None:
    """Its sender waits for an answer."""
    with pytest.raises(CommandError) as caught:
        parse_command(b'{"command": "fire", "id": "a"}')
    assert caught.value.id == "a"


def test_null_is_no_id_and_no_seconds() -> None:
    """A sender that fills in all keys has given none."""
    assert parse_command(b'{"action": "fire", "id": null, "ts": null, "ttl": null}') == Command("fire")


@pytest.mark.parametrize(
    "given", [{"ttl": -1}, {"ttl": float("nan")}, {"ttl": float("inf")}, {"id": True}, {"id": 10**5000}, {"ts": "now"}]
)
def test_id_ts_and_ttl_are_checked_where_they_are_sent(given: dict[str, Any]) -> None:
    """They are refused where they are sent, not where they arrive."""
    with pytest.raises(CommandError):
        encode_command("fire", **given)


NOW = 1_793_469_600.0


@pytest.mark.parametrize(
    ("ts", "ttl", "left"),
    [
        (None, None, None),
        (NOW - 1e6, None, None),
        (NOW + 30, None, None),
        (None, 5, 5),
        (None, 0, 0),
        (NOW, 5, 5),
        (NOW - 3, 5, 2),
        (NOW - 5, 5, 0),
        (NOW + 20, 5, 5),
    ],
)
def test_how_long_a_command_is_worth_something(ts: float | None, ttl: float | None, left: float | None) -> None:
    """By its sender's clock, or from its arrival; a clock that is ahead lengthens nothing."""
    assert remaining_s(Command("fire", ts=ts, ttl=ttl), NOW) == left


@pytest.mark.parametrize(
    ("ts", "ttl", "said"),
    [
        (NOW - 5.5, 5, "fire: refused, it is 5.5 s old and was worth 5 s"),
        (NOW - 4000, 0.5, "fire: refused, it is 4,000.0 s old and was worth 0.5 s"),
        (NOW + 31, 5, "fire: refused, clock skew: its ts is 31 s ahead of this host's clock (at most 30 s)"),
        (NOW + 3600, None, "fire: refused, clock skew: its ts is 3,600 s ahead of this host's clock (at most 30 s)"),
        (10.0**300, 5, "fire: refused, clock skew"),
    ],
)
def test_what_is_too_old_or_comes_from_the_future_is_refused(ts: float, ttl: float | None, said: str) -> None:
    """Each says which clock to look at."""
    with pytest.raises(CommandError) as caught:
        remaining_s(Command("fire", ts=ts, ttl=ttl), NOW)
    assert str(caught.value).startswith(said)
