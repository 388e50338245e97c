"""A panic outlives the process that it stopped, and what cannot be read counts as one."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host import latch as latch_module
from halloween_host.latch import LATCH_FILE, Latch, PanicRecord

RECORD = PanicRecord(1793469600.25, "kid on the coffin", "mqtt")


@given(st.floats(0, 1e11), st.text(), st.text())
def test_a_record_survives_the_process(
    tmp_path_factory: pytest.TempPathFactory, since: float, reason: str, by: str
) -> None:
    """Whatever its texts hold, another latch on the same folder reads what the first one wrote."""
    folder = tmp_path_factory.mktemp("state")
    record = PanicRecord(since, reason, by)
    first = Latch(folder)
    assert first.engage(record)
    assert first.trouble is None
    assert Latch(folder).read() == record


def test_a_record_is_one_line_that_json_can_carry() -> None:
    """Lone surrogates and line ends are replaced, a long reason is cut: log, file and payload take the same text."""
    record = PanicRecord(0, "a\ud800b\n  c" + "!" * 500, "m\nqtt")
    assert record.reason.startswith("a?b c!!")
    assert len(record.reason) == 200
    assert record.by == "m qtt"
    assert record == PanicRecord(record.since, record.reason, record.by)


def test_engage_writes_for_the_owner_alone_and_makes_the_folder(tmp_path: Path) -> None:
    """The folder is made with its parents; the file's mode is 0600, and nothing else is left beside it."""
    folder = tmp_path / "var" / "state"
    latch = Latch(folder)
    assert latch.read() is None
    assert not latch.engaged
    assert latch.engage(RECORD)
    assert latch.engaged
    assert [each.name for each in folder.iterdir()] == [LATCH_FILE]
    assert stat.S_IMODE((folder / LATCH_FILE).stat().st_mode) == 0o600
    assert json.loads((folder / LATCH_FILE).read_bytes()) == {
        "since": RECORD.since,
        "reason": RECORD.reason,
        "by": "mqtt",
    }


def test_every_step_to_the_disk_is_synced_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before it gets its name, then the folder; a folder that was made, in its parent first."""
    synced: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        synced.append(f"→ {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    assert Latch(tmp_path / "state").engage(RECORD)
    assert synced == [tmp_path.name, "panic.json.new", "→ panic.json", "state"]


def test_the_first_record_stays(tmp_path: Path) -> None:
    """A second panic while one stands changes neither the memory nor the disk, and is as durable."""
    latch = Latch(tmp_path)
    latch.engage(RECORD)
    assert latch.engage(PanicRecord(2e9, "another", "cli"))
    assert latch.read() == RECORD
    assert Latch(tmp_path).read() == RECORD


def test_a_file_deleted_by_hand_is_written_again(tmp_path: Path) -> None:
    """`engage` says True only of a file that is there."""
    latch = Latch(tmp_path)
    latch.engage(RECORD)
    (tmp_path / LATCH_FILE).unlink()
    assert latch.engage(PanicRecord(2e9, "another", "cli"))
    assert Latch(tmp_path).read() == RECORD


def test_release_unlatches_for_good(tmp_path: Path) -> None:
    """Memory, file and a half-written one; releasing what is not latched, or has no folder, is no trouble."""
    latch = Latch(tmp_path)
    latch.engage(RECORD)
    (tmp_path / "panic.json.new").touch()
    assert latch.release()
    assert not latch.engaged
    assert latch.read() is None
    assert not list(tmp_path.iterdir())
    assert latch.release()
    assert Latch(tmp_path / "absent").release()
    assert latch.engage(PanicRecord(3e9, "anew", "signal"))
    assert Latch(tmp_path).read() == PanicRecord(3e9, "anew", "signal")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"since": NaN, "reason": "x", "by": "cli"}',
        b'{"since": "soon", "reason": "x", "by": "cli"}',
        b'{"since": 1, "reason": null, "by": "cli"}',
        b'{"since": 1, "reason": "\\ud800", "by": "cli"}',
        b'{"since": 1, "reason": "x", "by": 5}',
    ],
)
def test_a_broken_file_means_latched(tmp_path: Path, content: bytes) -> None:
    """Each reads as a record of the host's own that names the file."""
    (tmp_path / LATCH_FILE).write_bytes(content)
    record = Latch(tmp_path).read()
    assert record is not None
    assert record.reason.startswith("the latch ")
    assert "cannot be read: it" in record.reason
    assert record.by == "worker_host"
    assert record.since == pytest.approx((tmp_path / LATCH_FILE).stat().st_mtime)


