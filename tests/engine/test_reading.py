"""Reading by batches and scanning by segments give what one record at a time gives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from msgstore import CorruptRecord, FileMessageStore, Message, MessageFilter, PositionalMessage
from msgstore.engine import scan as scan_module
from msgstore.format.names import segment_path

STREAMS = 7
TOTAL = 900
LONG = "x" * 20_000
"""Longer than a batch."""


def message(number: int) -> Message:
    data = {"n": number, "tag": f"tag-{number % 9}", "deep": {"list": [number, "ä"]}}
    data |= {"even": number % 2 == 0, "none": {"at": None if number % 70 == 3 else 0}}
    if number % 50 == 7:
        data["fill"] = LONG
    return Message(
        "Type",
        data,
        id=f"m-{number}" if number % 3 == 0 else None,
        correlation_id=f"c-{number}" if number % 2 else None,
        metadata={"by": number} if number % 4 == 0 else None,
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading") / "store"
    with (
        FileMessageStore(path, durability="os") as store,
        store.transaction() as together,
    ):
        for number in range(TOTAL):
            together.save_message(f"s{number // 3 % STREAMS}", message(number))
    return path


@pytest.fixture
def store(path: Path) -> Iterator[FileMessageStore]:
    with FileMessageStore(path, create=False) as store:
        yield store


@pytest.fixture(params=[1024 * 1024, 300], ids=["one chunk", "many chunks"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_CHUNK_ROWS_MAX", request.param)
    monkeypatch.setattr(scan_module, "_FETCHED_AT_ONCE", 16)


def one_by_one(store: FileMessageStore) -> list[PositionalMessage]:
    """Every message, each by its row alone."""
    snapshot = store._reader.snapshot()
    assert snapshot is not None
    return [snapshot.source.fetch(position) for position in range(1, TOTAL + 1)]


def test_batches_are_what_single_records_are(store: FileMessageStore) -> None:
    """Short and long records, ids given and made, forwards, backwards, and between any revisions."""
    every = one_by_one(store)
    assert [stored.message.data["n"] for stored in every] == list(range(TOTAL))
    for name in (f"s{number}" for number in range(STREAMS)):
        of_stream = [stored for stored in every if stored.stream_id == name]
        assert list(store.get_messages(name)) == of_stream
        assert list(store.get_messages(name, direction="backwards")) == of_stream[::-1]
        for first in (0, 1, 63, 64, 100):
            assert list(store.get_messages(name, first, 5)) == of_stream[first : first + 5]
            part = store.get_messages(name, 3, to_revision=first, direction="backwards")
            assert list(part) == of_stream[3 : first + 1][::-1]


FILTERS = {
    "a text": MessageFilter(json_filter={"tag": "tag-4"}),
    "a number": MessageFilter(json_filter={"n": 407}),
    "a float that is one": MessageFilter(json_filter={"n": 407.0}),
    "a number in a list": MessageFilter(json_filter={"deep.list.0": 8}),
    "zero": MessageFilter(json_filter={"n": -0.0}),
    "a truth": MessageFilter(where="even=true"),
    "nothing there": MessageFilter(json_filter={"none.at": None}),
    "in a list": MessageFilter(json_filter={"deep.list.1": "ä"}),
    "a list": MessageFilter(json_filter={"deep": {"list": [57, "ä"]}}),
    "nothing": MessageFilter(json_filter={"tag": "tag-44"}),
    "an order": MessageFilter(where="n>=850"),
    "equal": MessageFilter(where=["tag=tag-3", "n<100"]),
    "with rows": MessageFilter(
        json_filter={"tag": "tag-1"}, stream_pattern="s[12]", from_position=100, to_position=600
    ),
}


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("name", FILTERS)
def test_a_scan_finds_what_matches(store: FileMessageStore, name: str) -> None:
    """All that matches and nothing else, in order of position, both ways."""
    expected = [stored for stored in one_by_one(store) if FILTERS[name].matches(stored)]
    assert bool(expected) is (name != "nothing")
    assert list(store.get_all_messages(FILTERS[name])) == expected
    assert list(store.get_all_messages(FILTERS[name], direction="backwards")) == expected[::-1]
    assert list(store.get_all_messages(FILTERS[name], 3)) == expected[:3]


@pytest.mark.usefixtures("chunks")
def test_what_matches_is_held_up_to_a_limit(
    store: FileMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matches beyond it are read again, and come in the same order."""
    monkeypatch.setattr(scan_module, "_HELD_BYTES_MAX", 30_000)
    found = store.get_all_messages(MessageFilter(where="n>=0"))
    assert [stored.message.data["n"] for stored in found] == list(range(TOTAL))


