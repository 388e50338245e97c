"""`panic`: STOP."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from halloween_host.cli._options import BrokerOption, TimeoutOption

__all__ = ["panic_"]


async def panic_(
    *reason: Annotated[str, Parameter(help="Why: several words are joined.")],
    timeout: TimeoutOption = 10.0,
    broker: BrokerOption = None,
) -> int:
    """STOP every prop at once, and keep it stopped until rearm. Never asks back.

    Every task of every worker is cancelled and each worker's safe() runs; then
    the host tells who is safe. When the broker cannot be reached in 2 s, or the
    host does not answer there, the host of this machine gets SIGUSR1 (its pid
    stands in STATE_DIR/host.pid): who is safe then stands in its log. This is a
    show stop, not a certified emergency stop.

    Exit status: 0 stopped, and every safe() is well; 1 stopped, but some prop
    is not safe, or nothing to stop was found; 2 wrong use; 3 refused; 4 no
    report in time, or none possible because SIGUSR1 had to do.
    """
    from halloween_host.cli._stop_all import stop_all

    return await stop_all(*reason, timeout=timeout, broker=broker)
