"""What fuzzing has found: every input that once violated a property, and what it does now."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from cli.conftest import cli  # noqa: F401 - the fixture
from cli.harness import Cli

from fuzz.targets import TARGETS
from msgstore import (
    CorruptStore,
    FileMessageStore,
    InvalidArgument,
    InvalidFilter,
    InvalidMessage,
    MemoryMessageStore,
    Message,
    MessageFilter,
    UnsupportedFormat,
)
from msgstore.backends.registry import path_of
from msgstore.cli.cursor import Cursor
from msgstore.cli.errors import BadUsage
from msgstore.cli.times import parse_time
from msgstore.engine.identity import decode_identity
from msgstore.engine.origin import find_origin
from msgstore.format.annotate_frame import annotate_frame
from msgstore.format.catalog import decode_catalog_entry
from msgstore.format.frame import encode_frame
from msgstore.format.record import decode_segment_header
from msgstore.format.repair import Move, Swap, decode_swap, encode_swap
from msgstore.format.row import ROW_BYTES, decode_row, encode_row
from msgstore.model.expectation import Exactly
from msgstore.model.filter import Condition
from msgstore.model.saving import SaveRequest

DIGITS = "9" * 5000
HUGE = 10**5000

INPUTS = {
    "a record that is a command by `true`": (
        "record:01dc0010ce18dfc0d6ce00000058cf0000000000000002cf0006445e4fd62540ce0000000"
        "1c3a3732d31ac42657374656c6c7420e29c939401cb4004000000000000c081a16181a16290a36f7"
        "76ea172c0c0c09800000000000080c0ce00000058"
    ),
    "a mark of a repair that is cut short inside": (
        "repair_mark:01dc0008ced050f2b2ce0000009caf6d73673b"
    ),
    "a mark of a repair whose moves are a number": (
        "repair_mark:01dc0008ced050f2b2ce0000009caf6d736773746f72652d72657061697201c4177b"
        "22666f726d6174223a20226d736773746f7265227d0000009c"
    ),
    "a mark of a repair that puts files aside in any folder": (
        "repair_mark:01dc0008ce72737e85ce0000003baf6d736773746f72652d72657061697201c400b4"
        "71356172616e74696e652f7265706169722d323390ce0000003b"
    ),
    "a mark of a repair with a number for a folder": (
        "repair_mark:01dc0008ce72737e85ce0000003baf6d736773746f72652d72657061697201c414b4"
        "71756172616e74696e652f7265706169722d323390ce0000003b"
    ),
    "a segment that begins with no uuid": (
        "segment_header:01dc0009ce94195f2ace0000003ab06d736773746f72652d7365676d656e7401"
        "c41000010208090a0b0c0d0e0fa1610000ce0000003a"
    ),
    "a stream that begins at position 0": (
        "catalog_entry:01dc0007ce3410ed0000000000000000a161c400ce00000018"
    ),
    "a stream with a number below nought": (
        "catalog_entry:01dc0007ceb00f2d54ce00000028ffffaf62657374656c6c756e67656e2fc3a4c4"
        "020000ce00000028"
    ),
    "a position of 5,000 digits in a filter": "filter_parts:0842f9",
    "a kind of message of 5,000 digits in a filter": "filter_parts:ffff",
    "a condition of 5,000 digits in a filter": "filter_parts:0eff",
    "a field that is no Unicode": "fields:747970652c646174612e6974656d73ff",
    "a URL with half an IPv6 address": "urls:66696c653a2f2f5b",
    "a backup into a folder whose name is no Unicode": (
        "command_line:4dce73f7bff54d9700000001adf258"
    ),
}


@pytest.mark.parametrize("case", INPUTS)
def test_an_input_that_was_found(case: str) -> None:
    """It violates the property of its target no more."""
    name, _, hexadecimal = INPUTS[case].partition(":")
    TARGETS[name].fuzz_one(bytes.fromhex(hexadecimal))


# ---------------------------------------------------------------- forged files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with FileMessageStore(tmp_path / "store") as store:
        for number in range(3):
            store.save_message("a", Message("Step", {"n": number}))
    return tmp_path / "store"


@pytest.mark.parametrize(
    "folder",
    ["../aside", "..", "", "/tmp/x", "quarantine", "quarantine/..", "quarantine/a/../../.."],
)
def test_a_repair_puts_nothing_aside_outside_of_the_store(path: Path, folder: str) -> None:
    """A forged mark that names another folder than those in `quarantine/` is damage; nothing is moved."""
    swap = Swap((path / "store.json").read_bytes(), folder, (Move("lookup", False),))
    (path / "repairing").write_bytes(encode_swap(swap))
    (path / "lookup").write_bytes(b"x")
    before = set(path.parent.rglob("*"))
    with pytest.raises(CorruptStore):
        FileMessageStore(path, create=False).save_message("a", Message("Step"))
    assert set(path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "move", ["streams/a\0b", "streams//b", "streams/./b", "streams", 5, b"index"]
)
def test_a_move_that_names_no_file(move: object) -> None:
    """A mark with it is none."""
    frame = encode_frame(["msgstore-repair", 1, b"", "quarantine/repair-1", [[move, True]]])
    assert decode_swap(frame) is None


@pytest.mark.parametrize("uuid", [["x"], {"a": 1}, 5, None, "x" * 16, b"x" * 15])
def test_a_header_without_a_uuid(path: Path, uuid: object) -> None:
    """It is no header: who looks for the store's identity in it finds none, and no other error."""
    segment = encode_frame(["msgstore-segment", 1, uuid, "a", 0, 0])
    with pytest.raises(ValueError, match="uuid"):
        decode_segment_header(segment)
    from msgstore.disk.files import RealDisk

    (path / "sessions").write_bytes(encode_frame(["msgstore-sessions", 1, uuid]))
    (path / "store.json").unlink()
    disk = RealDisk(str(path))
    origin = find_origin(disk)
    assert origin is not None
    assert origin.problem == "is missing"
    disk.forget()


