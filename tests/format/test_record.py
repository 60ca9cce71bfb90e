"""A message as bytes: the record frame, and the segment's header."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.frame import frame_crc, frame_problem
from msgstore.format.record import (
    RecordHead,
    SegmentHeader,
    decode_head,
    decode_record,
    decode_segment_header,
    encode_body,
    encode_record,
    encode_segment_header,
    record_session,
)
from msgstore.model.errors import MessageTooLarge
from msgstore.model.message import NO_SESSION, Message, MessageType, PositionalMessage
from msgstore.model.values import json_equal

from .damage import cut, flipped
from .values import JSON, TEXT, UINT32, UINT64, UUID_BYTES

ID = "0198c0de-0000-7000-8000-000000000002"
MOMENT = datetime(2025, 11, 24, 22, 1, 57, 312832, UTC)
MOMENT_US = 1_764_021_717_312_832

MESSAGE = Message(
    "PlaceOrder", {"total": 99.5}, id=ID, correlation_id="c", timestamp=MOMENT, metadata=None
)
EXAMPLE = bytes.fromhex(
    "dc 0010"  # 0: an array of 16
    "ce 4bbdb5c2"  # 3: crc of bytes 8 to 104, started with 16
    "ce 00000069"  # 8: length, 105
    "cf 0000000000000102"  # 13: position 258
    "cf 0006445e4fd62540"  # 22: time
    "ce 00000003"  # 31: revision 3
    "01"  # 36: a command
    "a3 732d31"  # 37: session "s-1"
    "aa 506c6163654f72646572"  # 41: type "PlaceOrder"
    "81 a5 746f74616c cb 4058e00000000000"  # 52: data {"total": 99.5}
    "c4 10 0198c0de000070008000000000000002"  # 68: id, 16 bytes
    "c0"  # 86: no request id
    "a1 63"  # 87: correlation id "c"
    "c0"  # 89: no causation id
    "cf 0006445e4fd62540"  # 90: the producer's timestamp
    "c0"  # 99: no metadata
    "ce 00000069"  # 100: length again
)
STORED = PositionalMessage("orders-1", MESSAGE, MessageType.COMMAND, 3, 258, MOMENT, "s-1")


def test_the_bytes_of_a_record() -> None:
    """A record is its place, its time and its kind at fixed offsets, then the message."""
    body = encode_body(MESSAGE, ID, "s-1")
    assert encode_record(body, 258, MOMENT_US, 3, True) == EXAMPLE
    assert frame_problem(EXAMPLE, 0, 16) is None
    assert decode_record(EXAMPLE, "orders-1") == STORED


def test_the_head_of_a_record() -> None:
    """Position, time, revision and kind are read from their offsets without unpacking."""
    head = RecordHead(0x4BBDB5C2, 105, 258, MOMENT_US, 3, True)
    assert decode_head(EXAMPLE) == head
    assert decode_head(EXAMPLE[:37]) == head
    assert decode_head(b"\xdc\x00\x10\xce" + EXAMPLE, 4) == head
    assert frame_crc(EXAMPLE) == 0x4BBDB5C2


@pytest.mark.parametrize("session", [None, "s-1", "x" * 200, "x" * 1024, "ä" * 512])
def test_the_session_of_a_record(session: str | None) -> None:
    """It is read without unpacking what follows it, however long that is."""
    body = encode_body(Message("T", "y" * 5000), ID, session)
    assert record_session(encode_record(body, 1, MOMENT_US, 0, False)) == session
    assert record_session(EXAMPLE) == "s-1"


MESSAGES = st.builds(
    Message,
    TEXT,
    JSON,
    request_id=st.none() | TEXT,
    correlation_id=st.none() | TEXT,
    causation_id=st.none() | TEXT,
    timestamp=st.none() | st.datetimes(timezones=st.just(UTC)),
    metadata=JSON,
)


@given(MESSAGES, TEXT | st.uuids().map(str), st.none() | TEXT, UINT64, UINT32, st.booleans())
def test_encode_record_decode_record(
    message: Message,
    message_id: str,
    session_id: str | None,
    position: int,
    revision: int,
    is_command: bool,
) -> None:
    """A message comes back as it went in, with its place, time, kind and session."""
    body = encode_body(message, message_id, session_id)
    frame = encode_record(body, position, MOMENT_US, revision, is_command)
    assert frame_problem(frame, 0, 16) is None
    assert decode_head(frame) == RecordHead(
        frame_crc(frame), len(frame), position, MOMENT_US, revision, is_command
    )
    stored = decode_record(frame, "s")
    assert (stored.position, stored.revision, stored.timestamp) == (position, revision, MOMENT)
    assert stored.message_type == ("command" if is_command else "event")
    assert stored.session_id == (session_id or NO_SESSION)
    assert stored.message.id == message_id
    back, there = stored.message.to_json(), message.to_json()
    assert json_equal({**back, "id": None}, {**there, "id": None})


NUMBERS: dict[str, tuple[object, str]] = {
    "the least integer": (-(2**63), "d3 8000000000000000"),
    "the greatest signed one": (2**63 - 1, "cf 7fffffffffffffff"),
    "the greatest integer": (2**64 - 1, "cf ffffffffffffffff"),
    "one": (1, "01"),
    "one with a fraction": (1.0, "cb 3ff0000000000000"),
    "minus nothing": (-0.0, "cb 8000000000000000"),
    "the least fraction": (5e-324, "cb 0000000000000001"),
    "a tenth": (0.1, "cb 3fb999999999999a"),
    "true": (True, "c3"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_keep_their_kind(case: str) -> None:
    """Integers are 64-bit, numbers with a fraction float 64, and neither becomes the other."""
    value, packed = NUMBERS[case]
    body = encode_body(Message("T", [value]), "i", None)
    assert body == bytes.fromhex(f"c0 a1 54 91 {packed} a1 69 c0 c0 c0 c0 c0")
    back = decode_record(encode_record(body, 1, 0, 0, False), "s").message.data[0]
    assert (type(back), repr(back)) == (type(value), repr(value))


IDS: dict[str, tuple[str, str]] = {
    "canonical": (ID, "c410 0198c0de000070008000000000000002"),
    "upper case": (ID.upper(), "d924" + ID.upper().encode().hex()),
    "without dashes": (ID.replace("-", ""), "d920" + ID.replace("-", "").encode().hex()),
    "in braces": ("{" + ID + "}", "d926" + f"{{{ID}}}".encode().hex()),
    "sixteen bytes of text": ("0123456789abcdef", "b0 30313233343536373839616263646566"),
}


@pytest.mark.parametrize("case", IDS)
def test_only_a_canonical_uuid_is_kept_as_bytes(case: str) -> None:
    """An id is 16 bytes if those give back its text exactly, and text otherwise."""
    text, packed = IDS[case]
    body = encode_body(Message("T", 0), text, None)
    assert body == bytes.fromhex(f"c0 a1 54 00 {packed} c0 c0 c0 c0 c0")
    assert decode_record(encode_record(body, 1, 0, 0, False), "s").message.id == text


def test_no_bit_of_a_record_may_be_another() -> None:
    """A record with any one bit flipped is not whole."""
    for name, damaged in flipped(EXAMPLE):
        assert frame_problem(damaged, 0, 16) is not None, name


def test_no_byte_of_a_record_may_be_missing() -> None:
    """A record cut anywhere is not whole, and has no head before byte 37."""
    for piece in cut(EXAMPLE):
        assert frame_problem(piece, 0, 16) == "cut"
        assert (decode_head(piece) is None) == (len(piece) < 37)


@pytest.mark.parametrize("at", [0, 1, 2, 3, 8, 13, 22, 31, 36])
def test_a_head_needs_its_tags(at: int) -> None:
    """Where a tag, the count or the kind is another, no record starts."""
    damaged = bytearray(EXAMPLE)
    damaged[at] ^= 0x02
    assert decode_head(damaged) is None


def test_a_message_over_the_limit_is_refused() -> None:
    """A body of 16 MiB with its msgpack head is accepted, a byte more is MessageTooLarge."""
    # around a text of over 64 KiB: array, nil, "T", the text's own head, "i", five times nil
    room = 16 * 1024 * 1024 - (1 + 1 + 2 + 5 + 2 + 5)
    assert len(encode_body(Message("T", "x" * room), "i", None)) == 16 * 1024 * 1024 - 1
    with pytest.raises(MessageTooLarge) as caught:
        encode_body(Message("T", "x" * (room + 1)), "i", None)
    assert caught.value.size_bytes == 16_777_217
    assert caught.value.size_bytes_max == 16_777_216


HEADER = bytes.fromhex(
    "dc 0009"  # 0: an array of 9
    "ce cbe65a35"  # 3: crc
    "ce 00000043"  # 8: length, 67
    "b0 6d736773746f72652d7365676d656e74"  # 13: "msgstore-segment"
    "01"  # 30: version
    "c4 10 0198c0de000070008000000000000001"  # 31: uuid
    "a8 6f72646572732d31"  # 49: stream id "orders-1"
    "02"  # 58: segment number
    "cd 012c"  # 59: first revision, 300
    "ce 00000043"  # 62: length again
)
UUID = bytes.fromhex("0198c0de000070008000000000000001")


def test_the_bytes_of_a_segment_header() -> None:
    """A segment's header names the store, the stream, its number and its first revision."""
    header = SegmentHeader(UUID, "orders-1", 2, 300)
    assert encode_segment_header(header) == HEADER
    assert decode_segment_header(HEADER) == header


