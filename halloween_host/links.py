"""The workers' own connections: each is opened once the host's own is there, whenever it is added."""

from __future__ import annotations

import trio

from halloween_host.link import Link

__all__ = ["Links"]


class Links:
    """Kept open by `run`; all calls come from Trio's thread."""

    def __init__(self) -> None:
        self._links: list[Link] = []
        self._nursery: trio.Nursery | None = None

    def add(self, link: Link) -> None:
        self._links.append(link)
        if self._nursery is not None:
            self._nursery.start_soon(link.run)

    def hurry(self) -> None:
        """The broker is there: whoever waits for the next try need not."""
        for link in self._links:
            link.hurry()

    def fall_silent(self) -> None:
        """See `Link.fall_silent`."""
        for link in self._links:
            link.fall_silent()

    async def run(self) -> None:
        """Keep all of them open until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for link in self._links:
                    nursery.start_soon(link.run)
                await trio.sleep_forever()
            finally:
                self._nursery = None
