"""Actions that ask for nothing share a lane; what one of them ever asked for stays its own."""

from __future__ import annotations

from typing import cast

from halloween_host.supervisor._lanes import Lane, Starter, lanes
from halloween_host.worker import Action

NOBODY = cast(Starter, None)
PLAIN = Action("blink", is_async=True, takes_argument=True)
COOL = Action("fire", is_async=True, takes_argument=True, cooldown_s=30.0)
PATIENT = Action("open", is_async=True, takes_argument=True, timeout_s=5.0)


def made(*actions: Action, before: dict[str, Lane] | None = None) -> tuple[dict[str, Lane], Lane]:
    return lanes(NOBODY, {each.name: each for each in actions}, before or {}, lambda: None)


def test_plain_actions_share_one_lane() -> None:
    """The same for every worker; a mode, a cool-down or a timeout wants a lane to itself."""
    stop = Action("stop", is_async=True, takes_argument=False)
    by_name, other = made(PLAIN, stop, COOL, PATIENT)
    assert by_name.keys() == {"fire", "open"}
    assert len({id(lane) for lane in (*by_name.values(), other)}) == 3
    assert made(PLAIN)[1] is other


def test_what_takes_all_commands_has_them_all() -> None:
    by_name, other = made(Action("command", is_async=True, takes_argument=True, timeout_s=5.0), PLAIN)
    assert other is by_name["command"]
    assert by_name["blink"] is not other


def test_a_cool_down_goes_on_over_a_version_that_has_none() -> None:
    """Reloaded without it and with it again, an action is as cool as before, and no other one is."""
    first, _ = made(COOL, PLAIN)
    first["fire"]._accepted_at = 100.0
    second, _ = made(Action("fire", is_async=True, takes_argument=True), PLAIN, before=first)
    assert second.keys() == {"fire"}
    third, _ = made(COOL, Action("blink", is_async=True, takes_argument=True, cooldown_s=30.0), before=second)
    assert (third["fire"]._accepted_at, third["blink"]._accepted_at) == (100.0, float("-inf"))
