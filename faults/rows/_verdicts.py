"""What became of each injection: what it left behind, what it held, what of it was seen by halves."""

from __future__ import annotations

from typing import Final

import attrs
import structlog

from faults.harness._rows import Finding, Limit

__all__ = ["Verdict", "Verdicts"]

_log: Final = structlog.stdlib.get_logger()
_NONE: Final = (Limit("sum", 0),)


@attrs.frozen
class Verdict:
    """Of one injection; each text says what is wrong, "" when nothing is."""

    leaked: str = ""
    held: str = ""
    half: str = ""


@attrs.define
class Verdicts:
    """Of all injections; `say` logs what broke a promise, with its place."""

    _all: list[Verdict] = attrs.field(factory=list)
    _troubles: list[str] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, where: str, verdict: Verdict) -> None:
        """Take the verdict on one injection."""
        self._all.append(verdict)
        for promise, trouble in attrs.asdict(verdict).items():
            if trouble:
                self._troubles.append(f"{promise}: {where}: {trouble}")

    def say(self) -> None:
        """Log what was not said yet; on the rehearsal stage no line of the log leaves the show."""
        for trouble in self._troubles:
            _log.error(trouble)
        self._troubles.clear()

    def findings(self) -> list[Finding]:
        """The three promises."""
        return [
            Finding(
                "tasks, threads and files leaked", [float(bool(each.leaked)) for each in self._all], "times", _NONE
            ),
            Finding(
                "locks held: the next operation fails", [float(bool(each.held)) for each in self._all], "times", _NONE
            ),
            Finding("half-published", [float(bool(each.half)) for each in self._all], "times", _NONE),
        ]
