"""The frames of the catalog."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.catalog import (
    CatalogEntry,
    decode_catalog_entry,
    decode_catalog_header,
    encode_catalog_entry,
    encode_catalog_header,
)
from msgstore.format.frame import frame_problem
from msgstore.format.stored import NUMBER_MAX

from .damage import cut, flipped
from .values import TEXT, UINT32, UUID_BYTES

UUID = bytes.fromhex("0198c0de000070008000000000000001")
HEADER = bytes.fromhex(
    "dc 0007"  # 0: an array of 7
    "ce 275dabc6"  # 3: crc
    "ce 00000038"  # 8: length, 56
    "b0 6d736773746f72652d636174616c6f67"  # 13: "msgstore-catalog"
    "01"  # 30: version
    "c4 10 0198c0de000070008000000000000001"  # 31: uuid
    "c4 00"  # 49: no padding is needed
    "ce 00000038"  # 51: length again
)
ENTRY = bytes.fromhex(
    "dc 0007"  # 0: an array of 7
    "ce f9accf61"  # 3: crc
    "ce 00000020"  # 8: length, 32
    "02"  # 13: ordinal
    "09"  # 14: first position
    "a8 6f72646572732d31"  # 15: stream id "orders-1"
    "c4 01 00"  # 24: padding of one zero
    "ce 00000020"  # 27: length again
)


def test_the_bytes_of_a_catalog_header() -> None:
    """The header names kind, version and store."""
    assert encode_catalog_header(UUID) == HEADER
    assert decode_catalog_header(HEADER) == UUID


def test_the_bytes_of_a_catalog_entry() -> None:
    """A stream's frame holds its ordinal, its first position, its id and padding."""
    assert encode_catalog_entry(CatalogEntry(2, 9, "orders-1")) == ENTRY
    assert decode_catalog_entry(ENTRY) == CatalogEntry(2, 9, "orders-1")


@given(UUID_BYTES)
def test_encode_catalog_header_decode_catalog_header(store_uuid: bytes) -> None:
    """The uuid comes back as it was."""
    assert decode_catalog_header(encode_catalog_header(store_uuid)) == store_uuid


@given(UINT32, st.integers(1, NUMBER_MAX), TEXT)
def test_encode_catalog_entry_decode_catalog_entry(
    ordinal: int, first_position: int, stream_id: str
) -> None:
    """An entry comes back as it was, and takes a multiple of 8 bytes."""
    entry = CatalogEntry(ordinal, first_position, stream_id)
    frame = encode_catalog_entry(entry)
    assert decode_catalog_entry(frame) == entry
    assert frame_problem(frame, 0, 7) is None
    assert len(frame) % 8 == 0


def test_every_length_is_padded() -> None:
    """Ids of 1 to 1,024 bytes give frames of the next multiple of 8."""
    for size in range(1, 1025):
        bare = 13 + 1 + 1 + (1 if size < 32 else 2 if size < 256 else 3) + size + 2 + 5
        frame = encode_catalog_entry(CatalogEntry(0, 1, "x" * size))
        assert len(frame) == bare + (8 - bare % 8) % 8


def test_no_bit_of_a_catalog_frame_may_be_another() -> None:
    """A frame with any one bit flipped, or cut anywhere, is not whole."""
    for whole in (HEADER, ENTRY):
        for name, damaged in flipped(whole):
            assert frame_problem(damaged) is not None, name
        assert {frame_problem(piece) for piece in cut(whole)} == {"cut"}


def test_a_stream_is_no_catalog_header() -> None:
    """A whole frame of another kind is not taken for a header."""
    assert decode_catalog_header(ENTRY) is None
