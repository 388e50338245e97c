"""An outage is what the log says of a connection's troubles: one line for each, once it is known what is wrong, and one for its end."""

from __future__ import annotations

import errno
import math
import ssl
from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from halloween_host.mqtt import MqttCodeError, MqttError, MqttTimeoutError

__all__ = ["REPEAT_S", "SAY_WITHIN_S", "Outage"]

#: A lost connection is said as soon as the next attempt failed, with what that one met; after this many seconds in any case.
SAY_WITHIN_S: Final = 2.0
#: A trouble is said again after this many seconds, with the number of tries. Until then two things are news: a reason that somebody must
#: mend; and that the broker stays away for `AWAY_S` after we said that we are connected.
REPEAT_S: Final = 60.0
AWAY_S: Final = 10.0

#: Of the system's errors those that no broker's return will mend.
_OURS: Final = (errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM)

_log: Final = structlog.stdlib.get_logger()


@attrs.define
class _Trouble:
    """What is wrong now, from the first loss until `over`."""

    said_at: float = -math.inf
    tries: int = 0
    reasons: set[str] = attrs.Factory(set)
    contested: bool = False


class Outage:
    """Told of one connection's fate. `run` says what must wait; everything else returns at once.

    `name` stands in the log when this is not the host's own connection. `elsewhere` tells whether the host's own is lost too:
    then that one's line speaks for this one.
    """

    def __init__(self, name: str = "", elsewhere: Callable[[], bool] | None = None) -> None:
        self._name = f"{name}: " if name else ""
        self._elsewhere = elsewhere
        self._trouble = _Trouble()
        self._loss: MqttError | None = None
        self._reason: MqttError | None = None
        self._return: Callable[[], None] | None = None
        #: Whether a line is open: nothing has been said of a connection since.
        self._open = True
        self._away_since = math.inf
        self._due = math.inf
        self._sooner = trio.Event()

    def over(self) -> None:
        """A connection lasted: what comes from here on is another trouble."""
        self._trouble = _Trouble()

    def lost(self, error: MqttError) -> None:
        """The connection is lost."""
        self._begin()
        self._loss = self._loss or error
        self._return = None
        # After silence the next attempt meets silence too, and takes its time for that.
        self._say_in(0.0 if isinstance(error, MqttTimeoutError) else SAY_WITHIN_S)

    def failed(self, error: MqttError) -> None:
        """An attempt to connect failed."""
        self._begin()
        self._reason = error
        self._say_in(0.0 if self._elsewhere is None else SAY_WITHIN_S)

    def connected(self, facts: str, **more: str) -> None:
        """The broker took us; `facts` stand in the line that says so."""
        self._away_since = math.inf
        self._return = lambda: _log.info(f"{self._name}connected, {facts}", **more)
        if self._trouble.contested:
            self._say_in(SAY_WITHIN_S, anew=True)  # it has taken us before, and cut us soon
        elif self._due == math.inf:
            self._say()

    def contested(self, why: str) -> None:
        """Somebody else seems to be the cause, and `why`: said once in a trouble."""
        if not self._trouble.contested:
            loss = "" if self._loss is None else f"lost the broker: {self._loss}; "
            _log.error(f"{self._name}{loss}{why}")
            self._trouble.contested = self._open = True
            self._trouble.said_at = trio.current_time()
        self._loss = self._reason = self._return = None
        self._due = math.inf

    async def run(self) -> None:
        """Say what must wait, until cancelled."""
        while True:
            self._sooner = trio.Event()
            with trio.move_on_at(self._due):
                await self._sooner.wait()
                continue
            self._say()

    def _begin(self) -> None:
        self._trouble.tries += 1
        self._away_since = min(self._away_since, trio.current_time())

    def _say_in(self, seconds: float, *, anew: bool = False) -> None:
        if seconds == 0:
            self._say()
            return
        due = trio.current_time() + seconds
        self._due = due if anew else min(self._due, due)
        self._sooner.set()

    def _say(self) -> None:
        self._due = math.inf
        if self._loss is not None or self._reason is not None:
            self._say_trouble()
        if self._return is not None and self._open:
            self._open = False
            self._return()
        self._loss = self._reason = self._return = None

    def _say_trouble(self) -> None:
        text = f"{self._name}{self._what()}"
        if not self._is_due():
            _log.debug(text)
            return
        trouble = self._trouble
        often = "" if trouble.said_at == -math.inf else f", {trouble.tries} times so far"
        now_what = "connected again" if self._return is not None else "still trying" if often else "trying again"
        trouble.said_at, self._open = trio.current_time(), True
        trouble.reasons.add(str(self._reason))
        _log.warning(f"{text}; {now_what}{often}")

    def _is_due(self) -> bool:
        """Whether the log is to have it."""
        now, trouble = trio.current_time(), self._trouble
        if self._elsewhere is not None and self._elsewhere():
            return False
        is_news = (
            self._reason is not None and _must_be_mended(self._reason) and str(self._reason) not in trouble.reasons
        )
        away = not self._open and now - self._away_since >= AWAY_S
        return is_news or away or now - trouble.said_at >= REPEAT_S

    def _what(self) -> str:
        if self._loss is None:
            return f"cannot reach the broker: {self._reason}"
        more = "" if self._reason is None else f"; it cannot be reached again: {self._reason}"
        return f"lost the broker: {self._loss}{more}"


def _must_be_mended(error: MqttError) -> bool:
    """Whether it is a refusal, a certificate or the system's limit: whoever waits for the broker's return would wait for ever."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError):  # an OSError too, whose number is not the system's
        return isinstance(cause, ssl.SSLCertVerificationError)
    return isinstance(error, MqttCodeError) or (isinstance(cause, OSError) and cause.errno in _OURS)
