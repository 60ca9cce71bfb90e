"""The files of a store as one store object knows them, shared by its reader and its writer."""

from __future__ import annotations

from msgstore.disk.files import Disk
from msgstore.engine.identity import Identity, decode_identity, new_token, read_identity
from msgstore.engine.marks import is_swapping
from msgstore.engine.place import check_headers, dependable_boot_id
from msgstore.engine.snapshot import Source
from msgstore.format.hint import Hint
from msgstore.model.errors import CorruptStore


class OpenedStore:
    """Holds the present Source. After `reset` by anybody the files are others, and so is it."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.source: Source | None = None

    def knows(self, hint: Hint | None) -> Source | None:
        """The source if the hint says that its files are still those in place, else None."""
        source = self.source
        return source if source and hint and hint.token == source.token else None

    def find(self) -> Identity | None:
        """Lets go of all files and reads the identity anew; None where there is no store."""
        self.source = None
        self.disk.forget()
        try:
            identity = read_identity(self.disk)
        except CorruptStore:
            if not is_swapping(self.disk):
                raise
            identity = None
        return identity or self._identity_to_be()

    def _identity_to_be(self) -> Identity | None:
        """Of a store whose store.json is being put in place by a repair."""
        if not is_swapping(self.disk):
            return None
        from msgstore.engine.swap import read_swap

        swap = read_swap(self.disk)
        return decode_identity(self.disk.root, swap.store_json) if swap else None

    def attach(self, identity: Identity) -> Source:
        """Takes up the files in place. Raises CorruptRecord, NetworkFileSystem."""
        check_headers(self.disk, identity.store_uuid)
        boot_id = dependable_boot_id(self.disk.root)
        token = new_token(self.disk, boot_id, identity.store_uuid)
        self.source = Source(self.disk, identity, token)
        return self.source
