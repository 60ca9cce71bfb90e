"""A message as bytes: the record frame of a segment, and the segment's header.

See docs/format.md, "Segments". Packing the body is most of the work and needs nothing that is only
known under the lock; `encode_record` adds the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

import msgpack

from msgstore.format import FORMAT_VERSION
from msgstore.format.frame import decode_frame, encode_frame
from msgstore.format.stored import stored_number, stored_text, stored_uuid
from msgstore.model.clock import format_uuid, parse_uuid, to_datetime, to_us
from msgstore.model.errors import InvalidMessage, MessageTooLarge
from msgstore.model.message import (
    NO_SESSION,
    Message,
    MessageType,
    PositionalMessage,
    restore_message,
    restore_positional,
)
from msgstore.model.values import MESSAGE_BYTES_MAX, Json

SEGMENT_KIND = "msgstore-segment"
RECORD_ELEMENTS = 16

# 0         3       8         13          22      31          36     37
# | dc 00 10 | ce crc | ce length | cf position | cf time | ce revision | kind | body … | ce length |
HEAD = struct.Struct(">BHBIBIBQBQBIB")
assert HEAD.size == 37
_SEALED = struct.Struct(">BHBI")
_REST = struct.Struct(">BIBQBQBIB")
_TAIL = struct.Struct(">BI")
_OVERHEAD = HEAD.size + _TAIL.size
assert _SEALED.size + _REST.size == HEAD.size

RECORD_FIELDS = (
    *("position", "time", "revision", "kind", "session", "type", "data", "id"),
    *("request id", "correlation id", "causation id", "timestamp", "metadata"),
)
"""The names of the elements 3 to 15."""
_RECORD_COUNT = RECORD_ELEMENTS.to_bytes(2, "big")
KINDS = {0: MessageType.EVENT, 1: MessageType.COMMAND}
_NUMBER_TAGS = b"\xcf\xcf\xce"  # at bytes 13, 22 and 31
_pack = msgpack.Packer(autoreset=True).pack


Body = tuple[
    str | None,  # session id
    str,  # type
    Any,  # data
    bytes | str,  # id, a UUID as its 16 bytes
    str | None,  # request id
    str | None,  # correlation id
    str | None,  # causation id
    int | None,  # timestamp
    Any,  # metadata
]
"""The elements 7 to 15 of a record, as they are packed."""


Encoded: TypeAlias = tuple[
    str,  # stream id
    bytes,  # the record's body
    bool,  # whether it is a command
    int,  # the hash of the type
    tuple[int, int, int, int],  # of message id, correlation id, request id and causation id
]
"""A message that only wants its place, with what its row says of it. A bare tuple, for it is made by
the hundred thousand."""


def encode_body(message: Message, message_id: str, session_id: str | None) -> bytes:
    """The elements 7 to 15 of a record.

    Raises MessageTooLarge, and InvalidMessage for data that changed since it was checked.
    """
    return pack_body(body_of(message, parse_uuid(message_id) or message_id, session_id))


def body_of(message: Message, raw_id: bytes | str, session_id: str | None) -> Body:
    """What is packed of a message; `raw_id` is its id, a UUID as 16 bytes."""
    return (
        session_id,
        message.type,
        message.data,
        raw_id,
        message.request_id,
        message.correlation_id,
        message.causation_id,
        None if message.timestamp is None else to_us(message.timestamp),
        message.metadata,
    )


def pack_body(body: Body) -> bytes:
    """Raises as `encode_body` does."""
    try:
        packed: bytes = _pack(body)
    except (TypeError, UnicodeError) as error:
        raise InvalidMessage("data", f"was changed after it was checked: {error}") from None
    except (ValueError, OverflowError) as error:  # msgpack's own limit of 2**32 - 1 bytes
        raise MessageTooLarge("the message", MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX) from error
    if len(packed) > MESSAGE_BYTES_MAX:
        raise MessageTooLarge("the message", len(packed), MESSAGE_BYTES_MAX)
    return packed[1:]


def encode_record(
    body: bytes, position: int, time_us: int, revision: int, is_command: bool
) -> bytes:
    """The whole record frame around a body."""
    return b"".join(seal_record(body, position, time_us, revision, is_command)[:2])


def seal_record(
    body: bytes,
    position: int,
    time_us: int,
    revision: int,
    is_command: bool,
    # Looked up once: this is called for every message that is saved.
    seal: Callable[..., bytes] = _SEALED.pack,
    head: Callable[..., bytes] = _REST.pack,
    tail: Callable[..., bytes] = _TAIL.pack,
) -> tuple[bytes, bytes, int, int]:
    """The record frame around a body in two parts, its length, and its checksum."""
    length = _OVERHEAD + len(body)
    rest = (
        head(0xCE, length, 0xCF, position, 0xCF, time_us, 0xCE, revision, is_command)
        + body
        + tail(0xCE, length)
    )
    crc = crc32(rest, RECORD_ELEMENTS)
    return seal(0xDC, RECORD_ELEMENTS, 0xCE, crc), rest, length, crc


class RecordHead(NamedTuple):
    """What stands at fixed places of a record; nothing is unpacked to know it."""

    crc: int
    length: int
    position: int
    time_us: int
    revision: int
    is_command: bool


def decode_head(buffer: bytes | memoryview, offset: int = 0) -> RecordHead | None:
    """The head of the record at `offset`, unchecked but for its tags; None where no record starts."""
    if len(buffer) - offset < HEAD.size:
        return None
    fields = HEAD.unpack_from(buffer, offset)
    if fields[0:3:2] != (0xDC, 0xCE) or fields[1] != RECORD_ELEMENTS:
        return None
    if fields[4::2] != (0xCE, 0xCF, 0xCF, 0xCE, fields[12]) or fields[12] > 1:
        return None
    return RecordHead(fields[3], fields[5], fields[7], fields[9], fields[11], bool(fields[12]))


LOOK = struct.Struct(">4sIBIBQB8xBI")
LOOK_START = b"\xdc\x00\x10\xce"
CRC_START = 8


def is_meant(
    frame: bytes | memoryview, position: int, length: int, crc: int, revision: int
) -> bool:
    """Whether these bytes are the whole record that an index row tells of, beyond doubt."""
    return (
        len(frame) == length
        and length >= _OVERHEAD
        and LOOK.unpack_from(frame)
        == (LOOK_START, crc, 0xCE, length, 0xCF, position, 0xCF, 0xCE, revision)
        and frame[_KIND_OFFSET] <= 1
        and _TAIL.unpack_from(frame, length - _TAIL.size) == (0xCE, length)
        and crc32(frame[CRC_START:], RECORD_ELEMENTS) == crc
    )


_REVISION = struct.Struct(">I")
_REVISION_OFFSET, _KIND_OFFSET = 32, 36


def is_record(frame: bytes | memoryview) -> bool:
    """Whether a whole frame is a record: the header of a segment is the only other kind."""
    return frame[1:3] == _RECORD_COUNT


def record_revision(frame: bytes | memoryview) -> int:
    """The revision that stands in a whole record frame."""
    return int(_REVISION.unpack_from(frame, _REVISION_OFFSET)[0])


_DATA_ELEMENT = RECORD_FIELDS.index("data")
_SESSION_BYTES_MAX = 2048


def record_session(frame: bytes | memoryview) -> str | None:
    """The session id in a whole record frame; the rest of the body is not unpacked."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(frame[HEAD.size : HEAD.size + _SESSION_BYTES_MAX])
    session_id: str | None = unpacker.unpack()
    return session_id


