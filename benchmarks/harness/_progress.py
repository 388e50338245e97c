"""One line that says what is measured now and how long it will still take."""

from __future__ import annotations

import sys

from benchmarks.harness._run import Clock, Step


def show(step: Step, clock: Clock) -> None:
    """Each measurement as it begins."""
    left = "" if clock.remaining_s is None else f", about {minutes(clock.remaining_s)} left"
    say(f"{step.row.name} · {step.variant.label} · round {step.round + 1} · {minutes(clock.elapsed_s)}{left}")


def say(text: str) -> None:
    """On a terminal in place of what was said before, else a line of its own, on standard error."""
    in_place = sys.stderr.isatty()
    sys.stderr.write(f"\r\x1b[K{text}" if in_place else f"{text}\n")
    sys.stderr.flush()


def clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def minutes(seconds: float) -> str:
    """`3:05`."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
