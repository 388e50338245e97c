"""A test hears what a stranger on the broker hears: lines of a `mosquitto_sub`, expected under a deadline."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio
import anyio.abc


class Line(str):
    """What a Listener heard, as ``topic payload``, with its parts beside it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool

    @classmethod
    def parse(cls, raw: bytes) -> Line:
        retain, qos, payload, topic = raw.decode().split(" ", 3)
        data = bytes.fromhex(payload)
        line = cls(f"{topic} {data.decode(errors='replace')}")
        line.topic, line.payload, line.qos, line.retain = topic, data, int(qos), retain == "1"
        return line


class Listener:
    """A `mosquitto_sub` whose lines (``topic payload``) are expected under a deadline; `lines` keeps all it heard.

    It has no task of its own: it reads while you `expect`.
    """

    def __init__(self, program: Sequence[str], topic_filters: Sequence[str], *, qos: int = 1) -> None:
        self.lines: list[Line] = []
        self._matched: set[int] = set()
        self._program = program
        self._filters = topic_filters
        self._qos = qos
        self._rest = b""
        self._said = b""
        self._subscribed = False
        self._process: anyio.abc.Process

    async def __aenter__(self) -> Listener:
        options = [option for topic_filter in self._filters for option in ("-t", topic_filter)]
        self._process = await anyio.open_process(
            # -d makes it say when it is subscribed; the payload travels in hex: a line feed in it breaks no line
            [*self._program, "-d", "-q", str(self._qos), "-F", "heard %r %q %x %t", *options],
            stdin=None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            with anyio.move_on_after(10):
                while not self._subscribed:
                    await self._read()
                return self
            raise AssertionError(f"mosquitto_sub did not subscribe in 10 s: {self._said!r}")
        except BaseException:
            await self.aclose()
            raise

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        with suppress(ProcessLookupError):  # asyncio's word for one that has ended
            self._process.kill()
        with anyio.CancelScope(shield=True):
            await self._process.aclose()

    async def expect(self, wanted: str | Callable[[Line], bool], within_s: float = 10) -> Line:
        """The first line that fits and was not expected before, in whatever order they came.

        Raises:
            AssertionError: when none came `within_s` seconds; its text shows all that was heard.
        """
        return self.lines[await self._find(wanted, 0, within_s)]

    async def expect_in_order(self, *wanted: str | Callable[[Line], bool], within_s: float = 10) -> list[Line]:
        """Like `expect` for each, every one after the line of the one before it; others may stand between."""
        found: list[int] = []
        for one in wanted:
            found.append(await self._find(one, found[-1] + 1 if found else 0, within_s))
        return [self.lines[index] for index in found]

    async def silence(self, unwanted: str | Callable[[Line], bool], for_s: float) -> None:
        """Raise AssertionError when a line that fits was heard, or comes within `for_s` seconds."""
        try:
            line = await self.expect(unwanted, for_s)
        except AssertionError:
            return
        raise AssertionError(f"heard {line!r}")

    async def _find(self, wanted: str | Callable[[Line], bool], start: int, within_s: float) -> int:
        with anyio.move_on_after(within_s):
            while True:
                for index in range(start, len(self.lines)):
                    line = self.lines[index]
                    if index not in self._matched and (line == wanted if isinstance(wanted, str) else wanted(line)):
                        self._matched.add(index)
                        return index
                start = len(self.lines)
                await self._read()
        heard = "\n  ".join(self.lines[-50:])
        raise AssertionError(f"not heard in {within_s} s: {wanted!r}; heard {len(self.lines)} lines:\n  {heard}")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            piece = await self._process.stdout.receive(65_536)
        except anyio.EndOfStream:
            status = await self._process.wait()
            raise AssertionError(f"mosquitto_sub ended with status {status}: {self._said!r}") from None
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for raw in whole:
            if raw.startswith(b"heard "):
                self.lines.append(Line.parse(raw[6:]))
            elif raw.startswith(b"Subscribed"):
                self._subscribed = True
            else:
                self._said = raw
