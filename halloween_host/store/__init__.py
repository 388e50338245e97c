"""The store keeps what a worker assigns over crashes, restarts and power cuts: in memory at once, in SQLite a moment later."""

from halloween_host.store._cooldowns import Cooldowns
from halloween_host.store._journal import Journal, Listener
from halloween_host.store._moments import Moment, remaining_s
from halloween_host.store._store import Store
from halloween_host.store._stores import DATABASE, Stores

__all__ = ["DATABASE", "Cooldowns", "Journal", "Listener", "Moment", "Store", "Stores", "remaining_s"]