@given(UUID_BYTES, TEXT, UINT32, UINT32)
def test_encode_segment_header_decode_segment_header(
    store_uuid: bytes, stream_id: str, number: int, first_revision: int
) -> None:
    """A header comes back as it was."""
    header = SegmentHeader(store_uuid, stream_id, number, first_revision)
    frame = encode_segment_header(header)
    assert frame_problem(frame, 0, 9) is None
    assert decode_segment_header(frame) == header
    assert decode_head(frame) is None


def test_no_bit_of_a_segment_header_may_be_another() -> None:
    """A header with any one bit flipped is not whole, nor is one that is cut."""
    for name, damaged in flipped(HEADER):
        assert frame_problem(damaged) is not None, name
    assert {frame_problem(piece) for piece in cut(HEADER)} == {"cut"}


def test_a_record_is_no_segment_header() -> None:
    """A whole frame of another kind is not taken for a header."""
    assert decode_segment_header(EXAMPLE) is None


def test_any_unpacker_walks_a_segment() -> None:
    """A bare msgpack Unpacker gives header and records, element by element as documented."""
    second = encode_record(encode_body(Message("Noted", []), "n-1", None), 259, MOMENT_US, 4, False)
    objects = list(msgpack.Unpacker(BytesIO(HEADER + EXAMPLE + second)))
    assert objects == [
        [0xCBE65A35, 67, "msgstore-segment", 1, UUID, "orders-1", 2, 300, 67],
        [
            0x4BBDB5C2,
            105,
            258,
            MOMENT_US,
            3,
            1,
            "s-1",
            "PlaceOrder",
            {"total": 99.5},
            bytes.fromhex("0198c0de000070008000000000000002"),
            None,
            "c",
            None,
            MOMENT_US,
            None,
            105,
        ],
        [
            frame_crc(second),
            59,
            259,
            MOMENT_US,
            4,
            0,
            None,
            "Noted",
            [],
            "n-1",
            None,
            None,
            None,
            None,
            None,
            59,
        ],
    ]
