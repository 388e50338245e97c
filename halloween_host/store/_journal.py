"""The journal takes what changed in memory to the disk: one thread, a batch at a time, and no thread before the first change."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from halloween_host.payloads import read_json
from halloween_host.store._shelf import Place, Shelf

if TYPE_CHECKING:
    from halloween_host.store._database import Database, Row

__all__ = ["Journal", "Listener"]

#: Seconds from the first change of a batch until it is written: half of what is promised; the other half is the disk's.
COLLECT_S: Final = 0.1
#: Seconds that the end of the process waits for the last batch, when the host could not close us.
EXIT_S: Final = 0.2
#: Seconds until the next try after the first failure, and after many.
RETRY_S: Final = 0.5
RETRY_MOST_S: Final = 4.0


class Listener(Protocol):
    """Who says what becomes of the file. Told by any thread; nothing here may wait for Trio."""

    def failed(self, line: str) -> None:
        """It cannot be read or written; said once, until it can."""

    def recovered(self, line: str) -> None:
        """It can be written again, and all is."""

    def warned(self, line: str) -> None:
        """Something is lost or was left out, and all goes on."""

    def degraded(self, prop_ids: Iterable[str], reason: str | None) -> None:
        """What these props store is not on the disk, for this reason; None: it is again."""


class Journal:
    """`file` is None for what is in memory alone. Every call may come from any thread; `load`, `close` and `flush` wait."""

    def __init__(self, file: Path | None, listener: Listener) -> None:
        #: Guards all that follows. Reentrant: what an author's finaliser stores may interrupt what he stores.
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._shown = file
        self._file = None if file is None else file.absolute()  # a worker may change the folder
        self._listener = listener
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._dirty: dict[Place, None] = {}
        self._rewrite = False  # whether all that is in memory is to be written
        self._unread = False
        self._prop_ids: Collection[str] = ()
        self._thread: threading.Thread | None = None
        self._database: Database | None = None  # the thread's alone
        self._process = os.getpid()
        self._pause_s = COLLECT_S
        self._hurried = self._closing = self._writing = False
        self._tries = 0
        self._trouble: str | None = None
        self._degraded: dict[str, None] = {}  # in order: one seed of a rehearsal is one night

    # -- what the stores ask

    def shelf(self, space: str, prop_id: str) -> Shelf:
        """The shelf of a prop, new or as it is."""
        with self.lock:
            shelf = self._shelves.get((space, prop_id))
            if shelf is None:
                shelf = self._shelves[space, prop_id] = Shelf(space, prop_id, self)
            if self._unread:
                self._degrade([prop_id])
            return shelf

    def note(self, space: str, prop_id: str, keys: list[str]) -> None:
        """These changed; the lock is held."""
        if self._file is None:
            return
        idle = not self._dirty
        for key in keys:
            self._dirty[space, prop_id, key] = None
        if self._trouble is not None:
            self._degrade([prop_id])
        if self._thread is None:
            self._start()
        elif idle:
            self._changed.notify_all()

    def take(self, rows: Iterable[Row], prop_ids: Collection[str], *, but: Collection[Place] = ()) -> None:
        """What was read, except for what changed since, and for `but`; rows that are none of ours are left out with a line."""
        strange: dict[str, None] = {}
        with self.lock:
            for space, prop_id, key, text in rows:
                if prop_id not in prop_ids:
                    continue
                if not (isinstance(space, str) and isinstance(key, str) and _is_json(text)):
                    strange[f"{prop_id}: {key!r:.80}"] = None
                elif (space, prop_id, key) not in self._dirty and (space, prop_id, key) not in but:
                    self.shelf(space, prop_id).texts.setdefault(key, text)
        if strange:
            self._listener.warned(f"{self._shown}: no JSON, and left out: {', '.join(strange)}")

    # -- what the host asks

    def load(self, prop_ids: Collection[str]) -> None:
        """Read what these props have, too; when the file cannot be read, that is tried again beside all else."""
        self._prop_ids = frozenset((*self._prop_ids, *prop_ids))
        if self._file is None or not self._file.exists():
            return
        from halloween_host.store._database import Corrupt, Trouble, read_file

        try:
            try:
                rows = read_file(self._file)
            except Corrupt as error:
                self._set_aside(str(error), "what was stored is lost")
                return
            self.take(rows, frozenset(prop_ids))
        except Trouble as trouble:
            with self.lock:
                self._unread = True
                self._changed.notify_all()
            self._tell(str(trouble))
            with self.lock:
                self._start()

    def hurry(self) -> None:
        """Write at once what is dirty."""
        if os.getpid() != self._process:
            return  # the child of a worker's fork has neither our thread nor, perhaps, the lock
        with self.lock:
            self._hurried = bool(self._dirty)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Write what is dirty and wait for it, or for a try that failed; whether all of it is on the disk."""
        if os.getpid() != self._process:
            return False
        with self.lock:
            tries = self._tries + (2 if self._writing else 1)
            self.hurry()
            self._changed.wait_for(lambda: self._settled or self._tries >= tries, timeout_s)
            return self._settled

    def close(self, timeout_s: float) -> bool:
        """As `flush`, and the thread ends; what changes from here on stays in memory."""
        with self.lock:
            self._closing = True
            self._changed.notify_all()
        if self._thread is None:
            return self._settled
        import atexit

        self._thread.join(timeout_s)
        atexit.unregister(self.flush)
        return self._settled and not self._thread.is_alive()

    @property
    def _settled(self) -> bool:
        return not (self._dirty or self._writing or self._unread)

    # -- the thread

    def _start(self) -> None:
        """The lock is held."""
        if self._closing or self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads; what changes next tries again
            self._thread = None
            self._tell(str(error))
            return
        import atexit  # what ends the process past us runs these (cli/_leaving)

        atexit.register(self.flush, EXIT_S)

    def _run(self) -> None:
        over = False
        while not over:
            with self.lock:
                self._changed.wait_for(lambda: self._dirty or self._unread or self._closing)
                self._changed.wait_for(lambda: self._hurried or self._closing, self._pause_s)
            over = self._turn()
        self._drop()

    def _turn(self) -> bool:
        """Write what is dirty; whether that was the end."""
        with self.lock:
            if self._settled:
                return True
            last, self._hurried, self._writing = self._closing, False, True
            dirty, self._dirty = self._dirty, {}
        trouble = self._write(dirty)
        with self.lock:
            self._writing = False
            if trouble is not None:
                self._dirty = dirty | self._dirty
            self._tries += 1
            self._changed.notify_all()
        self._tell(trouble)
        return last and trouble is not None

    def _write(self, dirty: dict[Place, None]) -> str | None:
        """Write these; None, or why that is not to be."""
        try:
            if self._database is not None and not self._database.in_place:
                self._drop()
                self._rewrite = True
            self._write_once(dirty)
        except Exception as error:  # noqa: BLE001 a thread that died of a bug of ours would lose all that comes
            self._drop()  # one that was opened on a read-only disk stays read-only
            return str(error) or type(error).__name__
        return None

    def _write_once(self, dirty: dict[Place, None]) -> None:
        from halloween_host.store._database import Corrupt

        try:
            self._put(dirty)
        except Corrupt as error:
            self._drop()
            self._set_aside(str(error), "what runs keeps what it had stored")
            self._put(dirty)

    def _put(self, dirty: dict[Place, None]) -> None:
        assert self._file is not None
        from halloween_host.store._database import Database

        if self._database is None:
            self._database = Database(self._file)
        self._rewrite = self._rewrite or self._database.fresh
        if self._unread:
            self.take(self._database.read(), self._prop_ids, but=dirty)
        with self.lock:
            texts = {place: self._shelves[place[:2]].texts.get(place[2]) for place in dirty}
            if self._rewrite:
                everything = self._shelves.items()
                texts |= {(*whose, key): text for whose, shelf in everything for key, text in shelf.texts.items()}
        self._database.write(texts)
        self._rewrite = self._unread = False

    def _drop(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    # -- what is said

    def _set_aside(self, why: str, what_becomes: str) -> None:
        assert self._file is not None
        from halloween_host.store._database import set_aside

        self._rewrite = True
        if (aside := set_aside(self._file)) is not None:  # else another process of this host was faster, and says so
            how = f"set aside as {aside.name}, a fresh one begins; {what_becomes}"
            self._listener.warned(f"{self._shown} is corrupt ({why}): {how}")

    def _tell(self, trouble: str | None) -> None:
        """How the last try went."""
        with self.lock:
            before, self._trouble = self._trouble, (self._trouble or trouble) if trouble else None
            if trouble is not None:
                self._pause_s = RETRY_S if before is None else min(2 * self._pause_s, RETRY_MOST_S)
                self._degrade(prop_id for _space, prop_id, _key in self._dirty)
            else:
                self._pause_s = COLLECT_S
                if self._degraded:
                    self._listener.degraded(self._degraded, None)
                    self._degraded = {}
        if before is None and trouble is not None:
            kept = "what workers store is kept in memory until it can be written"
            self._listener.failed(f"{self._shown}: {trouble}; {kept}")
        elif before is not None and trouble is None:
            self._listener.recovered(f"{self._shown} is well again: all that was stored is on the disk")

    def _degrade(self, prop_ids: Iterable[str]) -> None:
        """The lock is held."""
        new = {prop_id: None for prop_id in prop_ids if prop_id not in self._degraded}
        if new:
            self._degraded |= new
            self._listener.degraded(new, f"what it stores is in memory alone: {self._shown}: {self._trouble}")


def _is_json(text: object) -> bool:
    try:
        read_json(text)  # type: ignore[arg-type] # what is no text is refused too
    except (ValueError, TypeError, AttributeError):
        return False
    return True
