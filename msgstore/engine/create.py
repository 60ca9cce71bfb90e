"""Making a store, and making it anew: `create` and `reset`. Both under the lock, both crash-safe."""

from __future__ import annotations

import os

from msgstore.disk.files import Disk
from msgstore.engine.identity import Durability, Identity, encode_identity
from msgstore.engine.journal import JOURNAL_BYTES_FIRST, make_room
from msgstore.engine.marks import is_resetting
from msgstore.engine.place import refuse_lost_identity
from msgstore.format.catalog import encode_catalog_header
from msgstore.format.hint import HINT_BYTES
from msgstore.format.journal import Slot, encode_slot
from msgstore.format.names import (
    CATALOG,
    INDEX,
    JOURNAL,
    LOCK,
    LOOKUP,
    QUARANTINE,
    REPAIR_NEW,
    RESETTING,
    SESSIONS,
    STORE_JSON,
    STREAMS,
)
from msgstore.format.row import encode_index_header
from msgstore.format.session_log import encode_sessions_header
from msgstore.model.clock import uuid7

_MADE_BY_US = (INDEX, CATALOG, SESSIONS, JOURNAL, STREAMS, QUARANTINE, LOOKUP, REPAIR_NEW)
_FIRST_GENERATION = 1


def is_unfinished_store(names: list[str]) -> bool:
    """Whether a folder holds nothing but what an interrupted `create` leaves behind."""
    known = {*_MADE_BY_US, LOCK, f"{STORE_JSON}.new", RESETTING}
    return set(names) <= known


def create(disk: Disk, durability: Durability, now_us: int) -> Identity:
    """Makes an empty store; on return it is on the disk. `store.json` is put in place last."""
    identity = Identity(uuid7(), durability)
    lay_out(disk, identity.store_uuid)
    disk.replace(STORE_JSON, encode_identity(identity, now_us))
    return identity


def lay_out(disk: Disk, store_uuid: bytes) -> None:
    """The files of an empty store, on the disk on return; all but `store.json`."""
    for path in _MADE_BY_US:
        disk.remove(path)
    headers = {
        INDEX: encode_index_header(store_uuid),
        CATALOG: encode_catalog_header(store_uuid),
        SESSIONS: encode_sessions_header(store_uuid),
    }
    for path, header in headers.items():
        disk.write(path, 0, header)
        disk.sync(path)
    disk.make_folder(STREAMS)
    slot = Slot(
        generation=_FIRST_GENERATION,
        salt=int.from_bytes(os.urandom(8), "little"),
        rows=0,
        sequence=0,
        row_crc=0,
        entry_crc=0,
        sessions_end=len(headers[SESSIONS]),
        catalog_end=len(headers[CATALOG]),
        store_uuid=store_uuid,
    )
    make_room(disk, JOURNAL_BYTES_FIRST)
    disk.write(JOURNAL, slot.offset, encode_slot(slot))
    disk.sync(JOURNAL)
    disk.sync_folder("")


def make(disk: Disk, durability: Durability, now_us: int) -> Identity:
    """A store where there is none, or where one is being emptied. Raises CorruptRecord."""
    if is_resetting(disk):
        return reset(disk, durability, now_us)
    refuse_lost_identity(disk)
    return create(disk, durability, now_us)


def reset(disk: Disk, durability: Durability, now_us: int) -> Identity:
    """Empties a store. Cut off in the middle, it is finished by the next writer (`is_resetting`).

    The hint goes first: without it everybody looks for the mark. With it, someone could still save
    to a store that is marked, and the next writer would empty it.
    """
    disk.write(LOCK, 0, bytes(HINT_BYTES))
    disk.write(RESETTING, 0, b"\n")
    disk.sync(RESETTING)
    disk.sync_folder("")
    identity = create(disk, durability, now_us)
    disk.remove(RESETTING)
    disk.sync_folder("")
    return identity
