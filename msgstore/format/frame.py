"""The frame: one msgpack array with a checksum in front and its length at both ends.

Segments, catalog and sessions are concatenations of frames. See docs/format.md, "The frame".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgpack

from msgstore.format import FORMAT_VERSION
from msgstore.format.stored import stored_uuid

# 0    3       4     8       9        13                length-5
# | dc nn nn | ce crc | ce length | elements …  | ce length |    big-endian; crc covers 8 … end,
#                                                                and starts with the count nn nn
HEAD = struct.Struct(">BHBIBI")
assert HEAD.size == 13
TAIL = struct.Struct(">BI")
assert TAIL.size == 5
LENGTH = struct.Struct(">I")

FRAME_BYTES_MIN = HEAD.size + TAIL.size
_CRC_START = 8
_SEALED = struct.Struct(">BHBI")

_pack = msgpack.Packer(autoreset=True).pack


def encode_frame(elements: Sequence[Any]) -> bytes:
    """The frame around `elements`; crc and lengths are added, so it becomes an array of n + 3."""
    return seal(len(elements) + 3, pack_elements(elements))


def pack_elements(elements: Sequence[Any]) -> bytes:
    """The elements one after the other, without the head of an array."""
    packed: bytes = _pack(elements)
    return packed[1:] if len(elements) < 16 else packed[3:]


def seal(count: int, body: bytes) -> bytes:
    """The frame around packed elements; `count` is the array's, with crc and both lengths."""
    length = FRAME_BYTES_MIN + len(body)
    rest = b"".join((TAIL.pack(0xCE, length), body, TAIL.pack(0xCE, length)))
    return _SEALED.pack(0xDC, count, 0xCE, crc32(rest, count)) + rest


# msgpack 1.0 gives an array room for as many elements as it claims, and each may claim as many as
# the frame has bytes, 1,000 levels deep: short frames cannot claim much, others are looked at first.
_UNPACKED_UNSEEN_BYTES = 4096


def decode_frame(frame: bytes | memoryview) -> list[Any]:
    """The elements of a whole frame without crc and lengths.

    Holds at most what a frame of this length can hold, whatever it claims. Raises ValueError for
    what msgstore does not write: extension types, timestamps, numbers as keys, no UTF-8.
    """
    try:
        if len(frame) > _UNPACKED_UNSEEN_BYTES:
            _skip_through(frame)
        elements: list[Any] = msgpack.unpackb(
            frame, strict_map_key=True, max_ext_len=0, ext_hook=refuse_extension
        )
    except (ValueError, msgpack.UnpackException) as error:
        raise ValueError(f"it is not what msgstore writes ({error or 'cut short'})") from None
    return elements[2:-1]


def header_uuid(frame: bytes | memoryview, kind: str) -> bytes | None:
    """The store's uuid in a file's first frame, or None if it is no header of this kind and version."""
    try:
        elements = decode_frame(frame)
        if len(elements) < 3 or elements[:2] != [kind, FORMAT_VERSION]:
            return None
        return stored_uuid(elements[2])
    except ValueError:
        return None


def _skip_through(frame: bytes | memoryview) -> None:
    """Raises where an array or a map claims more elements than there are; takes up no room."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(frame))
    unpacker.feed(frame)
    unpacker.skip()


def refuse_extension(code: int, data: bytes) -> Any:
    raise ValueError("an extension type")


def frame_problem(
    buffer: bytes | memoryview, offset: int = 0, count: int | None = None
) -> str | None:
    """What is wrong with the frame that starts at `offset`, or None if it is whole.

    `cut` means that the buffer ends before the frame does.
    """
    if len(buffer) - offset < FRAME_BYTES_MIN:
        return "cut"
    array, elements, crc_tag, crc, length_tag, length = HEAD.unpack_from(buffer, offset)
    if array != 0xDC or crc_tag != 0xCE or length_tag != 0xCE or count not in (None, elements):
        return "not a frame"
    if length < FRAME_BYTES_MIN:
        return "impossible length"
    if offset + length > len(buffer):
        return "cut"
    view = memoryview(buffer)[offset + _CRC_START : offset + length]
    if crc32(view, elements) != crc:
        return "checksum"
    return (
        None
        if TAIL.unpack_from(buffer, offset + length - TAIL.size) == (0xCE, length)
        else "lengths"
    )


def frame_length(buffer: bytes | memoryview, offset: int = 0) -> int:
    """The length that the frame at `offset` claims; at least 13 bytes must be there."""
    return int(LENGTH.unpack_from(buffer, offset + 9)[0])


def frame_crc(buffer: bytes | memoryview, offset: int = 0) -> int:
    """The checksum that stands in the frame at `offset`."""
    return int(LENGTH.unpack_from(buffer, offset + 4)[0])


def last_frame_length(tail: bytes | memoryview) -> int | None:
    """The length of the frame that ends with `tail`, or None where no frame ends there."""
    if len(tail) < TAIL.size:
        return None
    tag, length = TAIL.unpack_from(tail, len(tail) - TAIL.size)
    return int(length) if tag == 0xCE and length >= FRAME_BYTES_MIN else None
