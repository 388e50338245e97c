"""A cell is the one worker of an isolated process, and its way to the broker: the connection that its will speaks for.

What is the host's alone (the latch, the host's own topics, STOP from the broker) stays there; its orders come by a pipe.
"""

from halloween_host.cell._run import run_isolated

__all__ = ["run_isolated"]
