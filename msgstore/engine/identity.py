"""Who a store is: `store.json`, and the token that ties the hint to this boot and these files."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple, get_args

from msgstore.disk.files import Disk
from msgstore.format import FORMAT_VERSION
from msgstore.format.names import JOURNAL, STORE_JSON, hash64
from msgstore.model.clock import format_time, format_uuid, parse_uuid, to_datetime
from msgstore.model.errors import CorruptRecord, InvalidArgument, UnsupportedFormat
from msgstore.model.values import excerpt

Durability = Literal["always", "batch", "os"]
"""`always`: on disk when a save returns. `batch`: at flush, close, and within a time. `os`: later."""

STORE_JSON_BYTES_MAX = 65536


class Identity(NamedTuple):
    store_uuid: bytes
    durability: Durability


def check_durability(value: object) -> Durability:
    """Raises InvalidArgument unless `value` is a level of durability."""
    if value not in get_args(Durability):
        raise InvalidArgument("durability", f"{value!r} is not one of {get_args(Durability)}")
    return value  # type: ignore[return-value]


def encode_identity(identity: Identity, created_us: int) -> bytes:
    """The bytes of store.json. Written by hand: a save should not pay for a JSON library."""
    return (
        f'{{"format": "msgstore", "version": {FORMAT_VERSION},'
        f' "uuid": "{format_uuid(identity.store_uuid)}",'
        f' "created": "{format_time(to_datetime(created_us))}",'
        f' "durability": "{identity.durability}"}}\n'
    ).encode()


def read_identity(disk: Disk, path: str = STORE_JSON) -> Identity | None:
    """The identity in store.json, or None where there is no such file.

    Raises UnsupportedFormat for a version that this code does not know, CorruptRecord for anything
    that msgstore did not write.
    """
    if disk.size(path) < 0:
        return None
    return decode_identity(disk.root, disk.read(path, 0, STORE_JSON_BYTES_MAX), path)


def decode_identity(root: str, data: bytes, path: str = STORE_JSON) -> Identity:
    """The identity in the bytes of store.json. Raises UnsupportedFormat, CorruptRecord."""
    import orjson

    try:
        facts = orjson.loads(data)
        is_ours = facts["format"] == "msgstore"
        version = facts["version"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise CorruptRecord(path, 0, "is not what msgstore wrote") from None
    if not is_ours:
        raise CorruptRecord(path, 0, "is not what msgstore wrote")
    if type(version) is not int or version != FORMAT_VERSION:
        reason = (
            f"has format version {excerpt(version)}; this msgstore reads version {FORMAT_VERSION}"
        )
        raise UnsupportedFormat(root, reason)
    store_uuid = parse_uuid(str(facts.get("uuid")))
    durability = facts.get("durability")
    if store_uuid is None or durability not in get_args(Durability):
        raise CorruptRecord(path, 0, "is not what msgstore wrote")
    return Identity(store_uuid, durability)


def new_token(disk: Disk, boot_id: str | None, store_uuid: bytes) -> int:
    """What the hint must carry to be believed: this boot, this store, and this very journal file.

    The store's uuid is needed: after `reset` a new journal is often given the inode of the old one.

    Without a boot id nothing tells a clean store from one that lost power: then the token is random
    and every process recovers in full when it first opens the store.
    """
    place = disk.identity(JOURNAL)
    if boot_id is None or place is None:
        return int.from_bytes(os.urandom(8), "little")
    return hash64(f"{boot_id} {store_uuid.hex()} {place[0]} {place[1]}")
