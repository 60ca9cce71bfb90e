"""The decoders of `msgstore/format/`: a value or the documented refusal, and every value comes back.

What a decoder gives is encoded and decoded again: it must be the same. What is shown of bytes is
bounded by them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import orjson

from fuzz.sealing import (
    ROW_POSITION,
    seal_entry,
    seal_frame,
    seal_hint,
    seal_index_header,
    seal_row,
    seal_slot,
)
from fuzz.target import target
from msgstore.format.annotate import (
    Annotation,
    annotate_entry,
    annotate_hint,
    annotate_row,
    annotate_slot,
)
from msgstore.format.annotate_frame import annotate_frame
from msgstore.format.batch import read_batch, restore_batch
from msgstore.format.catalog import (
    CatalogEntry,
    decode_catalog_entry,
    decode_catalog_header,
    encode_catalog_entry,
    encode_catalog_header,
)
from msgstore.format.frame import (
    decode_frame,
    encode_frame,
    frame_crc,
    frame_length,
    frame_problem,
    last_frame_length,
)
from msgstore.format.hint import Hint, decode_hint, decode_holder, encode_hint, encode_holder
from msgstore.format.journal import (
    Slot,
    Write,
    are_of_a_commit,
    decode_entry_head,
    decode_slot,
    decode_writes,
    encode_entry,
    encode_slot,
    entry_is_whole,
)
from msgstore.format.names import CATALOG, INDEX, SESSIONS, is_data_path, split_segment_path
from msgstore.format.record import (
    SegmentHeader,
    decode_head,
    decode_record,
    decode_segment_header,
    encode_body,
    encode_record,
    encode_segment_header,
    is_record,
    record_revision,
    record_session,
)
from msgstore.format.repair import Move, Swap, decode_swap, encode_swap
from msgstore.format.row import (
    Row,
    damaged_positions,
    decode_index_header,
    decode_row,
    encode_index_header,
    encode_row,
)
from msgstore.format.session_log import (
    SessionEvent,
    decode_session_event,
    decode_sessions_header,
    encode_session_event,
    encode_sessions_header,
)
from msgstore.model.clock import TIME_US_MAX, to_us
from msgstore.model.message import NO_SESSION, Message, MessageType
from msgstore.model.values import is_json

UUID = bytes(range(16))
SEGMENT = "streams/3c/a~3cbd4e0f8e2f7a1d5b6c7d8e9f001122.msgpack"
_TIME_US = 1_764_021_717_312_832
_MSGPACK = (
    *(b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\xca\x7f\xc0\x00\x00", b"\xcb" + b"\xff" * 8),
    *(b"\xcb\x3f\xf0" + bytes(6), b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7), b"\xd9\xff"),
    *(b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x91" * 600),
    *(b"\xc7\x00\x05", b"\xd6\xff\x00\x00\x00\x01", b"\x81\x01\x02", b"\x81\x91\x01\x01"),
    *(b"\xa2\xff\xfe", b"\xa3\xed\xa0\x80", b"\xa1\x1b", b"\xa0", b"\xc4\x01x", b"\x90", b"\x80"),
)


def _refuses(decode: Callable[..., Any], *arguments: object) -> Any:
    """What a decoder gives, or None where it refuses as its docstring says: by ValueError."""
    try:
        return decode(*arguments)
    except ValueError:
        return None


def _pack_elements(elements: Sequence[Any]) -> bytes:
    """A frame as other tools would make it, which look at no limit but their own."""
    return encode_frame([*elements])


# ---------------------------------------------------------------- frames


def _frames() -> list[bytes]:
    values = [1, None, True, "a", b"b", [1, [2]], {"k": {"l": 1.5}}, 2**63, -(2**63), "ä" * 20]
    return [encode_frame([]), encode_frame([1]), encode_frame(values), encode_frame([1] * 20)]


@target(_frames, seal=seal_frame, tokens=_MSGPACK)
def frame(data: bytes) -> None:
    """A frame that is whole and decodes is the encoding of what it decodes to, as a value."""
    assert last_frame_length(data) is None or last_frame_length(data) >= 18  # type: ignore[operator]
    if frame_problem(data) is not None:
        return
    whole = data[: frame_length(data)]
    assert len(whole) == frame_length(data)
    assert frame_crc(whole) == int.from_bytes(whole[4:8], "big")
    elements = _refuses(decode_frame, whole)
    if elements is not None and len(elements) < 0xFFFF - 3 and _depth_of(elements) < 500:
        again = decode_frame(encode_frame(elements))
        assert _same(again, elements)


def _depth_of(value: Any) -> int:
    deep, level = 0, [value]
    while level:
        deep += 1
        inner = [list(v.values()) if isinstance(v, dict) else v for v in level]
        level = [x for v in inner if isinstance(v, list) for x in v]
    return deep


def _same(left: Any, right: Any) -> bool:
    """As bytes: NaN is itself there, and nothing is deep."""
    return bool(msgpack.packb(left) == msgpack.packb(right))


# ---------------------------------------------------------------- records


def _messages() -> list[Message]:
    return [
        Message("Step", {"n": 1}, id="0198c0de-0000-7000-8000-000000000001"),
        Message("Bestellt ✓", [1, 2.5, None, {"a": {"b": []}}], id="own", request_id="r"),
        Message("T", "x" * 300, id="i", correlation_id="c", causation_id="d", metadata={"m": 1}),
    ]


def records() -> list[bytes]:
    return [
        encode_record(
            encode_body(message, str(message.id), session),
            number + 1,
            _TIME_US,
            number,
            bool(number),
        )
        for number, (message, session) in enumerate(
            zip(_messages(), (None, "s-1", None), strict=True)
        )
    ]


@target(records, seal=seal_frame, tokens=_MSGPACK)
def record(data: bytes) -> None:
    """A record is refused by ValueError, or is a message that is stored and read again as itself."""
    head = decode_head(data)
    if frame_problem(data) is not None or not is_record(data):
        return
    whole = data[: frame_length(data)]
    stored = _refuses(decode_record, whole, "a")
    batch = restore_batch(read_batch(whole, 0, len(whole))[0], "a")  # it may always give none
    if stored is None:
        assert not batch
        return
    assert not batch or _same(batch[0].to_json(), stored.to_json())
    assert head is not None
    assert (head.position, head.revision) == (stored.position, stored.revision)
    assert record_revision(whole) == stored.revision
    assert (record_session(whole) or NO_SESSION) == stored.session_id
    assert head.is_command is (stored.message_type is MessageType.COMMAND)
    assert 0 <= to_us(stored.timestamp) <= TIME_US_MAX
    if is_json(stored.message.data) and is_json(stored.message.metadata):
        session_id = None if stored.session_id == NO_SESSION else stored.session_id
        body = encode_body(stored.message, stored.message.id or "", session_id)
        frame = encode_record(
            body, stored.position, to_us(stored.timestamp), stored.revision, head.is_command
        )
        assert decode_record(frame, "a") == stored
        orjson.dumps(stored.to_json())


def _segment_headers() -> list[bytes]:
    return [
        encode_segment_header(SegmentHeader(UUID, stream, number, revision))
        for stream, number, revision in (("a", 0, 0), ("bestellungen/ä", 3, 900))
    ]


@target(_segment_headers, seal=seal_frame, tokens=_MSGPACK)
def segment_header(data: bytes) -> None:
    """None, ValueError, or a header that encodes to one that says the same."""
    if frame_problem(data) is None:
        header = _refuses(decode_segment_header, data[: frame_length(data)])
        if header is not None:
            assert isinstance(header.store_uuid, bytes)
            assert isinstance(header.stream_id, str)
            assert decode_segment_header(encode_segment_header(header)) == header


# ---------------------------------------------------------------- index


def rows() -> list[bytes]:
    plain = Row(3, 0, 5, 80, 200, 7, 1, 2, 0, 1, 1, 1, 9, 8, 7, 6, _TIME_US, 99, 1, 280)
    return [encode_row(ROW_POSITION, plain), encode_row(ROW_POSITION, (0,) * 20)]


@target(rows, seal=seal_row)
def index_row(data: bytes) -> None:
    """A row that decodes encodes to the very same bytes, and its time is one."""
    row = decode_row(ROW_POSITION, data)
    whole = data[: len(data) // 96 * 96]
    assert all(1 <= position <= len(data) // 96 for position in damaged_positions(whole, 1))
    if row is not None:
        assert 0 <= row.time_us <= TIME_US_MAX
        assert encode_row(ROW_POSITION, row) == data[:96]


@target(lambda: [encode_index_header(UUID)], seal=seal_index_header)
def index_header(data: bytes) -> None:
    """None, or the 16 bytes of a uuid that make the same header."""
    uuid = decode_index_header(data)
    if uuid is not None:
        assert decode_index_header(encode_index_header(uuid)) == uuid


# ---------------------------------------------------------------- journal and hint


def _hints() -> list[bytes]:
    hint = encode_hint(Hint(1, 2, 8704, 3, 8192, 4, 5, 0, 90, 80))
    return [hint, hint.ljust(128, b"\0") + encode_holder(4711)]


@target(_hints, seal=seal_hint)
def hint(data: bytes) -> None:
    """A hint that decodes encodes to the very same bytes."""
    found = decode_hint(data)
    if found is not None:
        assert encode_hint(found) == data[:80]
    pid = decode_holder(data)
    assert pid is None or encode_holder(pid) == data[128:136]


_SLOT = Slot(2, 77, 3, 4, 5, 6, 90, 80, UUID)


@target(lambda: [encode_slot(_SLOT), encode_slot(_SLOT._replace(generation=3))], seal=seal_slot)
def journal_slot(data: bytes) -> None:
    """A slot that decodes encodes to one that says the same."""
    slot = decode_slot(data)
    if slot is not None:
        assert slot.offset in (0, 4096)
        assert decode_slot(encode_slot(slot)) == slot


def entries() -> list[bytes]:
    writes = [
        Write(SEGMENT, 80, records()[0]),
        Write(CATALOG, 64, b"12345678"),
        Write(SESSIONS, 40, b"12"),
        Write(INDEX, 96 * 4, rows()[0]),
    ]
    return [
        encode_entry(
            _SLOT,
            sequence=5,
            previous_crc=6,
            first_row=3,
            rows=1,
            durable_upto=8192,
            synced=True,
            writes=some,
        )[0].rstrip(b"\0")
        for some in (writes, writes[:1], [])
    ]


@target(entries, seal=seal_entry, tokens=(INDEX.encode(), b"streams/", b"../", b"sessions"))
def journal_entry(data: bytes) -> None:
    """The writes of a whole entry name files of a store only, and make the same entry again."""
    head = decode_entry_head(data)
    if head is None or not entry_is_whole(data[: head.length], head):
        return
    writes = decode_writes(data[: head.length], head)
    if writes is None:
        return
    are_of_a_commit(writes, head)
    assert sum(len(write.data) + len(write.path) for write in writes) <= len(data)
    assert all(is_data_path(write.path) and ".." not in write.path for write in writes)
    again, _ = encode_entry(
        _SLOT,
        sequence=head.sequence,
        previous_crc=head.previous_crc,
        first_row=head.first_row,
        rows=head.rows,
        durable_upto=head.durable_upto,
        synced=bool(head.flags & 1),
        writes=writes,
    )
    head_again = decode_entry_head(again)
    assert head_again is not None
    assert decode_writes(again[: head_again.length], head_again) == writes


@target(lambda: [SEGMENT.encode(), INDEX.encode()], tokens=(b"../", b"streams/", b"~", b".1"))
def segment_name(data: bytes) -> None:
    """A path that may be written to has no way out of the store, and is one line of ASCII."""
    path = data.decode("ascii", "replace")
    split = split_segment_path(path)
    if split is not None:
        assert is_data_path(path)
    if is_data_path(path):
        assert path.isascii()
        assert path.isprintable()
        assert not {"", ".", ".."} & set(path.split("/"))


# ---------------------------------------------------------------- logs


def catalog_frames() -> list[bytes]:
    ids = ("a", "bestellungen/ä", "x" * 1024)
    return [
        encode_catalog_header(UUID),
        *(encode_catalog_entry(CatalogEntry(n, n + 1, stream)) for n, stream in enumerate(ids)),
    ]


@target(catalog_frames, seal=seal_frame, tokens=_MSGPACK)
def catalog_entry(data: bytes) -> None:
    """ValueError, or an entry that is a number, a position and a text, and comes back as itself."""
    if frame_problem(data) is not None:
        return
    whole = data[: frame_length(data)]
    decode_catalog_header(whole)
    entry = _refuses(decode_catalog_entry, whole)
    if entry is not None:
        assert type(entry.ordinal) is type(entry.first_position) is int
        assert entry.ordinal >= 0
        assert entry.first_position >= 1
        assert decode_catalog_entry(encode_catalog_entry(entry)) == entry


def session_frames() -> list[bytes]:
    start = SessionEvent(
        "start", 1, "s-1", _TIME_US, 0, None, 1, {"name": "run", "labels": {"host": "web-1"}}
    )
    counts = {"status": "ok", "messages": 3, "commands": 1, "lastPosition": 3}
    return [
        encode_sessions_header(UUID),
        encode_session_event(start),
        encode_session_event(start._replace(event="activate", active_id="s-1", facts={})),
        encode_session_event(start._replace(event="end", facts=counts)),
    ]


@target(session_frames, seal=seal_frame, tokens=(*_MSGPACK, b"\xa5start", b"\xa3end"))
def session_event(data: bytes) -> None:
    """ValueError, or an event that comes back as itself."""
    if frame_problem(data) is not None:
        return
    whole = data[: frame_length(data)]
    decode_sessions_header(whole)
    event = _refuses(decode_session_event, whole)
    if event is not None:
        assert decode_session_event(encode_session_event(event)) == event
        json.dumps(event.facts)


def swaps() -> list[bytes]:
    moves = (Move("index", True), Move("journal", True), Move(SEGMENT, False))
    return [
        encode_swap(Swap(b'{"format": "msgstore"}\n', "quarantine/repair-1", moves)),
        encode_swap(Swap(b"", "quarantine/repair-23", ())),
    ]


@target(swaps, seal=seal_frame, tokens=(*_MSGPACK, b"../", b"streams/", b"/", b"."))
def repair_mark(data: bytes) -> None:
    """None, or moves whose every path stays inside the store, and that come back as themselves."""
    swap = decode_swap(data)
    if swap is None:
        return
    assert isinstance(swap.store_json, bytes)
    for path in (swap.quarantine, *(move.path for move in swap.moves)):
        assert not {"", ".", ".."} & set(path.split("/")), path
    assert swap.quarantine.startswith("quarantine/")
    assert decode_swap(encode_swap(swap)) == swap


# ---------------------------------------------------------------- dumps


def _check_dump(found: Annotation, data: bytes) -> None:
    """What is shown can be shown: as JSON, once, and no longer than some times the bytes."""
    shown = orjson.dumps(found.to_json())
    assert len(shown) <= 2000 + 300 * max(len(data), 1)
    assert found.length <= len(data)
    for field in found.fields:
        assert data[field.offset - found.offset :].startswith(field.data)


@target(lambda: [*records(), *_frames()], seal=seal_frame, tokens=_MSGPACK, weight=6)
def dump_record(data: bytes) -> None:
    """Nothing is raised, and every field shows the bytes that stand at its offset."""
    _check_dump(annotate_frame(data, SEGMENT, 128), data)
    _check_dump(annotate_frame(data, SEGMENT, 0), data)


@target(lambda: [*catalog_frames(), *session_frames()], seal=seal_frame, tokens=_MSGPACK, weight=6)
def dump_log(data: bytes) -> None:
    """Nothing is raised for frames of the catalog and the session log."""
    for path in (CATALOG, SESSIONS):
        for offset in (0, 64):
            _check_dump(annotate_frame(data, path, offset), data)


@target(lambda: [*entries(), *rows(), *_hints(), encode_slot(_SLOT)], seal=seal_entry, weight=4)
def dump_struct(data: bytes) -> None:
    """Nothing is raised for rows, slots, hints and entries."""
    _check_dump(annotate_row(data[:96], ROW_POSITION, INDEX, 0), data)
    _check_dump(annotate_slot(data[:96], "journal", 4096), data)
    _check_dump(annotate_entry(data, "journal", 8192), data)
    hint = annotate_hint(data[:136], "write.lock")
    orjson.dumps(hint.to_json())
