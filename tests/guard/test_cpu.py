"""What Linux tells of a thread and the CPU; where it tells nothing, nothing is taken off any block."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from halloween_host.guard import _cpu
from halloween_host.guard._cpu import CpuAccount, Spent
from tests.guard.hogs import linux_counts

NEVER = 2**22 + 1  # no thread of Linux has this id


@pytest.mark.skipif(not linux_counts(), reason="only Linux tells how long a thread waited for a CPU")
def test_a_thread_that_runs() -> None:
    """It is runnable as it asks, and what it burns is counted, a tick later at most; one that waits for an event is not."""
    ours, goes_on = CpuAccount(threading.get_native_id()), threading.Event()
    before = ours.spent()
    assert ours.runnable()
    assert before.turns > 0
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    after = ours.spent()
    assert after.ran_s - before.ran_s > 0.02
    assert after.waited_s >= before.waited_s
    waiter = threading.Thread(target=goes_on.wait)
    waiter.start()
    theirs = CpuAccount(waiter.native_id or 0)
    deadline = time.monotonic() + 20
    while theirs.runnable() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not theirs.runnable()
    goes_on.set()
    waiter.join()
    for account in (ours, theirs):
        account.close()


@pytest.mark.parametrize("figures", [None, "0 0 0\n"])
def test_where_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: str | None) -> None:
    """No /proc, or a kernel that was built without the count."""
    monkeypatch.setattr(_cpu, "_TASK", str(tmp_path))
    if figures is not None:
        (tmp_path / str(NEVER)).mkdir()
        (tmp_path / str(NEVER) / "schedstat").write_text(figures)
        (tmp_path / str(NEVER) / "stat").write_text(f"{NEVER} (a name) R 1 1")
    account = CpuAccount(NEVER)
    assert account.spent() == Spent()
    assert not account.runnable()
    assert not account.known
    account.close()
