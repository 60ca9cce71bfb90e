"""The folder of a store: whether it is one, may become one, and stands where it can be relied on."""

from __future__ import annotations

import os

from msgstore.disk.files import Disk
from msgstore.disk.machine import boot_id, network_type
from msgstore.engine.catalog import HEADER_BYTES as CATALOG_HEADER_BYTES
from msgstore.engine.failures import unavailable
from msgstore.engine.index import Index
from msgstore.format.catalog import decode_catalog_header
from msgstore.format.frame import frame_length, frame_problem
from msgstore.format.names import BACKING_UP, CATALOG, INDEX, SESSIONS, STORE_JSON, STREAMS
from msgstore.format.row import ROW_BYTES
from msgstore.format.session_log import HEADER_BYTES as SESSIONS_HEADER_BYTES
from msgstore.format.session_log import decode_sessions_header
from msgstore.model.errors import (
    CorruptRecord,
    NetworkFileSystem,
    StoreNotFound,
    StoreUnavailable,
)

ALLOW_NETWORK = "MSGSTORE_ALLOW_NETWORK_FS"


def make_place(disk: Disk, may_create: bool) -> None:
    """Sees to it that the folder of a store is there. Raises StoreNotFound, StoreUnavailable."""
    from msgstore.engine.create import is_unfinished_store

    try:
        if disk.size(STORE_JSON) >= 0:
            return
        names = disk.list("")
        if BACKING_UP in names:
            reason = "a backup or restore into this folder was not finished; run it again"
            raise StoreUnavailable(disk.root, reason)
        if not may_create:
            raise StoreNotFound(disk.root)
        if not is_unfinished_store(names):
            reason = "the folder holds other things and no message store"
            raise StoreUnavailable(disk.root, reason)
        refuse_lost_identity(disk)
        disk.make_folder("")
    except NotADirectoryError:
        raise StoreUnavailable(disk.root, "is not a folder") from None
    except FileExistsError:
        raise StoreUnavailable(disk.root, "is not a folder") from None
    except OSError as error:
        raise unavailable(disk.root, error) from error


def refuse_lost_identity(disk: Disk) -> None:
    """Raises CorruptRecord where there are messages or sessions, but no store.json.

    `create` empties the folder first, and must never meet anything but what it left behind itself.
    """
    holds = (
        disk.size(INDEX) > ROW_BYTES
        or disk.size(SESSIONS) > SESSIONS_HEADER_BYTES
        or any(disk.list(f"{STREAMS}/{folder}") for folder in disk.list(STREAMS))
    )
    # Looked at again: another process may have made the store, and saved, in between.
    if holds and disk.size(STORE_JSON) < 0 and disk.size(BACKING_UP) < 0:
        raise CorruptRecord(STORE_JSON, 0, "is missing, and the folder holds a message store")


def dependable_boot_id(root: str) -> str | None:
    """The boot id, or None where it does not tell whether the files survived: on a network.

    Raises NetworkFileSystem unless the user has allowed stores there.
    """
    kind = network_type(root)
    if kind is None:
        return boot_id()
    if os.environ.get(ALLOW_NETWORK, "") in ("", "0"):
        raise NetworkFileSystem(root, f"is on a network file system ({kind})")
    return None


def check_headers(disk: Disk, store_uuid: bytes) -> None:
    """Raises CorruptRecord unless index, catalog and session log belong to this store."""
    if problem := Index(disk).header_problem(store_uuid):
        raise CorruptRecord(INDEX, 0, problem)
    for path, size, decode in (
        (CATALOG, CATALOG_HEADER_BYTES, decode_catalog_header),
        (SESSIONS, SESSIONS_HEADER_BYTES, decode_sessions_header),
    ):
        header = disk.read(path, 0, size) if disk.size(path) >= 0 else b""
        problem = frame_problem(header) or (
            None
            if decode(header[: frame_length(header)]) == store_uuid
            else "the file belongs to another store"
        )
        if problem:
            raise CorruptRecord(path, 0, f"the header is damaged ({problem})")