def test_what_cannot_be_opened_means_latched(tmp_path: Path) -> None:
    """A folder in its place, a link to nothing, a file that was being written when the host ended."""
    as_folder, as_link, half = tmp_path / "folder", tmp_path / "link", tmp_path / "half"
    (as_folder / LATCH_FILE).mkdir(parents=True)
    as_link.mkdir()
    (as_link / LATCH_FILE).symlink_to(tmp_path / "nowhere")
    half.mkdir()
    (half / "panic.json.new").write_bytes(b'{"since"')
    for folder, why in ((as_folder, "Is a directory"), (as_link, "a link to nothing"), (half, "ended while it wrote")):
        latch = Latch(folder)
        record = latch.read()
        assert record is not None
        assert why in record.reason
        assert latch.engaged


def test_a_folder_that_cannot_be_written_is_trouble_and_no_error(tmp_path: Path) -> None:
    """Latched in memory all the same, so that nothing runs before a restart; nothing was ever latched on that disk."""
    (tmp_path / "state").write_text("a file")
    latch = Latch(tmp_path / "state")
    assert latch.read() is None
    assert latch.engage(RECORD) is False
    assert latch.trouble is not None
    assert "panic.json cannot be written: " in latch.trouble
    assert latch.read() == RECORD
    assert latch.engaged
    assert latch.release()
    assert latch.trouble is None


def test_a_file_that_cannot_be_deleted_is_said(tmp_path: Path) -> None:
    """Unlatched in memory; the text says what the next start will do."""
    (tmp_path / LATCH_FILE).mkdir()
    latch = Latch(tmp_path)
    assert latch.read() is not None
    assert latch.release() is False
    assert latch.trouble is not None
    assert "cannot be deleted" in latch.trouble
    assert not latch.engaged


def test_a_full_disk_still_latches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no byte can be written there may be room for a name: an empty file latches, though its reason is lost."""

    def full(_descriptor: int, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    latch = Latch(tmp_path)
    assert latch.engage(RECORD)
    assert latch.trouble is not None
    assert "No space left on device" in latch.trouble
    assert latch.read() == RECORD
    after = Latch(tmp_path).read()
    assert after is not None
    assert "it is empty" in after.reason


def test_a_disk_that_hangs_holds_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread's fsync hangs, others are latched at once in memory and get their answer in half a second."""
    monkeypatch.setattr(latch_module, "WAIT_S", 0.05)
    hangs, goes_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        hangs.set()
        assert goes_on.wait(10)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    latch = Latch(tmp_path)
    writer = threading.Thread(target=latch.engage, args=(RECORD,))
    writer.start()
    assert hangs.wait(10)
    try:
        assert latch.engaged
        assert latch.read() == RECORD
        assert latch.engage(PanicRecord(2e9, "another", "cli")) is False
        assert latch.trouble is not None
        assert "does not answer" in latch.trouble
    finally:
        goes_on.set()
        writer.join(10)
    assert latch.engage(RECORD)
    assert Latch(tmp_path).read() == RECORD


KILLED = """
import os, signal, sys
from pathlib import Path
from halloween_host.latch import Latch, PanicRecord
calls = 0
def count(frame, event, arg):
    global calls
    if event == "c_call" and arg.__name__ in {"open", "write", "fsync", "replace", "rename", "mkdir", "close"}:
        calls += 1
        if calls > int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
latch = Latch(Path(sys.argv[1]) / "state")
sys.setprofile(count)
latch.engage(PanicRecord(1.0, "why", "cli"))
sys.setprofile(None)
"""


def test_killed_at_any_step_it_is_latched_or_not_and_never_half(tmp_path: Path) -> None:
    """SIGKILL before each call to the kernel: nothing yet, then latched for a reason that says so, then the record."""
    stages: list[str] = []
    for step in range(100):
        folder = tmp_path / str(step)
        folder.mkdir()
        status = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(step)], check=False).returncode
        record = Latch(folder / "state").read()
        stages.append("none" if record is None else "unreadable" if record.by == "worker_host" else record.reason)
        if status != -signal.SIGKILL:
            break
    assert status == 0
    assert [stage for stage, before in zip(stages, ["", *stages], strict=False) if stage != before] == [
        "none",
        "unreadable",
        "why",
    ]
