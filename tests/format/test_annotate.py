"""Every byte of a structure is in one field, whatever the bytes are, and no damage goes unsaid."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore import Message
from msgstore.format.annotate import (
    Annotation,
    annotate_entry,
    annotate_hint,
    annotate_row,
    annotate_slot,
)
from msgstore.format.annotate_frame import annotate_frame
from msgstore.format.catalog import CatalogEntry, encode_catalog_entry, encode_catalog_header
from msgstore.format.hint import Hint, encode_hint, encode_holder
from msgstore.format.journal import Slot, Write, encode_entry, encode_slot
from msgstore.format.record import (
    SegmentHeader,
    encode_body,
    encode_record,
    encode_segment_header,
)
from msgstore.format.row import encode_row
from msgstore.format.session_log import (
    SessionEvent,
    encode_session_event,
    encode_sessions_header,
)

UUID = bytes(range(16))
SEGMENT = "streams/27/a~27c35e6e9373877f29e562464e46497e.msgpack"
TIME_US = 1_795_442_400_000_000  # 2026-11-23T14:00:00Z
SLOT = Slot(7, 8, 9, 10, 11, 12, 13, 14, UUID)
MESSAGE = Message("T", {"a": [1, 2.5, None, "x"]}, id="m-1", correlation_id="c")
ENTRY = encode_entry(
    SLOT,
    sequence=11,
    previous_crc=12,
    first_row=9,
    rows=1,
    durable_upto=8192,
    synced=True,
    writes=[Write("catalog", 56, b"abc"), Write("index", 960, b"row")],
)[0]
ENTRY_BYTES = 72 + 16 + 7 + 3 + 16 + 5 + 3

STRUCTURES: dict[str, tuple[bytes, Callable[[bytes], Annotation]]] = {
    "row": (
        encode_row(5, (3, 0, 7, 176, 89, 1, 1, 4, 0, 1, 1, 1, 2, 0, 0, 0, TIME_US, 9, 1, 265)),
        lambda data: annotate_row(data, 5, "index", 480),
    ),
    "slot": (encode_slot(SLOT), lambda data: annotate_slot(data, "journal", 4096)),
    "entry": (ENTRY[:ENTRY_BYTES], lambda data: annotate_entry(data, "journal", 8192)),
    "hint": (
        encode_hint(Hint(1, 2, 3, 4, 5, 6, 7, 1, 9, 10)),
        lambda data: annotate_hint(data, "write.lock"),
    ),
    "record": (
        encode_record(encode_body(MESSAGE, "m-1", "run"), 5, TIME_US, 2, True),
        lambda data: annotate_frame(data, SEGMENT, 100),
    ),
    "segment header": (
        encode_segment_header(SegmentHeader(UUID, "a", 0, 0)),
        lambda data: annotate_frame(data, SEGMENT, 0),
    ),
    "catalog header": (
        encode_catalog_header(UUID),
        lambda data: annotate_frame(data, "catalog", 0),
    ),
    "catalog entry": (
        encode_catalog_entry(CatalogEntry(0, 1, "a")),
        lambda data: annotate_frame(data, "catalog", 56),
    ),
    "session log header": (
        encode_sessions_header(UUID),
        lambda data: annotate_frame(data, "sessions", 0),
    ),
    "session event": (
        encode_session_event(
            SessionEvent("start", 1, "run", TIME_US, 4, None, 1, {"name": "x", "labels": {}})
        ),
        lambda data: annotate_frame(data, "sessions", 53),
    ),
}


@pytest.fixture(params=list(STRUCTURES))
def structure(request: pytest.FixtureRequest) -> tuple[bytes, Callable[[bytes], Annotation]]:
    return STRUCTURES[request.param]


Structure = tuple[bytes, Callable[[bytes], Annotation]]


def test_a_sound_structure(structure: Structure) -> None:
    """Each byte is in one field, in order, and there is no problem."""
    data, annotate = structure
    found = annotate(data)
    assert found.problems == []
    assert b"".join(field.data for field in found.fields) == data
    at = found.offset
    for field in found.fields:
        assert field.offset == at
        at += len(field.data)
    assert found.length == len(data)


def test_any_damaged_byte(structure: Structure) -> None:
    """Whichever byte is another, something is said not to hold, and every byte is still shown."""
    data, annotate = structure
    for at in range(len(data)):
        for bit in (0x01, 0x80):
            spoilt = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            found = annotate(spoilt)
            assert found.problems, at
            assert all(field.data in spoilt for field in found.fields)


def test_any_cut(structure: Structure) -> None:
    """Whatever is missing at the end is said to be."""
    data, annotate = structure
    for size in range(len(data)):
        assert annotate(data[:size]).problems, size


@pytest.mark.parametrize("seed", range(20))
def test_rubbish(structure: Structure, seed: int) -> None:
    """No bytes whatever are an error."""
    data, annotate = structure
    rubbish = random.Random(seed).randbytes(len(data))
    for spoilt in (rubbish, data[:13] + rubbish, data[: len(data) // 2] + rubbish):
        annotate(spoilt).to_json()


@given(st.binary(max_size=300))
def test_a_frame_around_anything(body: bytes) -> None:
    """The elements of a frame may be anything, of msgpack or not."""
    import orjson

    from msgstore.format.frame import seal

    for path, offset in ((SEGMENT, 9), ("catalog", 56), ("sessions", 0)):
        orjson.dumps(annotate_frame(seal(16, body), path, offset).to_json(), default=str)


def value(found: Annotation, name: str) -> object:
    [field] = [field for field in found.fields if field.name == name]
    return (field.offset, field.data.hex(), field.value, field.meaning)


def test_the_fields_of_a_record() -> None:
    """Fields stand where docs/format.md has them, and say what was saved."""
    data, annotate = STRUCTURES["record"]
    found = annotate(data)
    assert found.what == "record"
    assert value(found, "position") == (113, "cf0000000000000005", 5, "")
    assert value(found, "revision") == (131, "ce00000002", 2, "")
    assert value(found, "kind") == (136, "01", 1, "command")
    assert found.value_of("session") == "run"
    assert found.value_of("data") == {"a": [1, 2.5, None, "x"]}
    assert found.value_of("id") == "m-1"
    assert [f.meaning for f in found.fields if f.name == "time"] == ["2026-11-23T14:00:00.000Z"]


def test_the_fields_of_a_row() -> None:
    """Flags, places and times have their meaning beside them."""
    data, annotate = STRUCTURES["row"]
    found = annotate(data)
    assert value(found, "flags") == (484, "0300", 3, "command, synced")
    assert value(found, "stream") == (488, "07000000", 7, "catalog, byte 56")
    assert value(found, "offset") == (492, "b0000000", 176, "")
    assert value(found, "segment bytes") == (568, "0901000000000000", 265, "")


def test_the_fields_of_a_journal() -> None:
    """A slot has its uuid, an entry its writes, a lock file its last holder."""
    data, annotate = STRUCTURES["slot"]
    assert annotate(data).value_of("uuid") == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    data, annotate = STRUCTURES["entry"]
    found = annotate(data)
    assert [f.value for f in found.fields if f.name == "path"] == ["catalog", "index"]
    assert [f.data for f in found.fields if f.name == "data"] == [b"abc", b"row"]
    data, annotate = STRUCTURES["hint"]
    locked = annotate(data.ljust(128, b"\0") + encode_holder(4242))
    assert value(locked, "holder") == (128, "9210000000000000", 4242, "")
    assert value(locked, "flags") == (60, "01000000", 1, "dirty")


def test_checksums_are_told() -> None:
    """A wrong checksum is told with the one that the bytes have."""
    data, annotate = STRUCTURES["row"]
    found = annotate(data[:40] + b"\xff" + data[41:])
    stands = f"{int.from_bytes(data[:4], 'little'):08x}"
    [problem] = found.problems
    assert problem.startswith(f"crc: {stands} stands there, the bytes have ")


def test_a_slot_that_was_never_used() -> None:
    """Zeros are no damage there, and no hint is one."""
    assert annotate_slot(bytes(96), "journal", 0).problems == []
    assert annotate_hint(bytes(80), "write.lock").problems == [
        "there is no hint: the next to open the store recovers it"
    ]
