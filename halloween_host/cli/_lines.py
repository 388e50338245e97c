"""A message is one line: time, topic, payload; for a person in colours and cut, for a program whole and tab-separated."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

from halloween_host import topics
from halloween_host.logs import escape

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Lines", "RawLines", "shown_payload"]

#: Characters of a payload that a terminal gets.
_SHOWN_CHARS: Final = 4_096
_COLOURS: Final = {
    "cmd": "cyan",
    "ack": "cyan",
    "telemetry": "green",
    "status": "blue",
    "state": "magenta",
    "other": "dim",
}
_STATUS_COLOURS: Final = {"error": "bold red", "warn": "yellow", "panic": "bold red"}


class Lines:
    """Writes to `stream`, in colours when it is a terminal; raises what its `write` raises. It does not flush."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = _console(stream) if stream.isatty() else None

    def write(self, topic: str, payload: bytes, *, retained: bool, words: str | None = None) -> None:
        """One message that came now; a person reads `words` in the payload's place."""
        moment = datetime.now().strftime("%H:%M:%S.%f")[:-3]
        topic, text = escape(topic).replace("\t", r"\t"), shown_payload(payload)
        if self._console is None:
            self._stream.write(f"{moment}\t{topic}\t{text}\n")
            return
        if words is not None:
            text = escape(words)
        if len(text) > _SHOWN_CHARS:
            text = f"{text[:_SHOWN_CHARS]}… ({len(payload):,} bytes)"
        from rich.text import Text

        line = Text.assemble((moment, "dim"), " ", (topic, _colour(topic)), " ", text)
        if retained:
            line.append("  (retained)", "dim")
        self._console.print(line)


class RawLines:
    """Writes topic, tab, payload, newline, every byte as it came; raises what `stream.write` raises. It does not flush."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, topic: str, payload: bytes, *, retained: bool, words: str | None = None) -> None:
        """One message that came now; words are for persons."""
        self._stream.write(b"%b\t%b\n" % (topic.encode(), payload))


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, soft_wrap=True)


def shown_payload(payload: bytes) -> str:
    """The payload on one line: what is no UTF-8, or controls a terminal, as escapes."""
    return escape(payload.decode(errors="backslashreplace"))


def _colour(topic: str) -> str:
    parsed = topics.parse_topic(topic)
    if parsed is None:
        return "dim"
    return _STATUS_COLOURS.get(parsed.key, "blue") if parsed.kind == "status" else _COLOURS[parsed.kind]
