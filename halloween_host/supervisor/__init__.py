"""A supervisor keeps one worker alive."""

from halloween_host.supervisor._supervisor import Supervisor
from halloween_host.supervisor._terms import Limits, Subscriptions

__all__ = ["Limits", "Subscriptions", "Supervisor"]