@pytest.mark.parametrize(("number", "position"), [(-1, 1), (True, 1), (0, 0), (0, 2**63), (0, 1.0)])
def test_a_stream_that_stands_nowhere(number: object, position: object) -> None:
    """A catalog's entry has a number of 0 or more and a position of 1 or more."""
    with pytest.raises(ValueError, match="is no number"):
        decode_catalog_entry(encode_frame([number, position, "a", b""]))


def test_a_dump_of_what_is_nested_without_end() -> None:
    """A dump shows data of 1,000 levels, cut where JSON ends, and can be printed."""
    data: list[object] = []
    for _ in range(500):
        data = [data]
    elements = [1, 2, 3, 0, None, "T", data, "i", None, None, None, None, None]
    shown = annotate_frame(encode_frame(elements), "streams/x", 64).to_json()
    assert b"nested deeper than 100" in orjson.dumps(shown)


def test_a_dump_of_a_kind_that_is_a_fraction() -> None:
    """1.0 is not the kind of a command, and is shown as it stands."""
    elements = [1, 2, 3, 1.0, None, "T", {}, "i", None, None, None, None, None]
    found = annotate_frame(encode_frame(elements), "streams/x", 64)
    assert found.value_of("kind") == 1.0


def test_a_row_that_claims_billions_of_revisions(path: Path) -> None:
    """A read behind damage tells of what can be missing, not of every number up to a forged one."""
    index = bytearray((path / "index").read_bytes())
    row = decode_row(3, index, 3 * ROW_BYTES)
    assert row is not None
    index[3 * ROW_BYTES : 4 * ROW_BYTES] = encode_row(3, row._replace(revision=2**32 - 1))
    (path / "index").write_bytes(index)
    told: list[str] = []
    with FileMessageStore(path, create=False) as store:
        found = list(store.get_messages("a", on_damage=lambda error: told.append(str(error))))
    assert [stored.revision for stored in found] == [0, 1]
    assert 1 <= len(told) <= 3
    assert any("a revision that the stream cannot have come to" in reason for reason in told)


