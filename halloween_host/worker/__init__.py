"""The worker floor: what a worker is, in both dialects; it knows no socket and posts to its outlet."""

from halloween_host.worker._actions import Action, Call, bind, is_async, read_actions
from halloween_host.worker._asking import answer_of, no_answer
from halloween_host.worker._berth import Berth, Hooks, Question, Spawner
from halloween_host.worker._common import CommonWorker, check_qos
from halloween_host.worker._home import THREADS, TURN, Arrival, Blueprint, Delivery, Home, HomeFactory, Reports
from halloween_host.worker._modes import Mode, action
from halloween_host.worker._native import BaseWorker
from halloween_host.worker._reports import describe, place_in_thread, place_of, shown_path, shown_place, split_cancelled
from halloween_host.worker._runs import Ended, Ending, Run
from halloween_host.worker._safe import has_safe

__all__ = [
    "THREADS",
    "TURN",
    "Action",
    "Arrival",
    "BaseWorker",
    "Berth",
    "Blueprint",
    "Call",
    "CommonWorker",
    "Delivery",
    "Ended",
    "Ending",
    "Home",
    "HomeFactory",
    "Hooks",
    "Mode",
    "Question",
    "Reports",
    "Run",
    "Spawner",
    "action",
    "answer_of",
    "bind",
    "check_qos",
    "describe",
    "has_safe",
    "is_async",
    "no_answer",
    "place_in_thread",
    "place_of",
    "read_actions",
    "shown_path",
    "shown_place",
    "split_cancelled",
]
