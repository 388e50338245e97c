"""A supervisor keeps one worker alive."""

from halloween_host.supervisor._dispatcher import Dispatcher
from halloween_host.supervisor._outfits import Outfit, Trial
from halloween_host.supervisor._refusals import Refusals
from halloween_host.supervisor._reviews import Reviews
from halloween_host.supervisor._safety import Safety
from halloween_host.supervisor._standing import Phase, Standing
from halloween_host.supervisor._steering import panic_text
from halloween_host.supervisor._supervisor import Supervisor
from halloween_host.supervisor._terms import Subscriptions, Surroundings
from halloween_host.supervisor._turns import Turns

__all__ = [
    "Dispatcher",
    "Outfit",
    "Phase",
    "Refusals",
    "Reviews",
    "Safety",
    "Standing",
    "Subscriptions",
    "Supervisor",
    "Surroundings",
    "Trial",
    "Turns",
    "panic_text",
]
