"""One row of the index, its columns, its hashes, and the index's header."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.names import hash64
from msgstore.format.row import (
    CAUSATION_ID_WORD,
    CORRELATION_ID_WORD,
    FLAGS_WORD,
    MESSAGE_ID_WORD,
    REQUEST_ID_WORD,
    REVISION_WORD,
    SESSION_WORD,
    STREAM_WORD,
    TIME_WORD_64,
    TYPE_WORD_64,
    Row,
    column_32,
    column_64,
    decode_index_header,
    decode_row,
    encode_index_header,
    encode_row,
    first_damaged,
    hash32,
    stored_crc,
)
from msgstore.model.clock import TIME_US_MAX

from .damage import cut, flipped
from .values import UINT16, UINT32, UINT64, UUID_BYTES

POSITION = 258
EXAMPLE = bytes.fromhex(
    "93404776"  # 0: crc of bytes 4 to 95, started with 258
    "0300"  # 4: flags: a command, synced
    "0100"  # 6: segment 1
    "11000000"  # 8: stream, byte 136 of the catalog
    "00100000"  # 12: offset 4096
    "5a000000"  # 16: length 90
    "efbeadde"  # 20: record crc
    "03000000"  # 24: revision 3
    "07000000"  # 28: sequence 7
    "00000000"  # 32: ordinal 0
    "02000000"  # 36: batch rows 2
    "05000000"  # 40: session 5
    "09000000"  # 44: streams 9
    "a4a3a2a1"  # 48: message id
    "b4b3b2b1"  # 52: correlation id
    "01000000"  # 56: request id
    "00000000"  # 60: causation id
    "4025d64f5e440600"  # 64: time
    "8877665544332211"  # 72: type
    "2100000000000000"  # 80: commands 33
    "0000010000000000"  # 88: segment bytes 65536
)
ROW = Row(
    flags=3,
    segment=1,
    stream=17,
    offset=4096,
    length=90,
    record_crc=0xDEADBEEF,
    revision=3,
    sequence=7,
    ordinal=0,
    batch_rows=2,
    session=5,
    streams=9,
    message_id=0xA1A2A3A4,
    correlation_id=0xB1B2B3B4,
    request_id=1,
    causation_id=0,
    time_us=1_764_021_717_312_832,
    type=0x1122334455667788,
    commands=33,
    segment_bytes=65536,
)


def test_the_bytes_of_a_row() -> None:
    """A row is 96 bytes, little-endian, each field where the specification has it."""
    assert encode_row(POSITION, ROW) == EXAMPLE
    assert decode_row(POSITION, EXAMPLE) == ROW
    assert len(EXAMPLE) == 96
    assert stored_crc(EXAMPLE) == 0x76474093


ROWS = st.builds(
    Row,
    UINT16,
    UINT16,
    *[UINT32] * 14,
    st.integers(0, TIME_US_MAX),
    *[UINT64] * 3,
)


@given(st.integers(1, 2**40), ROWS)
def test_encode_row_decode_row(position: int, row: Row) -> None:
    """A row comes back as it was, at its own position."""
    assert decode_row(position, encode_row(position, row)) == row


@given(ROWS, st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_row_in_the_wrong_place_fails(row: Row, position: int, other: int) -> None:
    """A row is none at any other position."""
    assert (decode_row(other, encode_row(position, row)) is None) == (position != other)


def test_the_example_in_the_wrong_place() -> None:
    """The row of position 258 is no row at 257, 259 or 2."""
    assert [decode_row(at, EXAMPLE) for at in (257, 259, 2, 0)] == [None, None, None, None]


def test_a_position_counts_by_its_low_32_bits() -> None:
    """Beyond 2**32 positions the checksum starts with the low 32 bits."""
    assert encode_row(2**32 + POSITION, ROW) == EXAMPLE


def test_no_bit_of_a_row_may_be_another() -> None:
    """A row with any one bit flipped is none."""
    for name, damaged in flipped(EXAMPLE):
        assert decode_row(POSITION, damaged) is None, name


def test_no_byte_of_a_row_may_be_missing() -> None:
    """A row cut anywhere is none."""
    assert {decode_row(POSITION, piece) for piece in cut(EXAMPLE)} == {None}


def test_zeros_are_no_row() -> None:
    """A stretch that was never written holds no row at any position."""
    assert {decode_row(position, bytes(96)) for position in range(1, 1000)} == {None}


def test_a_row_inside_a_window() -> None:
    """A row is looked at where it starts."""
    assert decode_row(POSITION, b"\xff" * 96 + EXAMPLE, 96) == ROW
    assert decode_row(POSITION, b"\xff" * 96 + EXAMPLE, 95) is None


def test_the_first_damaged_row_of_a_window() -> None:
    """The position of the first row that is not whole, or None."""
    window = b"".join(encode_row(position, ROW) for position in range(10, 20))
    assert first_damaged(window, 10) is None
    assert first_damaged(window, 11) == 11
    damaged = bytearray(window)
    damaged[5 * 96 + 50] ^= 1
    damaged[7 * 96] ^= 1
    assert first_damaged(bytes(damaged), 10) == 15


def test_the_columns_of_a_window() -> None:
    """A column holds one field of every row."""
    window = EXAMPLE + encode_row(259, ROW._replace(revision=4, time_us=2, type=3))
    words = {
        FLAGS_WORD: 0x0001_0003,  # the segment in the upper half
        STREAM_WORD: 17,
        SESSION_WORD: 5,
        MESSAGE_ID_WORD: 0xA1A2A3A4,
        CORRELATION_ID_WORD: 0xB1B2B3B4,
        REQUEST_ID_WORD: 1,
        CAUSATION_ID_WORD: 0,
    }
    for word, value in words.items():
        assert list(column_32(window, word)) == [value, value], word
    assert list(column_32(window, REVISION_WORD)) == [3, 4]
    assert list(column_64(window, TIME_WORD_64)) == [1_764_021_717_312_832, 2]
    assert list(column_64(window, TYPE_WORD_64)) == [0x1122334455667788, 3]


def test_the_hash_of_an_id() -> None:
    """CRC-32 of the UTF-8, 0 for an absent id, and 1 where the CRC is 0."""
    assert hash32("123456789") == 0xCBF43926
    assert hash32("orders-1") == 0x33DCFDC6
    assert hash32(None) == 0
    assert hash32("id-22-8jJB") == 1


def test_the_hash_of_a_type() -> None:
    """BLAKE2b with a digest of 8 bytes, as a little-endian number."""
    assert hash64("OrderPlaced").to_bytes(8, "little") == bytes.fromhex("8916a695ff8926b8")


HEADER = (
    b"MSGSTIDX"  # 0
    + bytes.fromhex("01000000")  # 8: version
    + bytes.fromhex("60000000")  # 12: bytes of a row, 96
    + bytes.fromhex("0198c0de000070008000000000000001")  # 16: uuid
    + bytes(60)  # 32
    + bytes.fromhex("ac889f7f")  # 92: crc of bytes 0 to 91
)
UUID = bytes.fromhex("0198c0de000070008000000000000001")


def test_the_bytes_of_an_index_header() -> None:
    """The header takes the room of one row."""
    assert encode_index_header(UUID) == HEADER
    assert len(HEADER) == 96
    assert decode_index_header(HEADER) == UUID


@given(UUID_BYTES)
def test_encode_index_header_decode_index_header(store_uuid: bytes) -> None:
    """The uuid comes back as it was."""
    assert decode_index_header(encode_index_header(store_uuid)) == store_uuid


def test_no_bit_of_an_index_header_may_be_another() -> None:
    """A header with any one bit flipped, or cut anywhere, is none."""
    for name, damaged in flipped(HEADER):
        assert decode_index_header(damaged) is None, name
    assert {decode_index_header(piece) for piece in cut(HEADER)} == {None}
