"""What a reader sees: a snapshot of whole commits, taken without a lock.

A store that nobody has written to since the machine booted is recovered first; where that is not
permitted, the journal is laid over the files in memory (rule R13).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock

from msgstore.disk.files import Disk
from msgstore.disk.lock import FileLock
from msgstore.disk.overlay import OverlayDisk
from msgstore.engine.create import is_resetting
from msgstore.engine.failures import unreadable
from msgstore.engine.identity import Identity, new_token, read_identity
from msgstore.engine.journal import read_hint
from msgstore.engine.place import check_headers, dependable_boot_id
from msgstore.engine.recovery import overlay
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.format.hint import Hint
from msgstore.format.names import LOCK
from msgstore.model.errors import ReadOnlyStore, StoreNotFound

_HINT_TRIES = 8


class Reader:
    """Takes snapshots. `recover` enters the store as a writer does, and leaves it again."""

    def __init__(self, disk: Disk, recover: Callable[[], None]) -> None:
        self._disk = disk
        self._recover = recover
        self._source: Source | None = None
        self._overlaid: Snapshot | None = None
        self._lock = RLock()

    def snapshot(self) -> Snapshot | None:
        """The store as it is now, or None where there is none yet.

        Raises CorruptRecord, StoreUnavailable.
        """
        with self._lock:
            try:
                return self._look() or self._attach()
            except OSError as error:
                raise unreadable(self._disk.root, error) from error

    def _look(self) -> Snapshot | None:
        """A snapshot if the files are still those we know, at the cost of two system calls."""
        source = self._source
        if source is None:
            return None
        hint = self._hint()
        if hint is None or hint.token != source.token:
            return self._overlaid
        if self._overlaid is not None:
            return None
        return Snapshot(
            source,
            source.index.last_complete(hint.rows),
            hint.sessions_end,
            hint.catalog_end,
        )

    def _hint(self) -> Hint | None:
        """Read until it is whole: a writer may be at it."""
        for _ in range(_HINT_TRIES):
            if (hint := read_hint(self._disk)) is not None:
                return hint
        return None

    def _attach(self) -> Snapshot | None:
        self._disk.forget()
        self._source = self._overlaid = None
        identity = read_identity(self._disk)
        if identity is None:
            return None
        if not self._is_clean():
            try:
                self._recover()
            except ReadOnlyStore:
                return self._overlay(identity)
            except StoreNotFound:
                return None
            self._disk.forget()
            identity = read_identity(self._disk)
            if identity is None:
                return None
        check_headers(self._disk, identity.store_uuid)
        hint = self._hint()
        if hint is None:
            return self._overlay(identity)
        self._source = Source(self._disk, identity, hint.token)
        return self._look()

    def _is_clean(self) -> bool:
        """Whether a writer has been here since this boot. A dirty hint is for writers to heed."""
        hint = self._hint()
        if hint is None or is_resetting(self._disk):
            return False
        return hint.token == new_token(self._disk, dependable_boot_id(self._disk.root))

    def _overlay(self, identity: Identity) -> Snapshot:
        """Holds the lock shared while the journal is read, so that no writer moves it."""
        lock = FileLock(os.path.join(self._disk.root, LOCK), lock_timeout_s=30)
        above = OverlayDisk(self._disk)
        check_headers(self._disk, identity.store_uuid)
        lock.acquire(shared=True)
        try:
            rows, sessions_end, catalog_end = overlay(above, identity.store_uuid)
        finally:
            lock.release()
            lock.close()
        token = new_token(self._disk, dependable_boot_id(self._disk.root))
        self._source = Source(above, identity, token)
        self._overlaid = Snapshot(self._source, rows, sessions_end, catalog_end)
        return self._overlaid
