"""The garbage collector rests while a host loads and while it ends, and never looks again at what was loaded.

A full pass of it stops everybody for as long as it takes to see every object: 0.1 s with a thousand workers, 0.8 s with five
thousand. Loading and ending are when objects come and go by the hundred thousand, and hardly any of them is garbage.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["pause", "paused_to_load", "resume"]


@contextmanager
def paused_to_load() -> Iterator[None]:
    """No pass until `resume`; at the end all is as it was, so that whoever waits for a finalizer at the interpreter's end gets it."""
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


def resume() -> None:
    """All is loaded and no worker was made: modules and classes stay to the end. An instance has to go when its worker restarts."""
    gc.freeze()
    gc.enable()


def pause() -> None:
    """The host ends within seconds."""
    gc.disable()
