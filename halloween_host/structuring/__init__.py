"""The one strict converter: a JSON value becomes what its type hint says, or an error tells what was expected and got.

Plain cattrs is no validation: to it ``bool("false")`` is True, ``int(2.9)`` is 2 and ``int(True)`` is 1. Here cattrs fills
attrs classes, and every value in them passes our own rules, for handlers' arguments and for typed config alike.
"""

from halloween_host.structuring._argument import structure_argument
from halloween_host.structuring._hints import check_hint, describe
from halloween_host.structuring._misfit import WrongKey, step_of
from halloween_host.structuring._rules import forget_classes, structure, structure_all

__all__ = [
    "WrongKey",
    "check_hint",
    "describe",
    "forget_classes",
    "step_of",
    "structure",
    "structure_all",
    "structure_argument",
]
