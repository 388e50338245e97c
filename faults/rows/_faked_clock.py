"""A process whose wall clock is ours to set while it runs; its monotonic clock stays the machine's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import attrs

from faults.harness._rows import FaultError

__all__ = ["FakedClock"]

_LIBRARY: Final = "libfaketimeMT.so.1"
#: Debian's place for any architecture, and Homebrew's and Fedora's.
_PLACES: Final = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")


@attrs.frozen
class FakedClock:
    """The clock that `environ` gives to a process and its children: so many seconds ahead of ours as `file` says."""

    file: Path

    def set(self, ahead_s: float) -> None:
        """From now on the process's clock is `ahead_s` seconds ahead of ours."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{ahead_s:+.3f}\n")
        new.replace(self.file)  # the process reads it at each look at its clock, and never half of it

    def environ(self, time_zone: str) -> dict[str, str]:
        """
        Raises:
            FaultError: when libfaketime is not installed.
        """
        return {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": time_zone,
        }


def _library() -> str:
    for place in _PLACES:
        parent, _, rest = place.partition("*")
        found = sorted(Path(parent).glob(f"*{rest}/{_LIBRARY}")) if rest else [Path(place, _LIBRARY)]
        if found and os.access(found[0], os.R_OK):
            return str(found[0])
    raise FaultError(f"{_LIBRARY} is missing: apt-get install faketime")
