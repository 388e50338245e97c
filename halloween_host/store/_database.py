"""The database file: SQLite in WAL mode, each batch on the disk when `write` returns; what SQLite says is mapped to two errors.

Lazily imported: a night without a store needs no sqlite3.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from halloween_host.store._room import ROOMY_BYTES, batch_pages, free_bytes
from halloween_host.store._shelf import Place

__all__ = ["Corrupt", "Database", "Row", "Trouble", "read_file", "set_aside"]

#: A row of the file: space, prop, key and text, whatever stands there.
Row = tuple[Any, Any, Any, Any]

#: Seconds that another program may hold the file before that is a trouble.
BUSY_S: Final = 1.0
#: What `PRAGMA user_version` says of our tables; 0 is a new file.
VERSION: Final = 1
#: What stands before each page in the -wal (sqlite.org/fileformat2.html, section 4.1).
_FRAME_BYTES: Final = 24

_TABLE: Final = """CREATE TABLE IF NOT EXISTS state (
    space TEXT NOT NULL, prop TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, prop, key)
) WITHOUT ROWID"""
_READ: Final = "SELECT space, prop, key, value FROM state"
_PUT: Final = "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)"
_DELETE: Final = "DELETE FROM state WHERE space = ? AND prop = ? AND key = ?"

_NO_ROOM: Final = "the disk is full: make room"
_READ_ONLY: Final = "it is read-only: let the host's user write it and its folder"
_BY_CODE: Final = {
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_ROOM,  # so it says that for the -shm
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: let the host's user write it and its folder",
    sqlite3.SQLITE_BUSY: "another program holds it: end that one",
}
_BY_ERRNO: Final = {errno.ENOSPC: _NO_ROOM, errno.EDQUOT: _NO_ROOM, errno.EROFS: _READ_ONLY, errno.EACCES: _READ_ONLY}


class Trouble(Exception):
    """The file cannot be used now; its text is why, and what helps. It may be well at the next try."""


class Corrupt(Exception):
    """What stands in the file is no database of ours any more, and no try will change that."""


@contextmanager
def _mapped() -> Iterator[None]:
    """Every error of SQLite and of the disk is one of the two."""
    try:
        yield
    except sqlite3.Error as error:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF  # the rest is an extension (sqlite.org/rescode.html)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Corrupt(str(error)) from error
        raise Trouble(_BY_CODE.get(extended) or _BY_CODE.get(code, str(error))) from error
    except OSError as error:
        raise Trouble(_BY_ERRNO.get(error.errno or 0, error.strerror or type(error).__name__)) from error


class Database:
    """One connection. All calls come from one thread, and wait for the disk.

    Raises:
        Trouble, Corrupt: by every call but `close`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        with _alone_with(file):
            with _mapped():
                #: Whether the file holds nothing yet.
                self.fresh = _make(file)
                found = file.stat()
                self._identity = found.st_dev, found.st_ino
                self._connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
            try:
                with _mapped():
                    self._prepare()
            except (Trouble, Corrupt):
                self.close()
                raise

    @property
    def in_place(self) -> bool:
        """Whether the file still stands where it was opened: SQLite would write on into one that was deleted."""
        try:
            found = self._file.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def read(self) -> list[Row]:
        """Every row, so that each page of the table was looked at."""
        with _mapped():
            return self._connection.execute(_READ).fetchall()

    def write(self, changes: Mapping[Place, str | None]) -> None:
        """All of it in one transaction, synced; None deletes.

        On a disk with little room nothing is begun that could not be ended: a -wal that filled it could not go into the database,
        and nothing would get it out of the way again, however little is stored.
        """
        put = [(*place, text) for place, text in changes.items() if text is not None]
        delete = [place for place, text in changes.items() if text is None]
        pages = batch_pages(changes)
        with _mapped():
            free = free_bytes(self._file.parent)
            cramped = free < ROOMY_BYTES + 2 * pages * self._page_bytes
            if cramped:
                free = self._empty_wal()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_PUT, put)
                self._connection.executemany(_DELETE, delete)
                if cramped and free < self._needed_bytes(pages):
                    raise Trouble(_NO_ROOM)
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """The last connection takes the -wal file into the database, if it can."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _empty_wal(self) -> float:
        """Take the -wal into the database and give its room back; what is free then, in bytes.

        Raises:
            sqlite3.Error: when the database has no room to grow.
        """
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return free_bytes(self._file.parent)

    def _needed_bytes(self, pages: int) -> int:
        """Of the transaction that is open and changed so many `pages` at most: in the -wal, and then in the database."""
        in_all = self._one("PRAGMA page_count")
        grows = max(0, in_all * self._page_bytes - self._file.stat().st_size)
        return min(pages, in_all) * (self._page_bytes + _FRAME_BYTES) + grows

    def _one(self, query: str) -> int:
        (number,) = self._connection.execute(query).fetchone()
        return int(number)

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")  # a file system without shared memory (a network's) keeps the mode it has
        # NORMAL would sync at checkpoints only: a power cut at the end of the night could take hours of it.
        run("PRAGMA synchronous = FULL")
        version = self._one("PRAGMA user_version")
        if version not in (0, VERSION):
            raise Trouble(f"it is of a newer halloween-host (version {version}): update this one")
        if version == 0:
            run(_TABLE)
            run(f"PRAGMA user_version = {VERSION}")
        self._page_bytes = self._one("PRAGMA page_size")


def read_file(file: Path) -> list[Row]:
    """Every row of a file that may stand on a full or a read-only disk; none when there is no file.

    Raises:
        Trouble, Corrupt: when it cannot be read.
    """
    if not file.exists():
        return []
    try:
        with closing(Database(file)) as database:
            return database.read()
    except Trouble as trouble:
        try:
            with _mapped():
                return _read_unwritten(file)
        except Trouble:
            raise trouble from None


def _read_unwritten(file: Path) -> list[Row]:
    """SQLite wants to write beside a file in WAL mode, even to read it; there is a way around that when nothing is in the -wal."""
    wal = file.with_name(f"{file.name}-wal")
    if not wal.exists() or wal.stat().st_size == 0:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True)) as connection:
            return connection.execute(_READ).fetchall()
    with tempfile.TemporaryDirectory(prefix="halloween-host-") as folder:
        for each in (file, wal):
            shutil.copyfile(each, Path(folder) / each.name)
        with closing(sqlite3.connect(Path(folder) / file.name)) as connection:
            return connection.execute(_READ).fetchall()


def set_aside(file: Path) -> Path | None:
    """Rename a corrupt file and what SQLite has beside it; its new path, None when another process of the host was faster.

    Raises:
        Trouble: when it cannot be renamed.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = file.with_name(f"{file.name}.corrupt-{moment}")
    with _alone_with(file), _mapped():
        if not _is_corrupt(file):
            return None
        # The database last: a fresh one must never meet the old one's -wal.
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                file.with_name(f"{file.name}{suffix}").rename(f"{aside}{suffix}")
    return aside


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """One process at a time makes the file, or sets it aside: an isolated worker has a process of its own.

    The folder is what is locked: closing any descriptor of the file itself would end SQLite's own locks (fcntl(2)).
    """
    try:
        folder = os.open(file.parent, os.O_RDONLY)
    except OSError:  # there is none yet, or it is closed to us
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _is_corrupt(file: Path) -> bool:
    """Whether it still is."""
    if not file.exists():
        return False
    try:
        with _mapped(), closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
            connection.execute(_READ).fetchall()
    except (Corrupt, Trouble):
        return True
    return False


def _make(file: Path) -> bool:
    """Nobody but the host's user may read the file; SQLite gives what it makes beside it the same mode. Whether it is empty."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        found = file.stat()
        if found.st_mode & 0o077:
            with suppress(OSError):  # somebody else's: then he decides who reads it
                file.chmod(0o600)
        return found.st_size == 0
    return True
