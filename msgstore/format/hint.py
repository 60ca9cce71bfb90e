"""The hint at the front of `write.lock`: where the last writer left off. See docs/format.md."""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

HINT_MAGIC = int.from_bytes(b"MSHT", "little")

# 0       4     8       16           24            32     40           48         56          60
# | magic | crc | token | generation | journal end | rows | synced end | sequence | entry crc | flags |
# 64             72           80
# | sessions end | catalog end |
HINT = struct.Struct("<IIQQQQQQIIQQ")
HINT_BYTES = HINT.size
assert HINT_BYTES == 80
FLAG_DIRTY = 1

HOLDER_OFFSET = 128
HOLDER = struct.Struct("<Q")
LOCK_FILE_BYTES = HOLDER_OFFSET + HOLDER.size


class Hint(NamedTuple):
    token: int
    generation: int
    journal_end: int
    rows: int
    synced_end: int
    sequence: int
    entry_crc: int
    flags: int
    sessions_end: int
    catalog_end: int

    @property
    def is_dirty(self) -> bool:
        return bool(self.flags & FLAG_DIRTY)


def encode_hint(hint: Hint) -> bytes:
    packed = HINT.pack(
        HINT_MAGIC,
        0,
        hint.token,
        hint.generation,
        hint.journal_end,
        hint.rows,
        hint.synced_end,
        hint.sequence,
        hint.entry_crc,
        hint.flags,
        hint.sessions_end,
        hint.catalog_end,
    )
    return packed[:4] + struct.pack("<I", crc32(packed[8:])) + packed[8:]


def decode_hint(buffer: bytes) -> Hint | None:
    """The hint, or None if these bytes are not a whole one."""
    if len(buffer) < HINT_BYTES:
        return None
    magic, crc, *fields = HINT.unpack_from(buffer)
    if magic != HINT_MAGIC or crc32(buffer[8:HINT_BYTES]) != crc:
        return None
    return Hint(*fields)


def encode_holder(pid: int) -> bytes:
    return HOLDER.pack(pid)


def decode_holder(buffer: bytes) -> int | None:
    """The process id of the writer that holds or last held the lock."""
    if len(buffer) < LOCK_FILE_BYTES:
        return None
    pid: int = HOLDER.unpack_from(buffer, HOLDER_OFFSET)[0]
    return pid or None
