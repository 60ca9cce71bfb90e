"""A sorted run: 64-bit keys of a stretch of rows, in blocks that are found by their first keys.

Derived from the index, deletable at any time. See docs/format.md, "lookup".
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from msgstore.format import FORMAT_VERSION
from msgstore.format.names import LOOKUP

# 0       8     12        16     32     48          56         64     72     80        84           88
# | magic | crc | version | kind | uuid | first row | last row | mark | keys | row crc | fences crc |
HEADER = struct.Struct("<8sII16s16sQQQQII")
assert HEADER.size == 88
RUN_MAGIC = b"MSGSTRUN"
BLOCK_BYTES = 1024
# 0     4       8                      1024
# | crc | count | keys …  | zeros …    |
_BLOCK_HEAD = struct.Struct("<II")
KEY_BYTES = 8
BLOCK_KEYS = (BLOCK_BYTES - _BLOCK_HEAD.size) // KEY_BYTES
assert BLOCK_KEYS == 127
KEYS_MAX = 1 << 26
_NAME = r"([a-z]{1,16})-([1-9][0-9]{0,11})-([1-9][0-9]{0,11})\Z"


class RunHeader(NamedTuple):
    """Which rows a run is made of, and the CRC that stands in the last of them."""

    kind: str
    store_uuid: bytes
    first_row: int
    last_row: int
    mark: int
    """What the kind wants to remember of its last row."""
    keys: int
    row_crc: int
    fences_crc: int

    @property
    def blocks(self) -> int:
        return -(-self.keys // BLOCK_KEYS)

    @property
    def fences_offset(self) -> int:
        return (1 + self.blocks) * BLOCK_BYTES


def run_path(kind: str, first_row: int, last_row: int) -> str:
    return f"{LOOKUP}/{kind}-{first_row}-{last_row}"


def split_run_name(name: str) -> tuple[str, int, int] | None:
    """Kind, first and last row in the name of a run's file; None for any other name."""
    match = re.match(_NAME, name)
    if match is None:
        return None
    first, last = int(match[2]), int(match[3])
    return (match[1], first, last) if first <= last else None


def encode_run(
    kind: str,
    store_uuid: bytes,
    rows: tuple[int, int],
    mark: int,
    row_crc: int,
    keys: Sequence[int],
) -> bytes:
    """A whole file. `keys` rise; `rows` are the first and the last that they were made of."""
    blocks = encode_blocks(0, array("Q", keys))
    fences = encode_fences(keys[::BLOCK_KEYS])
    header = RunHeader(kind, store_uuid, *rows, mark, len(keys), row_crc, crc32(fences))
    return b"".join((encode_run_header(header), blocks, fences))


def encode_run_header(header: RunHeader) -> bytes:
    """The first block of a file, which is the last to be known."""
    assert header.keys <= KEYS_MAX
    rest = HEADER.pack(RUN_MAGIC, 0, FORMAT_VERSION, header.kind.encode(), *header[1:])[12:]
    return (RUN_MAGIC + crc32(rest).to_bytes(4, "little") + rest).ljust(BLOCK_BYTES, b"\0")


def encode_blocks(first_number: int, keys: array[int]) -> bytes:
    """Blocks of these keys, numbered from `first_number` on; all but the last are full."""
    data = memoryview(keys).cast("B")
    blocks = []
    for number, at in enumerate(range(0, len(data), BLOCK_KEYS * KEY_BYTES), first_number):
        part = data[at : at + BLOCK_KEYS * KEY_BYTES]
        count = len(part) // KEY_BYTES
        rest = count.to_bytes(4, "little") + part.tobytes().ljust(BLOCK_KEYS * KEY_BYTES, b"\0")
        blocks.append(crc32(rest, number).to_bytes(4, "little") + rest)
    return b"".join(blocks)


def encode_fences(firsts: Sequence[int]) -> bytes:
    """The first keys of all blocks, as they stand behind the blocks."""
    return array("Q", firsts).tobytes()


def decode_run_header(buffer: bytes) -> RunHeader | None:
    """The header, or None where there is no whole one of this version."""
    if len(buffer) < HEADER.size:
        return None
    magic, crc, version, kind, *fields = HEADER.unpack_from(buffer)
    if magic != RUN_MAGIC or version != FORMAT_VERSION or crc32(buffer[12 : HEADER.size]) != crc:
        return None
    header = RunHeader(kind.rstrip(b"\0").decode("ascii", "replace"), *fields)
    return header if header.keys <= KEYS_MAX else None


def decode_block(number: int, buffer: bytes) -> memoryview | None:
    """The keys of the block with this number, or None if these bytes are not it."""
    if len(buffer) != BLOCK_BYTES:
        return None
    crc, count = _BLOCK_HEAD.unpack_from(buffer)
    if count > BLOCK_KEYS or crc32(memoryview(buffer)[4:], number) != crc:
        return None
    return memoryview(buffer)[_BLOCK_HEAD.size : _BLOCK_HEAD.size + count * KEY_BYTES].cast("Q")


def decode_fences(header: RunHeader, buffer: bytes) -> memoryview | None:
    """The first key of every block, or None if these bytes are not they."""
    if len(buffer) != header.blocks * KEY_BYTES or crc32(buffer) != header.fences_crc:
        return None
    return memoryview(buffer).cast("Q")
