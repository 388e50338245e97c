"""A worker of a process of its own: the host's side of it, and the pipes between the two."""

from halloween_host.isolation._brief import Brief, read_brief
from halloween_host.isolation._isolated import Isolated
from halloween_host.isolation._launcher import Launcher
from halloween_host.isolation._wire import Order, Wire

__all__ = ["Brief", "Isolated", "Launcher", "Order", "Wire", "read_brief"]
