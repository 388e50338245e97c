"""What a measurement may use: a broker of its own, C programs, child processes, and how much to send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import trio

from benchmarks.harness._child import Child, running
from benchmarks.harness._compiler import compiled
from tests.mosquitto import Mosquitto

ROOT: Final = Path(__file__).parents[2]
#: The broker drops nothing: what a variant cannot follow waits there. All else is as mosquitto ships it.
LIMITS: Final = ("max_queued_messages 0", "max_queued_bytes 0")


@attrs.frozen
class Bench:
    """Handed to each `Row.measure`.

    `python` is the interpreter that runs every Python variant: it has the peers and this project. `profiler` runs such a
    program under a profiler: what it is given becomes the end of its command.
    """

    python: Path
    build: Path
    quick: bool = False
    profiler: tuple[str, ...] = ()

    def count(self, full: int, weight: float = 1.0, *, quick: float = 1 / 5) -> int:
        """How many messages by the variant's weight: `full`, that part with `--quick`, five times as many under a profiler."""
        return max(100, round(full * weight * (quick if self.quick else 1) * (5 if self.profiler else 1)))

    def c(self, name: str) -> Path:
        """The program of `benchmarks/c/NAME.c`, compiled when it is missing or older than its source."""
        return compiled(name, into=self.build)

    def child(self, *command: str | Path, env: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Child]:
        """Run a command for the length of the block."""
        return running(command, cwd=ROOT, env=env or {}, name=Path(command[0]).name)

    def module(
        self, name: str, *arguments: str | float, env: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Child]:
        """Run `python -m NAME`, by the interpreter that has the peers, for the length of the block."""
        command: list[str | Path] = [*self.profiler, self.python, "-m", name, *map(str, arguments)]
        return running(command, cwd=ROOT, env=env or {}, name=name, wrapped=bool(self.profiler))

    @asynccontextmanager
    async def mosquitto(self, *config_lines: str) -> AsyncIterator[Mosquitto]:
        """A broker that nobody else uses, on a free port of 127.0.0.1; `config_lines` belong to its listener."""
        with TemporaryDirectory(prefix="halloween-bench-") as folder:
            broker = Mosquitto(folder=Path(folder), config_lines=[*config_lines, *LIMITS])
            await trio.to_thread.run_sync(broker.start)
            try:
                yield broker
            finally:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(broker.stop)
