"""Whatever a stream is called, it becomes one file in one folder of the store."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from msgstore import FileMessageStore, InvalidMessage, Message
from msgstore.format.names import is_data_path, segment_path
from msgstore.model.values import check_text

IDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=300)
SEGMENTS = st.integers(0, 65535)
PLACE = re.compile(
    r"streams/[0-9a-f]{2}/[A-Za-z0-9_-][A-Za-z0-9_.-]*~[0-9a-f]{32}(\.\d+)?\.msgpack"
)
# A device, whatever its extension, to Windows and to what shares its folders.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

NASTY = (
    "../../etc/passwd", "/etc/passwd", "..", ".", "~", "~root", "-rf", "a/../../b", "a\\..\\b", "C:\\x",
    "con", "NUL.txt", "com1", "x" * 1024, "\u202e", ".hidden", "a\u0301", "\u00e1", "İ", "ß", "$(x)", "*",
    "file:///x", "a~" + "0" * 32, " ", "a b", "orders-1.msgpack", "streams/2c/x", "quarantine",
)  # fmt: skip


@settings(max_examples=400)
@given(IDS, SEGMENTS)
def test_a_path_of_any_id(stream_id: str, number: int) -> None:
    """One level below `streams/xx/`, plain ASCII, short, and a path that recovery takes for one."""
    path = segment_path(stream_id, number)
    assert PLACE.fullmatch(path)
    assert os.path.normpath(path) == path
    name = path.split("/")[2]
    assert len(name.encode()) <= 100
    assert not name.startswith((".", "~", "-r")) or name.startswith("-r")
    assert not RESERVED.fullmatch(name)
    assert is_data_path(path)


def test_nasty_ids() -> None:
    """The same of names that have led elsewhere in other programs; no two of them meet."""
    paths = {segment_path(stream_id, 0) for stream_id in NASTY}
    assert all(PLACE.fullmatch(path) for path in paths)
    assert len({path.lower() for path in paths}) == len(NASTY)


@given(IDS, IDS, SEGMENTS, SEGMENTS)
@example("orders", "ORDERS", 0, 0)
@example("a/b", "a_b", 0, 0)
@example("ß", "ẞ", 0, 0)
@example("\u00e1", "a\u0301", 0, 0)
def test_two_ids_never_meet(one: str, other: str, first: int, second: int) -> None:
    """Not on a file system without case, and not on one that composes characters either."""
    same = (one, first) == (other, second)
    assert (segment_path(one, first).lower() == segment_path(other, second).lower()) == same


@given(st.text(max_size=60) | st.from_regex(r"streams/\.?\.?/?[a-f0-9]{0,2}/?[.~/a-z0-9]*"))
def test_no_other_path_is_written_to(text: str) -> None:
    """What recovery takes for a path of its own is one of three files, or a segment."""
    if is_data_path(text):
        assert text in ("index", "catalog", "sessions") or PLACE.fullmatch(text)


def test_files_of_nasty_ids(tmp_path: Path) -> None:
    """A store with all of these streams has nothing outside of itself, and gives them all back."""
    with FileMessageStore(tmp_path / "store") as store:
        for stream_id in NASTY:
            store.save_message(stream_id, Message("T"))
        assert {s.stream_id for s in store.get_streams()} == set(NASTY)
        assert store.verify().findings == ()
    assert [p.name for p in tmp_path.iterdir()] == ["store"]
    files = [p.relative_to(tmp_path / "store") for p in tmp_path.rglob("streams/*/*")]
    assert len(files) == len(NASTY)
    assert all(len(file.parts) == 3 for file in files)


def test_nasty_names_of_everything_else(tmp_path: Path) -> None:
    """Sessions, message ids, labels, types name no file."""
    with FileMessageStore(tmp_path / "store") as store:
        for name in NASTY:
            session = store.create_session(name, {name: name})
            store.save_message("s", Message(name, id=name, correlation_id=name))
            store.end_session(session, name)
    names = {p.name for p in (tmp_path / "store").iterdir()}
    assert names == {
        "store.json", "write.lock", "journal", "index", "catalog", "sessions", "streams",
    }  # fmt: skip
    assert len(list(tmp_path.rglob("streams/*/*"))) == 1


@given(st.text(max_size=20))
def test_a_text_with_a_control_character_is_none(text: str) -> None:
    """NUL, escape, C1 and lone surrogates get into no id, and so into no file."""
    bad = any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in text)
    try:
        check_text(text, "stream_id")
    except InvalidMessage:
        assert bad or not text
    else:
        assert not bad
        assert text


def test_what_recovery_sets_aside(tmp_path: Path) -> None:
    """Its name in `quarantine/` is made of the file's path: one level, whatever the stream is called."""
    path = tmp_path / "store"
    with FileMessageStore(path) as store:
        store.save_message("../../x", Message("T"))
    segment = next(path.glob("streams/*/*"))
    with segment.open("ab") as file:
        file.write(b"left over")
    (path / "write.lock").write_bytes(b"")
    with FileMessageStore(path) as store:
        store.save_message("y", Message("T"))
    kept = [p.relative_to(path / "quarantine") for p in (path / "quarantine").rglob("*")]
    assert [len(p.parts) for p in kept] == [1]
    assert str(kept[0]).startswith("streams_")
