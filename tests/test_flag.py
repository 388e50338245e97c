"""A flag does what `trio.Event` does."""

from __future__ import annotations

import trio
import trio.testing

from halloween_host.flag import Flag


async def test_all_who_wait_go_on() -> None:
    """Each of several waiters returns once it is set; who comes later returns at once."""
    flag = Flag()
    gone: list[int] = []

    async def wait(number: int) -> None:
        await flag.wait()
        gone.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(wait, number)
        await trio.testing.wait_all_tasks_blocked()
        assert (gone, flag.is_set()) == ([], False)
        flag.set()
        flag.set()
    assert (sorted(gone), flag.is_set()) == ([0, 1, 2], True)
    with trio.testing.assert_checkpoints():
        await flag.wait()


async def test_a_waiter_that_is_cancelled_is_forgotten() -> None:
    """Its cancellation ends its wait alone; one that was let go at that very moment goes on."""
    flag = Flag()
    ended: list[str] = []

    async def wait(scope: trio.CancelScope, name: str) -> None:
        with scope:
            await flag.wait()
            ended.append(name)

    scopes = [trio.CancelScope() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for scope, name in zip(scopes, ("early", "late", "never"), strict=True):
            nursery.start_soon(wait, scope, name)
        await trio.testing.wait_all_tasks_blocked()
        scopes[0].cancel()
        await trio.testing.wait_all_tasks_blocked()
        flag.set()
        scopes[1].cancel()
    assert sorted(ended) == ["late", "never"]
    assert [scope.cancelled_caught for scope in scopes] == [True, False, False]
