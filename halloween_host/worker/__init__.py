"""The worker floor: what a worker is, in both dialects; it knows no socket and posts to its outlet."""

from halloween_host.worker._actions import Action, Call, bind, is_async, read_actions
from halloween_host.worker._berth import Berth, Spawner
from halloween_host.worker._common import CommonWorker, check_qos
from halloween_host.worker._home import THREADS, Arrival, Blueprint, Home, HomeFactory, Reports
from halloween_host.worker._native import BaseWorker
from halloween_host.worker._reports import describe, place_of, shown_path, shown_place, split_cancelled

__all__ = [
    "THREADS",
    "Action",
    "Arrival",
    "BaseWorker",
    "Berth",
    "Blueprint",
    "Call",
    "CommonWorker",
    "Home",
    "HomeFactory",
    "Reports",
    "Spawner",
    "bind",
    "check_qos",
    "describe",
    "is_async",
    "place_of",
    "read_actions",
    "shown_path",
    "shown_place",
    "split_cancelled",
]
