"""Runs: what is encoded is found again, and what is not whole is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.run import (
    BLOCK_BYTES,
    BLOCK_KEYS,
    decode_block,
    decode_fences,
    decode_run_header,
    encode_run,
    run_path,
    split_run_name,
)

UUID = bytes(range(16))


def made(keys: list[int]) -> bytes:
    return encode_run("ends", UUID, (1, 9000), 77, 0xABCD, keys)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=1200).map(sorted))
def test_encode_and_decode_run(keys: list[int]) -> None:
    """Header, keys and the first key of each block come back."""
    data = made(keys)
    header = decode_run_header(data)
    assert header is not None
    assert header[:6] == ("ends", UUID, 1, 9000, 77, len(keys))
    blocks = [data[at : at + BLOCK_BYTES] for at in range(BLOCK_BYTES, header.fences_offset, 1024)]
    decoded = [decode_block(number, block) for number, block in enumerate(blocks)]
    assert [key for block in decoded for key in block or ()] == keys
    fences = decode_fences(header, data[header.fences_offset :])
    assert fences is not None
    assert list(fences) == keys[::BLOCK_KEYS]


@given(st.integers(0, 87), st.integers(0, 7))
def test_a_flipped_bit_of_the_header(at: int, bit: int) -> None:
    """No header stands there any more."""
    data = bytearray(made([1, 2, 3])[:BLOCK_BYTES])
    data[at] ^= 1 << bit
    assert decode_run_header(bytes(data)) is None


@given(st.integers(0, BLOCK_BYTES - 1), st.integers(0, 7))
def test_a_flipped_bit_of_a_block(at: int, bit: int) -> None:
    """No block stands there any more, and none counts in the place of another."""
    block = bytearray(made([1, 2, 3])[BLOCK_BYTES : 2 * BLOCK_BYTES])
    assert decode_block(1, bytes(block)) is None
    block[at] ^= 1 << bit
    assert decode_block(0, bytes(block)) is None


def test_names() -> None:
    """A run's file says what it is of; any other name is none."""
    assert run_path("ends", 1, 8192) == "lookup/ends-1-8192"
    assert split_run_name("ends-1-8192") == ("ends", 1, 8192)
    for name in (
        "ends-1-8192.new",
        "ends-0-5",
        "ends-9-5",
        "ends-1",
        "Ends-1-2",
        "ends-1-2\n",
        "x",
    ):
        assert split_run_name(name) is None
