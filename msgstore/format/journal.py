"""The redo log's bytes: header slots and entries. See docs/format.md, "journal"."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from msgstore.format import FORMAT_VERSION
from msgstore.format.names import CATALOG, INDEX, SEGMENT_BYTES_ROLL, SESSIONS, is_data_path
from msgstore.format.row import ROW_BYTES

SLOT_MAGIC = b"MSGSTJNL"
SLOT_STRIDE = 4096
ENTRIES_START = 2 * SLOT_STRIDE
ENTRY_ALIGNMENT = 512

# 0       8     12        16           24     32     40         48        52          56
# | magic | crc | version | generation | salt | rows | sequence | row crc | entry crc | sessions …
SLOT = struct.Struct("<8sIIQQQQIIQQ16s8x")
SLOT_BYTES = SLOT.size
assert SLOT_BYTES == 96


class Slot(NamedTuple):
    """The base of a generation: what was safely in the files when it began."""

    generation: int
    salt: int
    rows: int
    sequence: int
    row_crc: int
    entry_crc: int
    sessions_end: int
    catalog_end: int
    store_uuid: bytes

    @property
    def offset(self) -> int:
        return (self.generation % 2) * SLOT_STRIDE


def encode_slot(slot: Slot) -> bytes:
    packed = SLOT.pack(
        SLOT_MAGIC,
        0,
        FORMAT_VERSION,
        slot.generation,
        slot.salt,
        slot.rows,
        slot.sequence,
        slot.row_crc,
        slot.entry_crc,
        slot.sessions_end,
        slot.catalog_end,
        slot.store_uuid,
    )
    return packed[:8] + struct.pack("<I", crc32(packed[12:])) + packed[12:]


def decode_slot(buffer: bytes | memoryview, offset: int = 0) -> Slot | None:
    """The slot at `offset`, or None where there is no whole one of this version."""
    raw = bytes(buffer[offset : offset + SLOT_BYTES])
    if len(raw) < SLOT_BYTES:
        return None
    magic, crc, version, *fields = SLOT.unpack(raw)
    if magic != SLOT_MAGIC or version != FORMAT_VERSION or crc32(raw[12:]) != crc:
        return None
    return Slot(*fields)


# 0       4     8        12             16           24     32         40          48
# | magic | crc | length | previous crc | generation | salt | sequence | first row | durable up to |
# 56     60      64       68      72
# | rows | flags | writes | zeros |
ENTRY = struct.Struct("<IIIIQQQQQIII4x")
ENTRY_HEAD_BYTES = ENTRY.size
assert ENTRY_HEAD_BYTES == 72
ENTRY_MAGIC = int.from_bytes(b"MSJE", "little")
FLAG_SYNCED = 1
ENTRY_BYTES_MAX = 1 << 30
GENERATION_BYTES_MAX = 16 * 1024 * 1024
"""No entry begins this far behind the first one or further: a checkpoint ends the generation before.
A law of the format, unlike the mark at which a writer makes its checkpoints, so that whoever recovers
a store finds every entry of whoever wrote it."""
JOURNAL_BYTES_MAX = ENTRIES_START + GENERATION_BYTES_MAX + ENTRY_BYTES_MAX
_LOG_BYTES_MAX = 1 << 35
"""What a row can name of the catalog; more than any session log comes to."""

# | path length (2) | zeros (2) | data length (4) | offset (8) | path … | data … |
WRITE = struct.Struct("<HHIQ")
assert WRITE.size == 16


class Write(NamedTuple):
    """One physical write: these bytes at this offset of this file of the store."""

    path: str
    offset: int
    data: bytes


class EntryHead(NamedTuple):
    crc: int
    length: int
    previous_crc: int
    generation: int
    salt: int
    sequence: int
    first_row: int
    durable_upto: int
    rows: int
    flags: int
    writes: int


def encode_entry(
    slot: Slot,
    *,
    sequence: int,
    previous_crc: int,
    first_row: int,
    rows: int,
    durable_upto: int,
    synced: bool,
    writes: Sequence[Write],
) -> tuple[bytes, int]:
    """The entry's bytes, padded with zeros to whole sectors, and its CRC."""
    parts = []
    for write in writes:
        path = write.path.encode()
        parts += [WRITE.pack(len(path), 0, len(write.data), write.offset), path, write.data]
    length = ENTRY_HEAD_BYTES + sum(map(len, parts))
    head = ENTRY.pack(
        ENTRY_MAGIC,
        0,
        length,
        previous_crc,
        slot.generation,
        slot.salt,
        sequence,
        first_row,
        durable_upto,
        rows,
        FLAG_SYNCED if synced else 0,
        len(writes),
    )
    crc = crc32(head[8:])
    for part in parts:
        crc = crc32(part, crc)
    sealed = head[:4] + struct.pack("<I", crc) + head[8:]
    return b"".join([sealed, *parts, bytes(-length % ENTRY_ALIGNMENT)]), crc


def padded_length(length: int) -> int:
    """The room that an entry of `length` bytes takes in the journal."""
    return length + -length % ENTRY_ALIGNMENT


def decode_entry_head(buffer: bytes | memoryview) -> EntryHead | None:
    """What stands in an entry's head, unchecked but for the magic and a possible length."""
    if len(buffer) < ENTRY_HEAD_BYTES:
        return None
    magic, *fields = ENTRY.unpack_from(buffer)
    head = EntryHead(*fields)
    return (
        head
        if magic == ENTRY_MAGIC and ENTRY_HEAD_BYTES <= head.length <= ENTRY_BYTES_MAX
        else None
    )


def entry_is_whole(entry: bytes | memoryview, head: EntryHead) -> bool:
    """Whether these are the `head.length` bytes that were written."""
    return len(entry) == head.length and crc32(memoryview(entry)[8:]) == head.crc


def decode_writes(entry: bytes, head: EntryHead) -> list[Write] | None:
    """The writes of a whole entry, or None if they are not what an entry may hold."""
    writes = []
    at = ENTRY_HEAD_BYTES
    for _ in range(head.writes):
        if at + WRITE.size > len(entry):
            return None
        path_length, _zeros, data_length, offset = WRITE.unpack_from(entry, at)
        at += WRITE.size
        path = entry[at : at + path_length].decode("ascii", "replace")
        at += path_length
        if at + data_length > len(entry) or not is_data_path(path):
            return None
        writes.append(Write(path, offset, entry[at : at + data_length]))
        at += data_length
    return writes if at == len(entry) else None


def are_of_a_commit(writes: Sequence[Write], head: EntryHead) -> bool:
    """Whether a commit can have made these writes: one to a file, and where that file can grow.

    The rows of a commit stand where its head says; a segment is added to while it is not full.
    """
    return len({write.path for write in writes}) == len(writes) and all(
        _is_of_a_commit(write, head) for write in writes
    )


def _is_of_a_commit(write: Write, head: EntryHead) -> bool:
    if write.path == INDEX:
        place = ((head.first_row + 1) * ROW_BYTES, head.rows * ROW_BYTES)
        return (write.offset, len(write.data)) == place
    is_log = write.path in (CATALOG, SESSIONS)
    return bool(write.data) and write.offset < (_LOG_BYTES_MAX if is_log else SEGMENT_BYTES_ROLL)
