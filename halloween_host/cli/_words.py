"""Health and panic in words that are understood at night; whatever is missing or strange in them is passed over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from halloween_host.cli._sightings import Sighting

__all__ = ["ago", "health_in_words", "panic_in_words", "shown_duration", "stale_in_words", "unsafe_of"]

#: Unix seconds beyond which nobody's clock stands.
MOST_S: Final = 1e11


def shown_duration(seconds: float) -> str:
    """``42 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``: as exact as anybody wants it."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3_600, whole // 86_400
    if not minutes:
        return f"{whole} s"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {hours % 24} h"


def ago(since: object) -> str:
    """How long a Unix time is past, ``""`` for what is none. Never below zero: the host's clock may go before ours."""
    return shown_duration(time.time() - since) if isinstance(since, int | float) and abs(since) < MOST_S else ""


def health_in_words(health: Mapping[str, Any]) -> str:
    """``degraded for 12 s: mailbox over half full; 2 restarts, 3 commands refused``."""
    words = str(health.get("state", "unknown"))
    if since := ago(health.get("since")):
        words += f" for {since}"
    if health.get("reason"):
        words += f": {health['reason']}"
    counts = (("restarts", "restart"), ("refused", "command"))
    told = [
        f"{count} {noun}{'' if count == 1 else 's'}{' refused' if key == 'refused' else ''}"
        for key, noun in counts
        if isinstance(count := health.get(key), int) and count
    ]
    return f"{words}; {', '.join(told)}" if told else words


def stale_in_words(seen: Sighting) -> str:
    """What stands behind a prop's line when its health no longer holds, or its `online` does not count; else ``""``."""
    words = [seen.note] if seen.note else []
    if seen.stale:
        words.append(f"stale: availability says {seen.availability}, its health still says {seen.health.get('state')}")
    return "; ".join(words)


def panic_in_words(panic: Mapping[str, Any]) -> str:
    """``PANIC by cli for 12 s: smoke in room 3; 12 safe, 3 without safe(), NOT SAFE: fogger (…); 40 commands refused``."""
    if not panic.get("active"):
        return "no panic"
    by, since = panic.get("by"), ago(panic.get("since"))
    words = f"PANIC{f' by {by}' if by else ''}{f' for {since}' if since else ''}"
    words += f": {panic.get('reason') or 'no reason given'}"
    if panic.get("took_ms") is None:
        return f"{words}; not all are safe yet"
    safe, without, unsafe = panic.get("safe"), panic.get("no_safe"), unsafe_of(panic)
    told = [f"{len(safe) if isinstance(safe, dict) else 0} safe in {panic['took_ms']} ms"]
    if isinstance(without, list) and without:
        told.append(f"{len(without)} without safe()")
    if unsafe:
        told.append("NOT SAFE: " + ", ".join(f"{prop_id} ({why})" for prop_id, why in unsafe.items()))
    if refused := panic.get("refused"):
        told.append(f"{refused} command{'' if refused == 1 else 's'} refused since")
    return f"{words}; {', '.join(told)}"


def unsafe_of(panic: Mapping[str, Any]) -> dict[str, str]:
    """The props that are not safe, with the reason."""
    unsafe = panic.get("unsafe")
    return {str(prop_id): str(why) for prop_id, why in unsafe.items()} if isinstance(unsafe, dict) else {}