def record_data(frame: bytes | memoryview) -> Json:
    """The data alone of a whole record frame. Raises ValueError as `decode_record` does, or less often."""
    elements = decode_frame(frame)
    if len(elements) != RECORD_ELEMENTS - 3:
        raise ValueError("it is not in the shape of a record")
    return elements[_DATA_ELEMENT]


def decode_record(frame: bytes | memoryview, stream_id: str) -> PositionalMessage:
    """The message of a whole record frame, whose checksum has been looked at.

    Raises ValueError where it is not in the shape that msgstore writes. That `data` and `metadata`
    hold nothing but JSON is not looked into: extension types and the like are refused, but a byte
    string or a NaN in them comes through.
    """
    try:
        position, time_us, revision, kind, session_id, *body = decode_frame(frame)
        if (
            frame[13:32:9] != _NUMBER_TAGS
            or kind.__class__ is not int  # true is 1 to Python, and not to a record's head
            or not (session_id is None or session_id.__class__ is str)
        ):
            raise ValueError("it is not in the shape of a record")
        return restore_positional(
            stream_id,
            decode_body(body),
            KINDS[kind],
            revision,
            position,
            to_datetime(time_us),
            session_id or NO_SESSION,
        )
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"it is not in the shape of a record ({error})") from None


def decode_body(body: list[Any]) -> Message:
    """The message of elements 8 to 15. Raises ValueError for another number of them, or no texts."""
    type_, data, id_, request_id, correlation_id, causation_id, timestamp_us, metadata = body
    if id_.__class__ is bytes and len(id_) == 16:
        id_ = format_uuid(id_)
    if not (
        type_.__class__ is id_.__class__ is str
        and (request_id is None or request_id.__class__ is str)
        and (correlation_id is None or correlation_id.__class__ is str)
        and (causation_id is None or causation_id.__class__ is str)
    ):
        raise ValueError("its type or an id is no text")
    return restore_message(
        type_,
        data,
        id_,
        request_id,
        correlation_id,
        causation_id,
        None if timestamp_us is None else to_datetime(timestamp_us),
        metadata,
    )


class SegmentHeader(NamedTuple):
    store_uuid: bytes
    stream_id: str
    segment_number: int
    first_revision: int


def encode_segment_header(header: SegmentHeader) -> bytes:
    return encode_frame(
        (
            SEGMENT_KIND,
            FORMAT_VERSION,
            header.store_uuid,
            header.stream_id,
            header.segment_number,
            header.first_revision,
        )
    )


def decode_segment_header(frame: bytes | memoryview) -> SegmentHeader | None:
    """The header in a whole frame, or None where the frame is no segment header of this version.

    Raises ValueError for a frame that msgstore does not write.
    """
    elements = decode_frame(frame)
    if len(elements) != 6 or elements[:2] != [SEGMENT_KIND, FORMAT_VERSION]:
        return None
    store_uuid, stream_id, segment_number, first_revision = elements[2:]
    return SegmentHeader(
        stored_uuid(store_uuid),
        stored_text(stream_id, "stream id"),
        stored_number(segment_number, "segment's number"),
        stored_number(first_revision, "first revision"),
    )
