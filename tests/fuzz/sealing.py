"""Checksums and lengths made right in bytes that were changed, so that readers look past them."""

from __future__ import annotations

import struct
from zlib import crc32

from msgstore.format.frame import FRAME_BYTES_MIN
from msgstore.format.hint import HINT_BYTES
from msgstore.format.journal import ENTRY_HEAD_BYTES, SLOT_BYTES
from msgstore.format.row import ROW_BYTES

ROW_POSITION = 7
"""Where a row stands that is looked at by itself."""


def _put(data: bytearray, layout: str, offset: int, *values: int) -> None:
    struct.pack_into(layout, data, offset, *values)


def seal_frame(data: bytes) -> bytes:
    """One frame as long as the bytes: tags, both lengths and the checksum."""
    if len(data) < FRAME_BYTES_MIN:
        return data
    out = bytearray(data)
    out[0], out[3] = 0xDC, 0xCE
    _put(out, ">BI", 8, 0xCE, len(out))
    _put(out, ">BI", len(out) - 5, 0xCE, len(out))
    count = int.from_bytes(out[1:3], "big")
    _put(out, ">I", 4, crc32(out[8:], count))
    return bytes(out)


def seal_frames(data: bytes) -> bytes:
    """A file of frames: each by the length that it claims, the last one by what there is."""
    out = []
    while len(data) >= FRAME_BYTES_MIN:
        claimed = int.from_bytes(data[9:13], "big")
        length = claimed if FRAME_BYTES_MIN <= claimed <= len(data) else len(data)
        out.append(seal_frame(data[:length]))
        data = data[length:]
    return b"".join(out) + data


def seal_row(data: bytes, position: int = ROW_POSITION) -> bytes:
    if len(data) < ROW_BYTES:
        return data
    return struct.pack("<I", crc32(data[4:ROW_BYTES], position)) + data[4:]


def seal_index_header(data: bytes) -> bytes:
    if len(data) < ROW_BYTES:
        return data
    return data[:92] + struct.pack("<I", crc32(data[:92])) + data[ROW_BYTES:]


def seal_index(data: bytes) -> bytes:
    """The header, and every row at its place."""
    rows = [data[at : at + ROW_BYTES] for at in range(0, len(data), ROW_BYTES)]
    sealed = [seal_row(row, position) for position, row in enumerate(rows)]
    return b"".join([seal_index_header(rows[0]), *sealed[1:]]) if rows else data


def seal_hint(data: bytes) -> bytes:
    if len(data) < HINT_BYTES:
        return data
    return b"MSHT" + struct.pack("<I", crc32(data[8:HINT_BYTES])) + data[8:]


def seal_slot(data: bytes) -> bytes:
    if len(data) < SLOT_BYTES:
        return data
    return b"MSGSTJNL" + struct.pack("<I", crc32(data[12:SLOT_BYTES])) + data[12:]


def seal_entry(data: bytes) -> bytes:
    """An entry that is as long as the bytes."""
    if len(data) < ENTRY_HEAD_BYTES:
        return data
    out = bytearray(data)
    out[:4] = b"MSJE"
    _put(out, "<I", 8, len(out))
    _put(out, "<I", 4, crc32(out[8:]))
    return bytes(out)


def seal_journal(data: bytes) -> bytes:
    """Both slots, and every entry by the length that it claims, in a chain from the newer slot."""
    if len(data) < 8192 + ENTRY_HEAD_BYTES:
        return data
    out = bytearray(data)
    slots = []
    for at in (0, 4096):
        if out[at : at + 8] == b"MSGSTJNL":
            out[at : at + SLOT_BYTES] = seal_slot(bytes(out[at : at + SLOT_BYTES]))
            generation, entry_crc = (
                struct.unpack_from("<Q", out, at + 16)[0],
                out[at + 52 : at + 56],
            )
            slots.append((generation, bytes(entry_crc)))
    previous = max(slots)[1] if slots else bytes(4)
    for at in range(8192, len(out) - ENTRY_HEAD_BYTES, 512):
        length = int.from_bytes(out[at + 8 : at + 12], "little")
        if out[at : at + 4] == b"MSJE" and ENTRY_HEAD_BYTES <= length <= len(out) - at:
            out[at + 12 : at + 16] = previous
            _put(out, "<I", at + 4, crc32(out[at + 8 : at + length]))
            previous = bytes(out[at + 4 : at + 8])
    return bytes(out)
