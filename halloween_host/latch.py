"""A latch holds a panic over the end of the process: while ``panic.json`` stands there, no worker starts."""

from __future__ import annotations

import errno
import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Final

import attrs

from halloween_host import topics

__all__ = ["LATCH_FILE", "Latch", "PanicRecord"]

LATCH_FILE: Final = "panic.json"
#: Seconds that one thread waits for another's write: a worn-out SD card must not hold the event loop.
WAIT_S: Final = 0.5
#: Characters of a reason that are kept, and bytes of the file that are read.
REASON_CHARS: Final = 200
READ_BYTES: Final = 65_536


def _one_line(text: str) -> str:
    """Text that any log, file and payload takes: one line, no lone surrogates (JSON can spell them)."""
    return " ".join(text.encode(errors="replace").decode().split())[:REASON_CHARS].rstrip()


def _finite(_instance: object, _attribute: object, since: float) -> None:
    if not math.isfinite(since):
        raise ValueError(f"since is {since}")


@attrs.frozen
class PanicRecord:
    """Why the house stands still. `since` is Unix seconds; `by` is mqtt, cli, signal or a prop.

    Raises:
        ValueError: when `since` is no moment (NaN, infinite).
    """

    since: float = attrs.field(converter=float, validator=_finite)
    reason: str = attrs.field(converter=_one_line)
    by: str = attrs.field(converter=_one_line)


class Latch:
    """``panic.json`` in `folder`, which one host has to itself. All calls may come from any thread and none raises.

    `trouble` is why the last `engage` or `release` did not reach the disk, None when it did.
    """

    def __init__(self, folder: Path) -> None:
        self.trouble: str | None = None
        self._path = folder / LATCH_FILE
        self._new = folder / f"{LATCH_FILE}.new"
        self._disk = threading.Lock()  # held while files are touched
        self._record: PanicRecord | None = None
        self._durable = False

    @property
    def engaged(self) -> bool:
        """Whether a panic stands: `engage` was called, or `read` found one, and no `release` since. Touches no disk."""
        return self._record is not None

    def engage(self, record: PanicRecord) -> bool:
        """Latch, at once in memory; True when it also stands on the disk. The first record stays until `release`."""
        self._record = self._record or record
        if not self._disk.acquire(timeout=WAIT_S):
            self.trouble = f"{self._path} is being written for over {WAIT_S:g} s: the disk does not answer"
            return False
        try:
            # A release may have come between; and somebody may have deleted the file by hand.
            standing = self._record = self._record or record
            if not (self._durable and self._path.exists()):
                self._durable = self._write(standing)
            return self._durable
        finally:
            self._disk.release()

    def release(self) -> bool:
        """Unlatch; False when the file is still there, so that the next start of the host would be latched."""
        if not self._disk.acquire(timeout=WAIT_S):
            self._record = None
            self.trouble = f"{self._path} cannot be deleted while it is being written: the next start would be latched"
            return False
        try:
            self._record, self._durable = None, False
            # Not fsynced: after a power cut the house may be latched once more, which is the safe side.
            for path in (self._new, self._path):
                _delete(path)
        except OSError as error:
            self.trouble = f"{self._path} cannot be deleted ({_cause(error)}): the next start would be latched"
            return False
        else:
            self.trouble = None
            return True
        finally:
            self._disk.release()

    def read(self) -> PanicRecord | None:
        """The panic that stands, in memory or else on the disk; a file that cannot be read counts as one."""
        if (record := self._record) is not None:
            return record
        if not self._disk.acquire(timeout=WAIT_S):
            return self._unreadable("the disk does not answer")
        try:
            if self._record is None and (found := self._load()) is not None:
                self._record, self._durable = found, True
            return self._record
        finally:
            self._disk.release()

    def _load(self) -> PanicRecord | None:
        try:
            with self._path.open("rb") as file:
                content = file.read(READ_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.lexists(self._path):
                return self._unreadable("it is a link to nothing")
            return self._unreadable("the host ended while it wrote it") if os.path.lexists(self._new) else None
        except OSError as error:
            return self._unreadable(_cause(error))
        try:
            values = json.loads(content)
            values["reason"].encode()  # a lone surrogate is none of ours
            return PanicRecord(values["since"], values["reason"], values["by"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self._unreadable("it holds no panic's record" if content else "it is empty")

    def _unreadable(self, why: str) -> PanicRecord:
        try:
            since = self._path.lstat().st_mtime
        except OSError:
            since = time.time()
        return PanicRecord(since, f"the latch {self._path} cannot be read: {why}", topics.HOST)

    def _write(self, record: PanicRecord) -> bool:
        """The whole record or nothing of it, there after a power cut; where that fails, an empty file, which latches too."""
        self.trouble = None
        try:
            self._make_folder()
            _write_synced(self._new, json.dumps(attrs.asdict(record)).encode())
            self._new.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            self.trouble = f"{self._path} cannot be written: {_cause(error)}"
            return self._write_empty()
        return True

    def _write_empty(self) -> bool:
        """On a full disk there often is room for a name."""
        try:
            _write_synced(self._path, b"")
            _sync_folder(self._path.parent)
        except OSError:
            return False
        return True

    def _make_folder(self) -> None:
        folder = self._path.parent
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(0o700, parents=True, exist_ok=True)
        for each in missing:
            _sync_folder(each.parent)


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if (
            error.errno != errno.EINVAL
        ):  # a filesystem that knows no fsync of folders (fsync(2)), as some network shares
            raise
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:  # the folder is a file: nothing was ever latched there
        return


def _cause(error: OSError) -> str:
    return error.strerror or type(error).__name__
