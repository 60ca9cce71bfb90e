"""A store that somebody forged, every checksum right: a right answer, or an error that names damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cli.harness import Cli

from msgstore import CorruptRecord, CorruptStore, FileMessageStore, Message, MessageFilter
from msgstore.format.row import ROW_BYTES, decode_row, encode_row

from .forge import (
    append_log,
    change_entry,
    change_hint,
    change_row,
    packed,
    put_last_record,
    record,
    segment_of,
)

READS: dict[str, Callable[[FileMessageStore], object]] = {
    "the stream": lambda store: list(store.get_messages("a")),
    "the stream backwards": lambda store: list(store.get_messages("a", direction="backwards")),
    "all": lambda store: list(store.get_all_messages()),
    "by data": lambda store: list(store.get_all_messages(MessageFilter(where="n>=0"))),
}

NO_RECORD: dict[str, dict[str, bytes]] = {
    "an extension type": {"data": packed({"x": msgpack.ExtType(5, b"abcd")})},
    "an extension type of no bytes": {"data": b"\x81\xa1x\xc7\x00\x05"},
    "a timestamp": {"data": packed({"x": msgpack.Timestamp(1, 2)})},
    "a number as key": {"data": packed({1: 2})},
    "a list as key": {"data": b"\x81\x91\x01\x01"},
    "invalid UTF-8": {"data": b"\x81\xa1x\xa2\xff\xfe"},
    "a lone surrogate": {"data": b"\x81\xa1x\xa3\xed\xa0\x80"},
    "an array that claims too much": {"data": b"\xdd\xff\xff\xff\xff\x01"},
    "a map that claims too much": {"data": b"\xdf\xff\xff\xff\xff\x01"},
    "a text that claims too much": {"data": b"\xdb\xff\xff\xff\xff\x01"},
    "bytes that claim too much": {"data": b"\xc6\xff\xff\xff\xff\x01"},
    "nested without end": {"data": b"\x91" * 5000 + b"\x01"},
    "the byte that means nothing": {"data": b"\xc1"},
    "one element more": {"metadata": b"\xc0\xc0"},
    "one element less": {"metadata": b""},
    "a type that is a number": {"type": b"\x05"},
    "no type": {"type": b"\xc0"},
    "a type of bytes": {"type": packed(b"Step")},
    "an id that is a number": {"id": b"\x05"},
    "an id of five bytes": {"id": packed(b"12345")},
    "a correlation id that is a list": {"correlation": b"\x90"},
    "a session that is a number": {"session": b"\x05"},
    "a kind that does not exist": {"kind": b"\x02"},
    "a kind below nought": {"kind": b"\xff"},
    "a time after the year 9999": {"time": b"\xcf" + b"\xff" * 8},
    "a timestamp that is text": {"timestamp": packed("now")},
    "a timestamp after the year 9999": {"timestamp": packed(2**64 - 1)},
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("case", NO_RECORD)
def test_a_record_that_msgstore_does_not_write(path: Path, case: str, read: str) -> None:
    """Every way of reading over it ends with CorruptRecord, and `verify` finds it."""
    put_last_record(path, record(3, 2, **NO_RECORD[case]))
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(CorruptRecord):
            READS[read](store)
        assert [*store.verify().findings, *store.verify("a").findings]


NOT_JSON = {
    "NaN": packed({"x": float("nan")}),
    "an infinity": packed([float("-inf")]),
    "a float of four bytes that is none": b"\xca\x7f\x80\x00\x00",
    "bytes": packed({"x": {"y": b"123"}}),
    "bytes as key": packed({b"x": 1}),
    "nested deeper than 100": packed([[]]).replace(b"\x90", b"\x91" * 100 + b"\x01"),
}


@pytest.mark.parametrize("place", ["data", "metadata"])
@pytest.mark.parametrize("case", NOT_JSON)
def test_data_that_is_no_json(path: Path, cli: Cli, case: str, place: str) -> None:
    """No command prints it, as null or otherwise, or fails for want of a form for it."""
    put_last_record(path, record(3, 2, **{place: NOT_JSON[case]}))
    with FileMessageStore(path, create=False) as store:
        assert "its data is not JSON" in [f.reason for f in store.verify().findings]
    for form in ("jsonl", "table", "wide", "pretty", "csv", "raw", "json"):
        done = cli("--store", str(path), "read", "a", "-o", form)
        assert (done.code, "not JSON" in done.err) == (3, True), (form, done)
    assert cli("--store", str(path), "show", "3").code == 3
    assert cli("--store", str(path), "verify").code == 3


def test_json_is_read_as_it_stands(path: Path) -> None:
    """What is unusual but JSON comes back: the largest numbers, a key twice, depth 100."""
    deep = packed([[]]).replace(b"\x90", b"\x91" * 98 + b"\x01")
    data = b"\x85\xa1a" + packed(2**64 - 1) + b"\xa1b" + packed(-(2**63)) + b"\xa1c" + deep
    put_last_record(path, record(3, 2, data=data + b"\xa1d\x01\xa1d\x02"))
    with FileMessageStore(path, create=False) as store:
        stored = list(store.get_messages("a"))[-1].message.data
        assert (stored["a"], stored["b"], stored["d"]) == (2**64 - 1, -(2**63), 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"length": 2**32 - 1},
        {"length": 20},
        {"offset": 2**32 - 1},
        {"offset": 0},
        {"segment": 65535},
        {"stream": 2**32 - 1},
        {"stream": 0},
        {"record_crc": 1},
        {"revision": 2**32 - 1},
        {"time_us": 2**64 - 1},
    ],
    ids=str,
)
def test_a_row_that_points_elsewhere(path: Path, changes: dict[str, int]) -> None:
    """Reading by position ends with CorruptRecord, and so does `verify`, without an end in sight."""
    change_row(path, 2, **changes)
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(CorruptRecord):
            list(store.get_all_messages())
        assert store.verify().findings


def test_a_commit_of_four_thousand_million_rows(path: Path) -> None:
    """A row behind the last commit that claims a large one makes nothing visible."""
    index = path / "index"
    content = index.read_bytes()
    row = decode_row(4, content, 4 * ROW_BYTES)
    assert row is not None
    forged = row._replace(ordinal=0, batch_rows=2**32 - 1)
    index.write_bytes(content + encode_row(5, forged))
    with FileMessageStore(path, create=False) as store:
        assert store.get_stats().total_messages == 4
        assert len(list(store.get_all_messages())) == 4


@pytest.mark.parametrize("name", ["journal_end", "sequence", "synced_end", "generation", "rows"])
@pytest.mark.parametrize("value", [2**63, 2**64 - 1])
def test_a_hint_with_a_number_beyond_all(path: Path, name: str, value: int) -> None:
    """It is not believed, or refused; it never reaches a system call."""
    change_hint(path, **{name: value})
    try:
        with FileMessageStore(path, create=False) as store:
            assert len(list(store.get_all_messages())) == 4
            store.save_message("a", Message("More"))
    except CorruptStore:
        return


@pytest.mark.parametrize("name", ["sessions_end", "catalog_end"])
@pytest.mark.parametrize("value", [0, 1, 2**40, 2**64 - 1])
def test_a_hint_that_lies_about_a_log(path: Path, name: str, value: int) -> None:
    """What needs the log fails with an error of msgstore."""
    change_hint(path, **{name: value})
    with FileMessageStore(path, create=False) as store:
        for read in (store.get_sessions, lambda: list(store.get_streams()), store.active_session):
            try:
                read()
            except CorruptStore:
                continue


SESSIONS: dict[str, list[Any]] = {
    "an event that does not exist": ["burn", 2, "s-2", 1, 1, None, 2, {}],
    "an event that is a list": [[], 2, "s-2", 1, 1, None, 2, {}],
    "too few elements": ["start", 2, "s-2"],
    "a number that is text": ["start", "2", "s-2", 1, 1, None, 2, {}],
    "a session that never began": ["end", 7, "s-7", 1, 1, None, 2, {}],
    "an id that is a number": ["start", 2, 7, 1, 1, None, 2, {}],
    "an id with an escape": ["start", 2, "s-\x1b[2J", 1, 1, None, 2, {}],
    "a time that is none": ["start", 2, "s-2", 2**63, 1, None, 2, {}],
    "a position that is none": ["start", 2, "s-2", 1, -1, None, 2, {}],
    "facts that are a list": ["start", 2, "s-2", 1, 1, None, 2, []],
    "a name that is a number": ["start", 2, "s-2", 1, 1, None, 2, {"name": 1}],
    "labels that are text": ["start", 2, "s-2", 1, 1, None, 2, {"labels": "x"}],
    "a label that is a list": ["start", 2, "s-2", 1, 1, None, 2, {"labels": {"a": []}}],
    "counts that are text": ["end", 1, "s-1", 1, 1, None, 2, {"messages": "x"}],
    "a last position that is none": ["end", 1, "s-1", 1, 1, None, 1, {"lastPosition": 2**62}],
}


@pytest.mark.parametrize("case", SESSIONS)
def test_an_event_that_msgstore_does_not_write(path: Path, case: str) -> None:
    """Listing sessions ends with CorruptRecord; messages can still be read."""
    append_log(path, "sessions", SESSIONS[case])
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(CorruptRecord):
            store.get_sessions()
        assert store.verify().findings
        assert len(list(store.get_messages("a"))) == 3


CATALOG: dict[str, Callable[[list[Any]], list[Any]]] = {
    "a list for an id": lambda e: [e[0], e[1], [1], e[3]],
    "an ordinal that is nothing": lambda e: [None, *e[1:]],
    "a position that is nothing": lambda e: [e[0], None, *e[2:]],
    "a control character": lambda e: [e[0], e[1], "\x07", e[3]],
}


@pytest.mark.parametrize("case", CATALOG)
def test_a_stream_s_entry_that_msgstore_does_not_write(path: Path, case: str) -> None:
    """What needs the name of the stream ends with CorruptRecord."""
    change_entry(path, "catalog", 1, CATALOG[case])
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(CorruptRecord):
            list(store.get_streams())
        with pytest.raises(CorruptRecord):
            list(store.get_all_messages())
        assert store.verify().findings


def test_a_header_that_names_another_stream(path: Path) -> None:
    """A segment that stands in another's place is told by its header."""
    segment_of(path, "a").write_bytes(segment_of(path, "b").read_bytes())
    with FileMessageStore(path, create=False) as store, pytest.raises(CorruptRecord):
        list(store.get_messages("a"))


@pytest.mark.parametrize(
    "content",
    [
        b'{"format": "msgstore", "version": ' + b"[" * 30000 + b"]" * 30000 + b"}",
        b'{"format": "msgstore", "version": "' + b"x" * 60000 + b'"}',
        b"\xff\xfe",
        b'{"format": "msgstore", "version": NaN}',
        b"{" + b'"format": "msgstore", ' * 3 + b'"version": 1, "uuid": 5, "durability": {}}',
        struct.pack("<Q", 0) * 100,
    ],
    ids=["deep", "long", "no UTF-8", "NaN", "keys twice", "zeros"],
)
def test_an_identity_that_is_none(path: Path, cli: Cli, content: bytes) -> None:
    """The command line refuses it in a few lines, with a documented exit code."""
    (path / "store.json").write_bytes(content)
    done = cli("--store", str(path), "query")
    assert done.code in (3, 5)
    assert len(done.err) < 600
