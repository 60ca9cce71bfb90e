"""What a reader sees: a snapshot of whole commits, taken without a lock.

A store that nobody has written to since the machine booted is recovered first; where that is not
permitted, the journal is laid over the files in memory (rule R13).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock

from msgstore.disk.lock import FileLock
from msgstore.engine.failures import unreadable
from msgstore.engine.identity import Identity
from msgstore.engine.journal import read_hint
from msgstore.engine.marks import is_resetting, is_swapping
from msgstore.engine.opened import OpenedStore
from msgstore.engine.place import check_headers, refuse_lost_identity
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.format.hint import Hint
from msgstore.format.names import LOCK
from msgstore.model.errors import CorruptRecord, ReadOnlyStore, StoreNotFound

_HINT_TRIES = 8
_OVERLAY_LOCK_TIMEOUT_S = 30.0


class Reader:
    """Takes snapshots. `recover` enters the store as a writer does, and leaves it again."""

    def __init__(self, opened: OpenedStore, recover: Callable[[], None]) -> None:
        self._opened = opened
        self._disk = opened.disk
        self._recover = recover
        self._overlaid: Snapshot | None = None
        self._lock = RLock()

    def snapshot(self) -> Snapshot | None:
        """The store as it is now, or None where there is none yet.

        Raises CorruptRecord, StoreUnavailable.
        """
        try:
            snapshot = self._look()
            if snapshot is None:
                # One thread attaches; to the others the store would seem to be gone meanwhile.
                with self._lock:
                    snapshot = self._look() or self._attach()
        except OSError as error:
            raise unreadable(self._disk.root, error) from error
        return snapshot

    def _look(self) -> Snapshot | None:
        """A snapshot if the files are still those we know, at the cost of two system calls."""
        if self._opened.source is None:
            return self._overlaid
        hint = self._hint()
        source = self._opened.knows(hint)
        if source is None or hint is None:
            return None
        rows = source.index.last_complete(hint.rows)
        if rows > hint.rows:
            # Saved meanwhile: their sessions may have begun behind the end that this hint knows.
            hint = self._hint()
            if hint is None or self._opened.knows(hint) is not source:
                return None
        return Snapshot(source, rows, hint.sessions_end, hint.catalog_end)

    def _hint(self) -> Hint | None:
        """Read until it is whole: a writer may be at it."""
        for _ in range(_HINT_TRIES):
            if (hint := read_hint(self._disk)) is not None:
                return hint
        return None

    def _attach(self) -> Snapshot | None:
        identity = self._opened.find()
        if identity is None:
            refuse_lost_identity(self._disk)
            return None
        if self._take_up(identity) and (snapshot := self._look()) is not None:
            return snapshot
        self._opened.source = None
        try:
            self._recover()
        except ReadOnlyStore:
            return self._overlay(identity)
        except StoreNotFound:
            return None
        return self._look()

    def _take_up(self, identity: Identity) -> bool:
        """Attaches to the files in place; False while a `reset` or a repair is replacing them."""
        try:
            self._opened.attach(identity)
        except (CorruptRecord, FileNotFoundError):
            # Files that are half replaced look damaged, or are gone. Who replaces them marks that
            # first, and after a reset the store has another identity.
            if not self._is_being_replaced() and self._opened.find() == identity:
                raise
            return False
        return not self._is_being_replaced()

    def _is_being_replaced(self) -> bool:
        return is_resetting(self._disk) or is_swapping(self._disk)

    def _overlay(self, identity: Identity) -> Snapshot:
        """Holds the lock shared while the journal is read, so that no writer moves it.

        The snapshot stays what this reader sees; a store that others write to is no such case.
        """
        from msgstore.disk.overlay import OverlayDisk
        from msgstore.engine.recovery import overlay
        from msgstore.engine.swap import read_swap, swapped_view

        with self._unchanging():
            below = swapped_view(self._disk, read_swap(self._disk))
            above = OverlayDisk(below)
            check_headers(below, identity.store_uuid)
            rows, sessions_end, catalog_end = overlay(above, identity.store_uuid)
        source = Source(above, identity, token=None)
        self._overlaid = Snapshot(source, rows, sessions_end, catalog_end)
        return self._overlaid

    @contextmanager
    def _unchanging(self) -> Iterator[None]:
        """Holds the writers' lock shared; where there is none, nobody can be writing."""
        lock = FileLock(os.path.join(self._disk.root, LOCK), _OVERLAY_LOCK_TIMEOUT_S)
        try:
            with suppress(FileNotFoundError):
                lock.acquire(shared=True)
            yield
        finally:
            lock.release()
            lock.close()
