"""Whose store this is, where store.json may not be able to tell; and every file of its segments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.catalog import HEADER_BYTES as CATALOG_HEADER_BYTES
from msgstore.engine.identity import Identity, check_durability, encode_identity, read_identity
from msgstore.engine.journal import read_slots
from msgstore.engine.whole_frames import first_frame
from msgstore.format.catalog import decode_catalog_header
from msgstore.format.names import CATALOG, INDEX, SESSIONS, STORE_JSON, STREAMS
from msgstore.format.record import SegmentHeader, decode_segment_header
from msgstore.format.row import ROW_BYTES, decode_index_header
from msgstore.format.session_log import HEADER_BYTES as SESSIONS_HEADER_BYTES
from msgstore.format.session_log import decode_sessions_header
from msgstore.model.clock import to_us
from msgstore.model.errors import CorruptRecord, InvalidArgument, UnsupportedFormat

_SEGMENT_HEADER_BYTES_MAX = 2048
_STORE_JSON_BYTES_MAX = 65536


class Origin(NamedTuple):
    """The identity of a store; `problem` says why it was not read from store.json, None if it was."""

    identity: Identity
    problem: str | None

    def store_json(self, disk: Disk, first_us: int) -> bytes:
        """The bytes for store.json: those that are there, or new ones with what they still say."""
        if self.problem is None:
            return disk.read(STORE_JSON, 0, _STORE_JSON_BYTES_MAX)
        facts = _facts(disk)
        created_us = first_us
        with suppress(KeyError, TypeError, ValueError):
            created_us = to_us(datetime.fromisoformat(str(facts["created"])))
        identity = self.identity
        with suppress(InvalidArgument):
            durability = check_durability(facts.get("durability"))
            identity = identity._replace(durability=durability)
        return encode_identity(identity, created_us)


def find_origin(disk: Disk) -> Origin | None:
    """Whose store it is: what store.json says if any header bears it out, else what all headers say.

    None where there is no store. Raises CorruptRecord where the headers disagree or none is left,
    UnsupportedFormat for a store of another version.
    """
    written: Identity | None = None
    said: CorruptRecord | UnsupportedFormat | None = None
    try:
        written = read_identity(disk)
    except (CorruptRecord, UnsupportedFormat) as error:
        said = error
    uuids = set(_core_uuids(disk))
    if written and (written.store_uuid in uuids or not uuids):
        return Origin(written, None)
    uuids |= {header.store_uuid for _, header in segment_headers(disk) if header}
    if written and written.store_uuid in uuids:
        return Origin(written, None)
    if len(uuids) == 1:
        return Origin(Identity(uuids.pop(), "always"), _problem(said, written))
    if isinstance(said, UnsupportedFormat):
        raise said
    if not uuids and said is None:
        return None
    reason = "cannot be made anew: the headers of the other files do not agree whose store it is"
    raise CorruptRecord(STORE_JSON, 0, reason)


def _problem(said: CorruptRecord | UnsupportedFormat | None, written: Identity | None) -> str:
    if isinstance(said, CorruptRecord):
        return said.problem
    if said is not None:
        return said.reason
    return "names another store than all other files" if written else "is missing"


def _facts(disk: Disk) -> dict[str, object]:
    import orjson

    with suppress(FileNotFoundError, orjson.JSONDecodeError):
        facts = orjson.loads(disk.read(STORE_JSON, 0, _STORE_JSON_BYTES_MAX))
        if isinstance(facts, dict):
            return facts
    return {}


def _core_uuids(disk: Disk) -> Iterator[bytes]:
    """The store's uuid as each header that can be read has it."""
    if disk.size(INDEX) >= 0:
        found = decode_index_header(disk.read(INDEX, 0, ROW_BYTES))
        if found is not None:
            yield found
    for path, size, decode in (
        (CATALOG, CATALOG_HEADER_BYTES, decode_catalog_header),
        (SESSIONS, SESSIONS_HEADER_BYTES, decode_sessions_header),
    ):
        frame = first_frame(disk, path, size)
        found = decode(frame) if frame else None
        if found is not None:
            yield found
    yield from (slot.store_uuid for slot in read_slots(disk))


def segment_headers(disk: Disk) -> Iterator[tuple[str, SegmentHeader | None]]:
    """Every file in `streams/` and its header, None where that is damaged."""
    for folder in disk.list(STREAMS):
        for name in disk.list(f"{STREAMS}/{folder}"):
            path = f"{STREAMS}/{folder}/{name}"
            yield path, segment_header(disk, path)


def segment_header(disk: Disk, path: str) -> SegmentHeader | None:
    """The header of a segment, None where it is damaged or something else."""
    frame = first_frame(disk, path, _SEGMENT_HEADER_BYTES_MAX)
    with suppress(ValueError):  # a whole frame, and nothing that msgstore writes
        return None if frame is None else decode_segment_header(frame)
    return None
