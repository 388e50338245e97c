"""One night again, and what came before its first lie: ``python -m faults.one_night SEED [LINES]``."""

from __future__ import annotations

import sys
from typing import Final

from faults.rows.night import play_night

#: Lines of the transcript's end that are shown.
SHOWN: Final = 80


def main() -> int:
    """Play it; 1 when a promise was not kept."""
    night = play_night(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else SHOWN)
    last = f"{night.events:,} events, {night.took_s:.1f} s, {len(night.lies)} promises broken"
    sys.stdout.write("\n".join((*night.end, *night.lies, last, "")))
    return bool(night.lies)


if __name__ == "__main__":
    sys.exit(main())
