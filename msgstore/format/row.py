"""One row of the global index: where a message is, and what it can be found by.

See docs/format.md, "index".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from msgstore.format import FORMAT_VERSION
from msgstore.model.clock import TIME_US_MAX

ROW_BYTES = 96

# 0    4      6        8       12      16      20          24        28        32       36
# |crc |flags |segment |stream |offset |length |record crc |revision |sequence |ordinal |batch rows |
# 40       44       48          52           56       60         64    72    80        88           96
# |session |streams |message id |correlation |request |causation |time |type |commands |segment bytes|
ROW = struct.Struct("<IHH14IQQQQ")
assert ROW.size == ROW_BYTES
_AFTER_CRC = struct.Struct("<HH14IQQQQ")
_CRC = struct.Struct("<I")
assert _CRC.size + _AFTER_CRC.size == ROW_BYTES

FLAG_COMMAND = 1
FLAG_SYNCED = 2


class Row(NamedTuple):
    """The fields in their order on disk, without the row's own checksum."""

    flags: int
    segment: int
    stream: int
    offset: int
    length: int
    record_crc: int
    revision: int
    sequence: int
    ordinal: int
    batch_rows: int
    session: int
    streams: int
    message_id: int
    correlation_id: int
    request_id: int
    causation_id: int
    time_us: int
    type: int
    commands: int
    segment_bytes: int


def encode_row(position: int, row: tuple[int, ...]) -> bytes:
    """The 96 bytes of the row at `position`; `row` holds the fields of Row in order."""
    rest = pack_row(*row)
    return seal_row(crc32(rest, position & 0xFFFF_FFFF)) + rest


pack_row, seal_row = _AFTER_CRC.pack, _CRC.pack
"""The two halves of `encode_row`, for a commit's own loop."""


def decode_row(position: int, buffer: bytes | memoryview, offset: int = 0) -> Row | None:
    """The row at `position`, or None if these bytes are not it, or its time is none."""
    view = memoryview(buffer)[offset : offset + ROW_BYTES]
    if (
        len(view) < ROW_BYTES
        or crc32(view[4:], position & 0xFFFF_FFFF) != _CRC.unpack_from(view)[0]
    ):
        return None
    row = Row._make(_AFTER_CRC.unpack_from(view, 4))
    return row if row.time_us <= TIME_US_MAX else None


_CHECKED = struct.Struct(f"<I{ROW_BYTES - 4}s")


def damaged_positions(window: bytes, first_position: int) -> Iterator[int]:
    """The positions in a window of rows whose rows are not whole."""
    for position, (crc, rest) in enumerate(_CHECKED.iter_unpack(window), first_position):
        if crc32(rest, position & 0xFFFF_FFFF) != crc:
            yield position


def first_damaged(window: bytes, first_position: int) -> int | None:
    """The first position in a window of rows whose row is not whole, or None."""
    return next(damaged_positions(window, first_position), None)


def stored_crc(buffer: bytes | memoryview, offset: int = 0) -> int:
    """The checksum that stands in the row at `offset`."""
    return int(_CRC.unpack_from(buffer, offset)[0])


# Columns of a window of rows, by the index of a 4-byte or 8-byte word in the row.
WORDS_32 = ROW_BYTES // 4
WORDS_64 = ROW_BYTES // 8
FLAGS_WORD = 1
STREAM_WORD = 2
REVISION_WORD = 6
SESSION_WORD = 10
MESSAGE_ID_WORD = 12
CORRELATION_ID_WORD = 13
REQUEST_ID_WORD = 14
CAUSATION_ID_WORD = 15
TIME_WORD_64 = 8
TYPE_WORD_64 = 9


def column_32(window: bytes | memoryview, word: int) -> memoryview:
    """One 4-byte field of every row in `window`, whose length is a multiple of 96."""
    return memoryview(window).cast("B").cast("I")[word::WORDS_32]


def column_64(window: bytes | memoryview, word: int) -> memoryview:
    """One 8-byte field of every row in `window`."""
    return memoryview(window).cast("B").cast("Q")[word::WORDS_64]


def hash32(text: str | None) -> int:
    """CRC-32 of the UTF-8; 0 for an absent text, 1 where the CRC is 0."""
    if text is None:
        return 0
    return crc32(text.encode()) or 1


# 0       8         12         16     32        92    96
# | magic | version | row size | uuid | zeros … | crc |
HEADER = struct.Struct("<8sII16s60xI")
assert HEADER.size == ROW_BYTES
INDEX_MAGIC = b"MSGSTIDX"


def encode_index_header(store_uuid: bytes) -> bytes:
    head = HEADER.pack(INDEX_MAGIC, FORMAT_VERSION, ROW_BYTES, store_uuid, 0)[:-4]
    return head + _CRC.pack(crc32(head))


def decode_index_header(buffer: bytes) -> bytes | None:
    """The store's uuid, or None if this is no index header of this version."""
    if len(buffer) < HEADER.size:
        return None
    magic, version, row_bytes, store_uuid, crc = HEADER.unpack_from(buffer)
    if (magic, version, row_bytes) != (INDEX_MAGIC, FORMAT_VERSION, ROW_BYTES):
        return None
    return bytes(store_uuid) if crc32(buffer[:92]) == crc else None
