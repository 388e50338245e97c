"""A quick, telling part of CPython's own asyncio tests passes on the guest loop; `just asyncio-suite` runs them all."""

from __future__ import annotations

import pytest

from tests.legacy.cpython_suite import missing, run_module

MODULES = (
    "test_context",
    "test_locks",
    "test_queues",
    "test_streams",
    "test_taskgroups",
    "test_timeouts",
    "test_transports",
)


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", MODULES)
def test_cpythons_own_asyncio_tests_pass_on_the_guest_loop(module: str) -> None:
    """Every test of the module passes but those that the harness names, each with its reason."""
    outcome = run_module(module)
    assert outcome.run > 0, outcome.broken
    assert not outcome.unexpected, str(outcome)
