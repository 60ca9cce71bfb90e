"""The hint at the front of `write.lock`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.hint import (
    HOLDER_OFFSET,
    LOCK_FILE_BYTES,
    Hint,
    decode_hint,
    decode_holder,
    encode_hint,
    encode_holder,
)

from .damage import cut, flipped
from .values import UINT32, UINT64

EXAMPLE = b"MSHT" + bytes.fromhex(
    "99a72d21"  # 4: crc of bytes 8 to 79
    "0807060504030201"  # 8: token
    "0300000000000000"  # 16: generation 3
    "0024000000000000"  # 24: journal end 9216
    "0c00000000000000"  # 32: rows 12
    "0022000000000000"  # 40: synced end 8704
    "2200000000000000"  # 48: sequence 34
    "bebafeca"  # 56: entry crc
    "01000000"  # 60: flags: dirty
    "0001000000000000"  # 64: sessions end 256
    "8800000000000000"  # 72: catalog end 136
)
HINT = Hint(
    token=0x0102030405060708,
    generation=3,
    journal_end=9216,
    rows=12,
    synced_end=8704,
    sequence=34,
    entry_crc=0xCAFEBABE,
    flags=1,
    sessions_end=256,
    catalog_end=136,
)


def test_the_bytes_of_a_hint() -> None:
    """A hint is 80 bytes, little-endian, each field where the specification has it."""
    assert encode_hint(HINT) == EXAMPLE
    assert len(EXAMPLE) == 80
    assert decode_hint(EXAMPLE) == HINT
    assert decode_hint(EXAMPLE + b"\xff" * 56) == HINT


@given(
    st.builds(Hint, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT32, UINT32, UINT64, UINT64)
)
def test_encode_hint_decode_hint(hint: Hint) -> None:
    """A hint comes back as it was."""
    assert decode_hint(encode_hint(hint)) == hint


def test_a_dirty_hint_says_so() -> None:
    """Bit 0 of the flags means dirty, and no other bit does."""
    assert [Hint(0, 0, 0, 0, 0, 0, 0, f, 0, 0).is_dirty for f in (0, 1, 2, 3)] == [
        False,
        True,
        False,
        True,
    ]


def test_no_bit_of_a_hint_may_be_another() -> None:
    """A hint with any one bit flipped, or cut anywhere, is none."""
    for name, damaged in flipped(EXAMPLE):
        assert decode_hint(damaged) is None, name
    assert {decode_hint(piece) for piece in cut(EXAMPLE)} == {None}


def test_zeros_are_no_hint() -> None:
    """What a reset leaves in the place of the hint is none."""
    assert decode_hint(bytes(80)) is None


@given(st.integers(1, 2**64 - 1))
def test_encode_holder_decode_holder(pid: int) -> None:
    """The holder's process id stands at byte 128."""
    assert decode_holder(bytes(128) + encode_holder(pid)) == pid


def test_the_bytes_of_a_holder() -> None:
    """The process id takes 8 bytes at byte 128, little-endian; 0 and a shorter file name nobody."""
    assert (HOLDER_OFFSET, LOCK_FILE_BYTES) == (128, 136)
    assert encode_holder(4242) == bytes.fromhex("9210000000000000")
    assert decode_holder(bytes(136)) is None
    assert {decode_holder(piece) for piece in cut(b"\xff" * 136)} == {None}
