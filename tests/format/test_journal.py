"""The redo log's bytes: header slots and entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.journal import (
    ENTRIES_START,
    ENTRY_BYTES_MAX,
    EntryHead,
    Slot,
    Write,
    decode_entry_head,
    decode_slot,
    decode_writes,
    encode_entry,
    encode_slot,
    entry_is_whole,
    padded_length,
)

from .damage import cut, flipped
from .values import UINT32, UINT64, UUID_BYTES

UUID = bytes.fromhex("0198c0de000070008000000000000001")
SLOT_BYTES = b"MSGSTJNL" + bytes.fromhex(
    "820aec3b"  # 8: crc of bytes 12 to 95
    "01000000"  # 12: version
    "0500000000000000"  # 16: generation 5
    "0807060504030201"  # 24: salt
    "0c00000000000000"  # 32: rows 12
    "2200000000000000"  # 40: sequence 34
    "bebafeca"  # 48: row crc
    "efbeadde"  # 52: entry crc
    "0001000000000000"  # 56: sessions end 256
    "8800000000000000"  # 64: catalog end 136
    "0198c0de000070008000000000000001"  # 72: uuid
    "0000000000000000"  # 88
)
SLOT = Slot(
    generation=5,
    salt=0x0102030405060708,
    rows=12,
    sequence=34,
    row_crc=0xCAFEBABE,
    entry_crc=0xDEADBEEF,
    sessions_end=256,
    catalog_end=136,
    store_uuid=UUID,
)


def test_the_bytes_of_a_slot() -> None:
    """A slot is 96 bytes, little-endian, each field where the specification has it."""
    assert encode_slot(SLOT) == SLOT_BYTES
    assert decode_slot(SLOT_BYTES) == SLOT
    assert decode_slot(bytes(4096) + SLOT_BYTES, 4096) == SLOT


@given(st.builds(Slot, UINT64, UINT64, UINT64, UINT64, UINT32, UINT32, UINT64, UINT64, UUID_BYTES))
def test_encode_slot_decode_slot(slot: Slot) -> None:
    """A slot comes back as it was."""
    assert decode_slot(encode_slot(slot)) == slot


def test_generations_take_turns() -> None:
    """Even generations stand at byte 0, odd ones at 4096, entries from 8192 on."""
    assert [SLOT._replace(generation=n).offset for n in (1, 2, 3, 4)] == [4096, 0, 4096, 0]
    assert ENTRIES_START == 8192


def test_no_bit_of_a_slot_may_be_another() -> None:
    """A slot with any one bit flipped, or cut anywhere, is none."""
    for name, damaged in flipped(SLOT_BYTES):
        assert decode_slot(damaged) is None, name
    assert {decode_slot(piece) for piece in cut(SLOT_BYTES)} == {None}
    assert decode_slot(bytes(96)) is None


ENTRY = (
    b"MSJE"
    + bytes.fromhex(
        "5bb9cf8c"  # 4: crc of bytes 8 to 120
        "79000000"  # 8: length 121
        "bebafeca"  # 12: previous crc
        "0500000000000000"  # 16: generation 5
        "0807060504030201"  # 24: salt
        "2300000000000000"  # 32: sequence 35
        "0c00000000000000"  # 40: first row 12
        "0022000000000000"  # 48: durable up to 8704
        "01000000"  # 56: rows 1
        "01000000"  # 60: flags: always
        "02000000"  # 64: writes 2
        "00000000"  # 68
        "0700 0000 03000000 3800000000000000"  # 72: path of 7 bytes, data of 3, offset 56
    )
    + b"catalog\xaa\xbb\xcc"
    + bytes.fromhex("0500 0000 02000000 6000000000000000")  # 98: path of 5, data of 2, offset 96
    + b"index\x01\x02"
)
WRITES = [Write("catalog", 56, b"\xaa\xbb\xcc"), Write("index", 96, b"\x01\x02")]
HEAD = EntryHead(
    crc=0x8CCFB95B,
    length=121,
    previous_crc=0xCAFEBABE,
    generation=5,
    salt=0x0102030405060708,
    sequence=35,
    first_row=12,
    durable_upto=8704,
    rows=1,
    flags=1,
    writes=2,
)


def encoded(writes: list[Write], synced: bool = True) -> tuple[bytes, int]:
    return encode_entry(
        SLOT,
        sequence=35,
        previous_crc=0xCAFEBABE,
        first_row=12,
        rows=1,
        durable_upto=8704,
        synced=synced,
        writes=writes,
    )


def read(entry: bytes) -> list[Write] | None:
    """The writes of the entry that these bytes begin with, as recovery reads them."""
    head = decode_entry_head(entry)
    if head is None or not entry_is_whole(entry[: head.length], head):
        return None
    return decode_writes(entry[: head.length], head)


def test_the_bytes_of_an_entry() -> None:
    """An entry is its head of 72 bytes, its writes, and zeros up to a multiple of 512."""
    assert encoded(WRITES) == (ENTRY + bytes(391), 0x8CCFB95B)
    assert decode_entry_head(ENTRY) == HEAD
    assert entry_is_whole(ENTRY, HEAD)
    assert decode_writes(ENTRY, HEAD) == WRITES


def test_the_flag_of_an_entry() -> None:
    """Bit 0 of the flags says that the entry was written with durability `always`."""
    heads = [decode_entry_head(encoded([], synced)[0]) for synced in (False, True)]
    assert [head and head.flags for head in heads] == [0, 1]


SEGMENT = "streams/2c/orders-1~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack"
ONE_WRITE = st.builds(
    Write,
    st.sampled_from(["index", "catalog", "sessions", SEGMENT]),
    UINT64,
    st.binary(max_size=600),
)


@given(st.lists(ONE_WRITE, max_size=5))
def test_encode_entry_decode_writes(writes: list[Write]) -> None:
    """Writes come back as they were, from whole sectors."""
    entry, crc = encoded(writes)
    head = decode_entry_head(entry)
    assert head is not None
    assert head.crc == crc
    assert len(entry) % 512 == 0
    assert len(entry) == padded_length(head.length)
    assert not any(entry[head.length :])
    assert read(entry) == writes


def test_the_room_of_an_entry() -> None:
    """An entry takes whole sectors of 512 bytes."""
    assert [padded_length(n) for n in (72, 511, 512, 513, 1024)] == [512, 512, 512, 1024, 1024]


def test_no_bit_of_an_entry_may_be_another() -> None:
    """An entry with any one bit flipped, or cut anywhere, is none."""
    for name, damaged in flipped(ENTRY):
        assert read(damaged + bytes(391)) is None, name
    assert {read(piece) is None for piece in cut(ENTRY)} == {True}


def test_zeros_are_no_entry() -> None:
    """The journal's unused room holds no entry."""
    assert decode_entry_head(bytes(512)) is None


