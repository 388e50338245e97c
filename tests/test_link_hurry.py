"""A link that is told that the broker is there again tries at once, unless somebody fights it for its client id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio
from trio.testing import MockClock

from halloween_host.mqtt import AnyClient, MqttError, ProtocolVersion, Will
from tests.test_link import Rehearsed, tries


async def test_a_link_in_a_hurry_tries_again_at_once(autojump_clock: MockClock) -> None:
    """Whoever knows that the broker is there again ends the back-off, once: the next failure waits as ever."""
    away = MqttError("connection refused"), None
    link = Rehearsed(*[away] * 8, failed=lambda error: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await trio.sleep(10)  # tries at 0, 0.5, 1.5, 3.5, 7.5; the next would be at 15.5
        assert len(link.tries) == 5
        link.hurry()
        await trio.sleep(8)
        assert [time for time, _ in link.tries[5:]] == [link.tries[0][0] + 10]
        nursery.cancel_scope.cancel()


async def test_a_hurry_counts_for_a_try_that_is_on_its_way(autojump_clock: MockClock) -> None:
    """It may have begun before the broker was there: when it fails, the next one does not wait."""

    class Slow(Rehearsed):
        def dial(
            self, client_id: str, protocol: ProtocolVersion, will: Will | None
        ) -> AbstractAsyncContextManager[AnyClient]:
            @asynccontextmanager
            async def connection() -> AsyncIterator[AnyClient]:
                self.tries.append((trio.current_time(), protocol))
                await trio.sleep(2)
                raise MqttError("no route to host")
                yield

            return connection()

    link = Slow()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await trio.sleep(6)  # tries from 0 to 2, 2.5 to 4.5; the third is on its way since 5.5
        link.hurry()
        await trio.sleep(2)
        times = [round(time - link.tries[0][0], 3) for time, _ in link.tries]
        assert times == [0, 2.5, 5.5, 7.5]
        nursery.cancel_scope.cancel()


async def test_a_contested_link_never_hurries(autojump_clock: MockClock) -> None:
    """Two hosts that call each other back would fight at full speed."""
    link = Rehearsed(*[(MqttError("the broker closed the connection"), 0.1)] * 12)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await trio.sleep(1.5)
        assert len(link.tries) == 3
        for _ in range(10):
            link.hurry()
            await trio.sleep(0.1)
        assert len(link.tries) == 3
        nursery.cancel_scope.cancel()


async def test_a_hurry_while_connected_spares_a_contested_link_no_wait(autojump_clock: MockClock) -> None:
    """The host's own link hears of every connection that it made itself."""

    class Host(Rehearsed):
        async def serve(self, client: AnyClient) -> None:
            self.hurry()
            await super().serve(client)

    link = Host(*[(MqttError("the broker closed the connection"), 0.1)] * 4)
    waits = await tries(link)
    assert waits[:2] == [0.5, 0.5]  # 0.1 s of connection, and a moment of giving way
    assert waits[2] > 10
