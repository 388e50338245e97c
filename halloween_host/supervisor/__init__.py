"""A supervisor keeps one worker alive."""

from halloween_host.supervisor._reviews import Reviews
from halloween_host.supervisor._safety import Safety
from halloween_host.supervisor._standing import Phase, Standing
from halloween_host.supervisor._supervisor import Supervisor
from halloween_host.supervisor._terms import Subscriptions, Surroundings

__all__ = ["Phase", "Reviews", "Safety", "Standing", "Subscriptions", "Supervisor", "Surroundings"]