@pytest.mark.usefixtures("chunks")
def test_too_many_streams_for_one_chunk(
    store: FileMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is made smaller."""
    monkeypatch.setattr(scan_module, "_STREAMS_MAX", 5)
    monkeypatch.setattr(scan_module, "_CHUNK_ROWS_FIRST", 64)
    for direction in ("forwards", "backwards"):
        found = store.get_all_messages(MessageFilter(where="n>=0"), direction=direction)
        assert sum(1 for _ in found) == TOTAL


@pytest.fixture
def damaged(path: Path, tmp_path: Path) -> Path:
    """A copy in which one byte of the data at position 501 is another."""
    copy = tmp_path / "store"
    shutil.copytree(path, copy)
    with FileMessageStore(copy, create=False) as store:
        snapshot = store._reader.snapshot()
        assert snapshot is not None
        row = snapshot.source.index.row(501)
        stream_id = snapshot.source.catalog.stream_id(row.stream)
    file = copy / segment_path(stream_id, 0)
    content = bytearray(file.read_bytes())
    content[row.offset + 90] ^= 1
    file.write_bytes(content)
    return copy


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
@pytest.mark.parametrize("wanted", [MessageFilter(where="n>=0"), MessageFilter(where="tag=none")])
def test_a_scan_tells_damage(damaged: Path, direction: str, wanted: MessageFilter) -> None:
    """Behind all matches that stand before it, also where nothing else matches."""
    found: list[int] = []
    with FileMessageStore(damaged, create=False) as store:
        with pytest.raises(CorruptRecord) as caught:
            found.extend(m.position for m in store.get_all_messages(wanted, direction=direction))
        assert (caught.value.position, caught.value.problem) == (501, "checksum")
        assert caught.value.revision is not None
        if wanted.conditions[0].path == "n":
            before = range(1, 501) if direction == "forwards" else range(TOTAL, 501, -1)
            assert found == list(before)


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_a_stream_tells_damage(damaged: Path, direction: str) -> None:
    """With file, stream and revision, behind all messages that stand before it."""
    with FileMessageStore(damaged, create=False) as store:
        snapshot = store._reader.snapshot()
        assert snapshot is not None
        row = snapshot.source.index.row(501)
        stream_id = snapshot.source.catalog.stream_id(row.stream)
        last = snapshot.source.segments.head(stream_id, snapshot.rows)
        assert last is not None
        found: list[int] = []
        with pytest.raises(CorruptRecord) as caught:
            found.extend(m.revision for m in store.get_messages(stream_id, direction=direction))
    assert caught.value.path == segment_path(stream_id, 0)
    assert caught.value.offset == row.offset
    assert (caught.value.stream_id, caught.value.revision) == (stream_id, row.revision)
    if direction == "forwards":
        assert found == list(range(row.revision))
    else:
        assert found == list(range(last.revision, row.revision, -1))


def test_what_a_lost_save_left_behind_a_stream(tmp_path: Path) -> None:
    """A power loss may bring back bytes that had been cut off. They are no part of the stream, and what
    they say of themselves leads nowhere: here that a record ends with them which began where one begins.
    """
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("a", Message("A"))
        (segment,) = (tmp_path / "store" / "streams").rglob("*.msgpack")
        second = segment.stat().st_size
        store.save_messages("a", [Message("B"), Message("C")])
    leftover = bytes(300)
    length = segment.stat().st_size + len(leftover) + 5 - second
    with segment.open("ab") as file:
        file.write(leftover + b"\xce" + length.to_bytes(4, "big"))
    with FileMessageStore(tmp_path / "store") as store:
        assert [m.message.type for m in store.get_messages("a")] == ["A", "B", "C"]
        assert store.save_message("a", Message("D"), expected_revision=2).first_revision == 3
        assert [m.message.type for m in store.get_messages("a")] == ["A", "B", "C", "D"]
