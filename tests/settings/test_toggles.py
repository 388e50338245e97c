"""Toggles: which workers may load, and by whose word one may not."""

from __future__ import annotations

import pytest

from halloween_host.settings import Toggles


@pytest.mark.parametrize(
    ("toggles", "reasons"),
    [
        (Toggles("PROPS"), [None, None]),
        (Toggles("PROPS", disable_all=True, allow=("fogger",)), ["WORKER_DISABLE_ALL_PROPS is set"] * 2),
        (Toggles("PROPS", allow=("fogger",)), [None, "not in WORKER_PROPS_ALLOW=fogger"]),
        (Toggles("PROPS", disable=("fogger",)), ["in WORKER_PROPS_DISABLE", None]),
        (Toggles("PROPS", allow=("fogger",), disable=("fogger",)), [None, "not in WORKER_PROPS_ALLOW=fogger"]),
        (Toggles("BUILTINS", allow=("x", "y")), ["not in WORKER_BUILTINS_ALLOW=x,y"] * 2),
    ],
)
def test_toggles(toggles: Toggles, reasons: list[str | None]) -> None:
    """DISABLE_ALL beats ALLOW; when ALLOW is set, DISABLE counts no more; the reason names the variable."""
    assert [toggles.permits(name) for name in ("fogger", "coffin")] == reasons


def test_listed_names_that_match_nothing() -> None:
    """Each is a warning, with the name that was perhaps meant."""
    toggles = Toggles("PROPS", allow=("foger", "coffin"), disable=("zzz",))
    assert toggles.unmatched(["fogger", "coffin"]) == [
        "WORKER_PROPS_ALLOW names 'foger': there is no such prop; did you mean 'fogger'?",
        "WORKER_PROPS_DISABLE names 'zzz': there is no such prop",
    ]
    assert Toggles("BUILTINS", disable=("hartbeat",)).unmatched(["heartbeat"]) == [
        "WORKER_BUILTINS_DISABLE names 'hartbeat': there is no such built-in; did you mean 'heartbeat'?"
    ]
    assert Toggles("PROPS").unmatched([]) == []