@pytest.mark.parametrize("version", ["[" * 600 + "]" * 600, "true", "1.0", '"1"', "null", "2"])
def test_a_version_that_is_none(version: str) -> None:
    """Anything but the number of this version is refused as another format."""
    uuid = "01020304-0506-0708-090a-0b0c0d0e0f10"
    text = f'{{"format": "msgstore", "version": {version}, "uuid": "{uuid}", "durability": "os"}}'
    with pytest.raises(UnsupportedFormat, match="has format version"):
        decode_identity("/store", text.encode())


def test_a_repair_beside_a_file_whose_name_is_no_unicode(path: Path, cli: Cli) -> None:  # noqa: F811
    """A file that somebody else put into `streams/` stays where it is, and the repair is done."""
    segment = next(path.glob("streams/*/a~*"))
    alien = os.fsencode(segment.parent) + b"/\xff.msgpack"
    Path(os.fsdecode(alien)).write_bytes(b"x")
    damaged = bytearray(segment.read_bytes())
    damaged[-20] ^= 1
    segment.write_bytes(damaged)
    done = cli("--store", str(path), "repair", "--apply")
    assert (done.code, done.err) == (0, "")
    assert Path(os.fsdecode(alien)).read_bytes() == b"x"
    assert cli("--store", str(path), "verify").code == 0


# ---------------------------------------------------------------- input


@pytest.mark.parametrize("field", ['"expectedRevision":-', '"expectedRevision":', '"messageType":'])
def test_a_number_of_thousands_of_digits_in_a_line(cli: Cli, field: str) -> None:  # noqa: F811
    """A line with it is refused as one."""
    line = f'{{"streamId":"a","type":"T",{field}{DIGITS}}}\n'
    done = cli("save", "-", stdin=line)
    assert done.code == 2
    assert done.err.startswith("msgstore: line 1: ")
    assert len(done.err) < 300


def test_numbers_of_thousands_of_digits_in_calls() -> None:
    """The error says that it is a number, which Python would not write."""
    with pytest.raises(InvalidFilter, match="a number of more than 40 digits"):
        MessageFilter(from_position=-HUGE)
    with pytest.raises(InvalidFilter, match="a number of more than 40 digits"):
        MessageFilter(HUGE)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="a number of more than 40 digits"):
        MemoryMessageStore().get_all_messages(count=-HUGE)
    with pytest.raises(InvalidArgument, match="more than 40 digits is below -1"):
        Exactly(-HUGE)
    with pytest.raises(InvalidArgument, match="a number of more than 40 digits is no revision"):
        Exactly(HUGE)
    with pytest.raises(InvalidMessage, match="a number of more than 40 digits"):
        SaveRequest.from_json({"streamId": "a", "type": "T", "messageType": HUGE})
    with pytest.raises(InvalidMessage, match="a number of more than 40 digits"):
        Message("T", {HUGE: 1})


def test_a_condition_on_a_number_of_thousands_of_digits() -> None:
    """It is refused as one of twenty digits is, and not taken for a text."""
    for digits in ("9" * 20, DIGITS):
        with pytest.raises(InvalidFilter, match="the integer does not fit into 64 bits"):
            Condition.parse(f"total>={digits}")


def test_a_regular_expression_of_two_minds(cli: Cli) -> None:  # noqa: F811
    """Flags that exclude each other are no regular expression: exit code 2."""
    with pytest.raises(InvalidFilter, match="is no regular expression"):
        Condition.parse("name~(?a)(?u)")
    cli.save({"streamId": "a", "type": "T"})
    assert cli("query", "--where", "name~(?a)(?u)").code == 2


