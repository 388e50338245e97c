"""Run the oracle's properties on fresh streams for as long as one likes: `just fuzz` (a minute), `FUZZ_S=3600 just fuzz` (an hour).

python -m tests.mqtt.fuzz                         rounds with a seed each, until the time is over or one fails
python -m tests.mqtt.fuzz --seed 7 --only spoilt  that round alone, as a failure says it
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

import hypothesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mqtt.test_oracle import cut_spoilt_streams, cut_streams, hear_alike, refuse_alike

PROPERTIES: Final[dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]]] = {
    "valid": (cut_streams(), hear_alike),
    "spoilt": (cut_spoilt_streams(), refuse_alike),
}

#: Streams a round: a failing one is found again, by its seed, in a few seconds.
ROUND: Final = 200


class Fuzz:
    def __init__(self) -> None:
        self.streams = 0
        self._begun = time.monotonic()
        self._told = 0.0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._begun

    def round(self, name: str, seed: int) -> bool:
        """Whether the property held; if not, the smallest failing stream is printed."""
        strategy, check = PROPERTIES[name]

        @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @hypothesis.seed(seed)
        @given(strategy)
        def holds(case: Any) -> None:
            self.streams += 1
            self._tell(name, seed)
            check(case)

        try:
            holds()
        except Exception:  # noqa: BLE001 # whatever comes out is what we look for
            sys.stderr.write("\n")
            traceback.print_exc()
            sys.stderr.write(f"\nfailed after {self.streams:,} streams; again: just fuzz --seed {seed} --only {name}\n")
            return False
        return True

    def _tell(self, name: str, seed: int) -> None:
        if self.elapsed_s - self._told >= 0.5:
            self._told = self.elapsed_s
            sys.stderr.write(f"\r{self.streams:,} streams in {self.elapsed_s:.0f} s, now {name}, seed {seed}  ")
            sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Feed random packet streams to the splitter, to paho and to the specification."
    )
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_S", "60")))
    parser.add_argument("--seed", type=int, help="run the round of this seed alone")
    parser.add_argument("--only", choices=sorted(PROPERTIES), help="one property instead of all")
    options = parser.parse_args()
    names = [options.only] if options.only else list(PROPERTIES)
    fuzz = Fuzz()
    if options.seed is not None:
        return 0 if all(fuzz.round(name, options.seed) for name in names) else 1
    while fuzz.elapsed_s < options.seconds:
        for name in names:
            if not fuzz.round(name, random.randrange(1_000_000_000)):
                return 1
    sys.stderr.write(f"\n{fuzz.streams:,} streams in {fuzz.elapsed_s:.0f} s, all read alike\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