@pytest.mark.parametrize("length", [0, 71, ENTRY_BYTES_MAX + 1, 2**32 - 1])
def test_an_impossible_length(length: int) -> None:
    """A head whose length cannot be is none, so that nothing of that size is read."""
    assert decode_entry_head(ENTRY[:8] + length.to_bytes(4, "little") + ENTRY[12:]) is None


FORBIDDEN = {
    "the lock": "write.lock",
    "the journal": "journal",
    "the identity": "store.json",
    "upwards": "../outside",
    "absolute": "/etc/passwd",
    "nothing": "",
    "not ASCII": "indéx",
    "upwards from a segment": "streams/2c/../../outside",
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_an_entry_writes_to_nothing_else(case: str) -> None:
    """A whole entry with a write to any other path is invalid as a whole."""
    assert read(encoded([WRITES[0], Write(FORBIDDEN[case], 0, b"x")])[0]) is None


def test_an_entry_must_hold_what_it_counts() -> None:
    """More or fewer writes than the head says make an entry invalid."""
    assert decode_writes(ENTRY, HEAD._replace(writes=1)) is None
    assert decode_writes(ENTRY, HEAD._replace(writes=3)) is None
    assert decode_writes(ENTRY[:-1], HEAD) is None
    assert decode_writes(ENTRY + b"\0", HEAD) is None
