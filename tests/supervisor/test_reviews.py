"""Reviews are called when they are due, in the order in which they were asked for, but for those that were withdrawn."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from halloween_host.supervisor import Reviews


@given(asked=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_only_what_was_not_withdrawn_is_called(asked: list[tuple[int, bool]]) -> None:
    called: list[int] = []

    async def main() -> None:
        reviews = Reviews()
        made = [reviews.ask(at, partial(called.append, number)) for number, (at, _) in enumerate(asked)]
        for review, (_, withdrawn) in zip(made, asked, strict=True):
            if withdrawn:
                reviews.withdraw(review)
                reviews.withdraw(review)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reviews.run)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
        for review in made:
            reviews.withdraw(review)  # it is over: nothing happens
        assert reviews._due == []
        assert reviews._withdrawn == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))
    kept = [(at, number) for number, (at, withdrawn) in enumerate(asked) if not withdrawn]
    assert called == [number for _, number in sorted(kept)]


@pytest.mark.parametrize("workers", [1, 100])
def test_who_starts_in_time_leaves_nothing_behind(workers: int) -> None:
    """Else a thousand would wait in memory for half a minute."""

    async def main() -> int:
        reviews = Reviews()
        for review in [reviews.ask(30, lambda: None) for _ in range(workers)]:
            reviews.withdraw(review)
        return len(reviews._due)

    assert trio.run(main) == 0
