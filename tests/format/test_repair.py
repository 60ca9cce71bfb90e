"""The mark of a repair, byte by byte."""

from __future__ import annotations

import msgpack
import pytest

from msgstore.format.repair import Move, Swap, decode_swap, encode_swap

SEGMENT = "streams/2c/orders-1~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack"
SWAP = Swap(
    b'{"format": "msgstore"}\n',
    "quarantine/repair-1",
    (Move("index", True), Move(SEGMENT, False), Move("lookup", False), Move("store.json", True)),
)


def test_encode_and_decode() -> None:
    """One frame of eight elements, as the page has it, which comes back as it was."""
    frame = encode_swap(SWAP)
    elements = msgpack.unpackb(frame)
    assert elements[0] == int.from_bytes(frame[4:8], "big")
    assert elements[1] == elements[7] == len(frame)
    assert elements[2:7] == [
        "msgstore-repair",
        1,
        b'{"format": "msgstore"}\n',
        "quarantine/repair-1",
        [["index", True], [SEGMENT, False], ["lookup", False], ["store.json", True]],
    ]
    assert decode_swap(frame) == SWAP
    assert SWAP.moves[0].prepared == "repair.new/index"


def test_any_flipped_bit_is_found() -> None:
    """A mark that is not whole is none."""
    frame = encode_swap(SWAP)
    for at in range(len(frame)):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[at] ^= 1 << bit
            assert decode_swap(bytes(damaged)) is None
    assert decode_swap(frame[:-1]) is None
    assert decode_swap(b"") is None


@pytest.mark.parametrize(
    "path", ["../index", "/etc/passwd", "write.lock", "streams/../../x", "quarantine/x", ""]
)
def test_only_files_of_a_store_are_moved(path: str) -> None:
    """A mark that names anything but files that a repair may move is none."""
    assert decode_swap(encode_swap(SWAP._replace(moves=(Move(path, True),)))) is None
