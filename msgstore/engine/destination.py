"""The folder that a store is copied into: whether it may be, and what stands there meanwhile.

Until a first copy is whole the folder is no store: `store.json` is put in place last, and the file
`backing-up` holds until then what will stand in it. An older copy remains a store all the time.
"""

from __future__ import annotations

from contextlib import suppress

from msgstore.disk.files import Disk
from msgstore.engine.create import is_unfinished_store, lay_out
from msgstore.engine.identity import STORE_JSON_BYTES_MAX, Identity, read_identity
from msgstore.engine.opened import OpenedStore
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import BACKING_UP, STORE_JSON
from msgstore.model.errors import CorruptRecord, NotItsBackup, StoreExists, StoreUnavailable


class Destination(OpenedStore):
    """The files of a copy, whole or not. All but the constructor needs the writers' lock."""

    def __init__(self, disk: Disk, snapshot: Snapshot) -> None:
        super().__init__(disk)
        self._store_uuid = snapshot.store_uuid
        with snapshot.source.reading():
            self._store_json = snapshot.source.disk.read(STORE_JSON, 0, STORE_JSON_BYTES_MAX)

    @property
    def is_whole(self) -> bool:
        """Whether there is a store already: the copy that is to be brought up."""
        return self.disk.size(STORE_JSON) >= 0

    def find(self) -> Identity | None:
        """As for every store; for one that is not whole, the identity that it will have."""
        return super().find() or read_identity(self.disk, BACKING_UP)

    def check(self, must_be_new: bool) -> None:
        """Raises StoreExists, NotItsBackup, StoreUnavailable where nothing may be copied to."""
        identity = read_identity(self.disk)
        if identity is None:
            names = self.disk.list("")
            if BACKING_UP not in names and not is_unfinished_store(names):
                reason = "the folder holds other things and no message store"
                raise StoreUnavailable(self.disk.root, reason)
        elif must_be_new:
            raise StoreExists(self.disk.root)
        elif identity.store_uuid != self._store_uuid:
            raise NotItsBackup(self.disk.root, "another store is kept here")

    def check_source(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot, if it is still of the store that this is the copy of."""
        if snapshot.store_uuid != self._store_uuid:
            raise StoreUnavailable(snapshot.source.disk.root, "was emptied while it was read")
        return snapshot

    def prepare(self, must_be_new: bool) -> None:
        """Takes the folder up. Raises as `check` does, and CorruptRecord."""
        self.disk.forget()
        self.check(must_be_new)
        if self.is_whole:
            self._clear_mark()
            self._take_up()
        elif not self._can_go_on():
            self.begin()

    def _can_go_on(self) -> bool:
        """Whether what an earlier copy left unfinished is of this store, and its files are there."""
        with suppress(CorruptRecord, FileNotFoundError):
            if self.disk.read(BACKING_UP, 0, STORE_JSON_BYTES_MAX) != self._store_json:
                return False
            self._take_up()
            return True
        return False

    def _take_up(self) -> None:
        identity = self.find()
        assert identity is not None, "store.json holds it, or the mark"
        self.attach(identity)

    def begin(self) -> None:
        """Lays out the files of an empty store; marks it as unfinished before."""
        self.disk.write(BACKING_UP, 0, self._store_json)
        self.disk.truncate(BACKING_UP, len(self._store_json))
        self.disk.sync(BACKING_UP)
        self.disk.sync_folder("")
        lay_out(self.disk, self._store_uuid)
        self._take_up()

    def finish(self) -> None:
        """What was copied is whole, and on the disk: from now on it is a store."""
        if not self.is_whole:
            self.disk.replace(STORE_JSON, self._store_json)
            self._clear_mark()

    def _clear_mark(self) -> None:
        if self.disk.size(BACKING_UP) >= 0:
            self.disk.remove(BACKING_UP)
            self.disk.sync_folder("")