def test_a_regular_expression_that_python_warns_of(cli: Cli) -> None:  # noqa: F811
    """The command line says nothing: the warning is for programmers."""
    cli.save({"streamId": "a", "type": "T", "data": {"name": "["}})
    done = cli("query", "--where", "name~[[]", "--count")
    assert (done.code, done.out, done.err) == (0, "1\n", "")


@contextmanager
def zone(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("name", "text"), [("XXX+14", "9999-12-31T23:59:59"), ("XXX-14", "0001-01-01T00:00:00")]
)
def test_a_local_time_that_utc_has_no_year_for(name: str, text: str) -> None:
    """It is no time that a store can hold: a usage error."""
    with zone(name), pytest.raises(BadUsage, match="is not a time"):
        parse_time(text, "--since")


def test_an_hour_of_one_digit() -> None:
    """`1:30:15` is a time as much as `1:30` is."""
    with zone("UTC"):
        assert parse_time("1:30:15", "--since") == parse_time("01:30:15", "--since")


class _Identified:
    store_id = "0198c0de-0000-7000-8000-000000000001"

    def fingerprint(self, position: int) -> str | None:
        return "f" if 1 <= position <= 3 else None


@pytest.mark.parametrize("position", [-1, True, 99, 10**18, 1.0])
def test_a_cursor_that_proves_nothing(tmp_path: Path, position: object) -> None:
    """A position that was never printed is refused, also where the file has no fingerprint for it."""
    kept = {"store": _Identified.store_id, "position": position, "fingerprint": None}
    (tmp_path / "cursor").write_bytes(orjson.dumps(kept))
    with pytest.raises(BadUsage):
        Cursor(str(tmp_path / "cursor"), _Identified()).load()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a%FFb", "/a\udcffb"),
        ("file:/a?b#c", "/a?b#c"),
        ("file:/a\nb", "/a\nb"),
        ("file:a", "a"),
        ("FILE://localhost/a%20b", "/a b"),
    ],
)
def test_a_url_names_the_very_folder(url: str, path: str) -> None:
    """No byte of the path is lost or replaced: it would be another folder's name."""
    assert path_of(url) == path


@pytest.mark.parametrize(
    "url", ["file://[", "file://[x]/a", "a\0b", "file:/a%00b", "file:", "file://"]
)
def test_a_url_that_names_no_folder(url: str) -> None:
    """InvalidArgument says so."""
    with pytest.raises(InvalidArgument):
        path_of(url)


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "table", "pretty"])
def test_a_folder_whose_name_is_no_unicode(cli: Cli, form: str) -> None:  # noqa: F811
    """A backup into it is made, and told in every form, its bytes as Python shows them."""
    cli.save({"streamId": "a", "type": "T"})
    done = cli("backup", os.fsdecode(b"copy-\xff"), "-o", form)
    assert (done.code, done.err) == (0, "")
    assert "copy-\\udcff" in done.out.replace("\\\\", "\\")


def test_a_field_whose_name_is_no_unicode(cli: Cli) -> None:  # noqa: F811
    """It is absent from every message, and a column of CSV all the same."""
    cli.save({"streamId": "a", "type": "T"})
    name = os.fsdecode(b"data.\xff")
    assert cli("query", "--fields", name, "-o", "csv").out == "data.\\udcff\r\n\r\n"
    assert cli("query", "--fields", name).out == "{}\n"


@pytest.mark.parametrize(
    ("command", "what"),
    [(("verify", "--stream"), "stream_id"), (("dump", "record"), "message_id")],
)
def test_an_id_that_is_no_unicode(cli: Cli, command: tuple[str, ...], what: str) -> None:  # noqa: F811
    """It is refused as the id of a stream that is read is."""
    cli.save({"streamId": "a", "type": "T"})
    done = cli(*command, os.fsdecode(b"\xff"))
    problem = "holds a lone surrogate, which is not Unicode text"
    assert (done.code, done.err.split("\n")[0]) == (2, f"msgstore: {what}: {problem}")
