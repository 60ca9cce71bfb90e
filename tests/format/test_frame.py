"""The frame: one msgpack array with a checksum in front and its length at both ends."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.frame import (
    FRAME_BYTES_MIN,
    decode_frame,
    encode_frame,
    frame_crc,
    frame_length,
    frame_problem,
    last_frame_length,
)

from .damage import cut, flipped
from .values import JSON

EXAMPLE = bytes.fromhex(
    "dc 0005"  # 0: an array of 5: crc, length, two elements, length
    "ce 3e99c683"  # 3: crc of bytes 8 to 25, started with 5
    "ce 0000001a"  # 8: length, 26
    "a6 6f7264657273"  # 13: "orders"
    "07"  # 20: 7
    "ce 0000001a"  # 21: length again
)


def test_the_bytes_of_a_frame() -> None:
    """A frame is `dc`, its count, crc, length, the elements and the length again."""
    assert encode_frame(["orders", 7]) == EXAMPLE
    assert decode_frame(EXAMPLE) == ["orders", 7]
    assert frame_problem(EXAMPLE) is None
    assert frame_crc(EXAMPLE) == 0x3E99C683
    assert frame_length(EXAMPLE) == 26
    assert last_frame_length(EXAMPLE) == 26


@given(st.lists(JSON, max_size=40))
def test_encode_frame_decode_frame(elements: list[object]) -> None:
    """Elements come back as they were, and the frame is one msgpack object."""
    frame = encode_frame(elements)
    assert frame_problem(frame) is None
    assert decode_frame(frame) == elements
    assert msgpack.unpackb(frame)[2:-1] == elements


@pytest.mark.parametrize("count", [0, 1, 12, 13, 15, 16, 17, 300])
def test_a_frame_of_any_count(count: int) -> None:
    """The count stands in two bytes, however short msgpack itself would have it."""
    frame = encode_frame([None] * count)
    assert frame[:3] == b"\xdc" + (count + 3).to_bytes(2, "big")
    assert len(frame) == 18 + count
    assert decode_frame(frame) == [None] * count


def test_no_bit_of_a_frame_may_be_another() -> None:
    """A frame with any one bit flipped is not whole, its count included."""
    for name, damaged in flipped(EXAMPLE):
        assert frame_problem(damaged) is not None, name
        assert frame_problem(damaged + EXAMPLE) is not None, f"{name}, with a frame behind it"


def test_no_byte_of_a_frame_may_be_missing() -> None:
    """A frame that ends too early is cut, wherever it ends."""
    assert [frame_problem(piece) for piece in cut(EXAMPLE)] == ["cut"] * 26


def test_a_frame_inside_a_buffer() -> None:
    """A frame is looked at where it starts, and what surrounds it does not matter."""
    buffer = b"\xff" * 7 + EXAMPLE + b"\xff" * 9
    assert frame_problem(buffer, 7) is None
    assert frame_length(buffer, 7) == 26
    assert frame_crc(buffer, 7) == 0x3E99C683
    assert frame_problem(buffer, 6) == "not a frame"
    assert frame_problem(memoryview(buffer), 7, 5) is None
    assert frame_problem(buffer, 7, 16) == "not a frame"


WRONG: dict[str, tuple[bytes, str]] = {
    "another array": (b"\xdd" + EXAMPLE[1:], "not a frame"),
    "another crc tag": (EXAMPLE[:3] + b"\xcd" + EXAMPLE[4:], "not a frame"),
    "another length tag": (EXAMPLE[:8] + b"\xcd" + EXAMPLE[9:], "not a frame"),
    "another crc": (EXAMPLE[:4] + b"\0\0\0\0" + EXAMPLE[8:], "checksum"),
    "another count": (EXAMPLE[:2] + b"\x06" + EXAMPLE[3:], "checksum"),
    "too short a length": (EXAMPLE[:9] + b"\0\0\0\x11" + EXAMPLE[13:], "impossible length"),
    "too great a length": (EXAMPLE[:9] + b"\0\0\0\x1b" + EXAMPLE[13:], "cut"),
    # crc32 of bytes 8 to 25 with 1b as the last one, started with 5, is 499ef615
    "two lengths": (EXAMPLE[:4] + bytes.fromhex("499ef615") + EXAMPLE[8:-1] + b"\x1b", "lengths"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_frame(case: str) -> None:
    """The problem is named for the first thing that does not hold."""
    frame, problem = WRONG[case]
    assert frame_problem(frame) == problem


def test_the_last_frame_is_found_from_the_end() -> None:
    """The length in the last five bytes leads to the start of the last frame."""
    assert last_frame_length(b"anything" + EXAMPLE) == 26
    assert last_frame_length(EXAMPLE[-5:]) == 26
    assert last_frame_length(EXAMPLE[-4:]) is None
    assert last_frame_length(b"") is None
    assert last_frame_length(EXAMPLE + b"\0") is None
    assert last_frame_length(bytes.fromhex("ce 00000011")) is None


def test_the_least_frame() -> None:
    """A frame of no elements takes 18 bytes, and nothing shorter is one."""
    assert FRAME_BYTES_MIN == 18
    assert len(encode_frame([])) == 18
    assert decode_frame(encode_frame([])) == []
