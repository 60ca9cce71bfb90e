"""Reading behind damage: all that is whole comes, and all that does not come is told."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from msgstore import (
    CorruptRecord,
    FileMessageStore,
    Message,
    MessageFilter,
    PositionalMessage,
)
from msgstore.format.names import segment_path
from msgstore.format.record import encode_body, encode_record

ROW_BYTES = 96
COMMITS = 60
STREAMS = ("a", "b", "long")
START = datetime(2026, 11, 23, 14, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams reach over several segments."""
    for module in ("segments", "commit"):
        monkeypatch.setattr(f"msgstore.engine.{module}.SEGMENT_BYTES_ROLL", 1500)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """One message a second, to three streams in turn, the third of them twice."""
    ticks = iter(range(10_000))
    start_us = int(START.timestamp() * 1_000_000)

    def clock() -> int:
        return start_us + next(ticks) * 1_000_000

    with FileMessageStore(tmp_path / "store", durability="os", clock=clock) as store:
        for number in range(COMMITS):
            for stream in (*STREAMS, "long"):
                message = Message("Step", {"n": number, "x": "x" * 40}, correlation_id="c")
                store.save_message(stream, message)
    return tmp_path / "store"


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0x10
    file.write_bytes(content)


class Damaged:
    """A store, what it held, and where its records stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with FileMessageStore(path, create=False) as store:
            self.messages = list(store.get_all_messages())
        self.records: set[int] = set()
        self.rows: set[int] = set()

    def spoil_record(self, position: int, at: int = 60) -> None:
        row = (self.path / "index").read_bytes()[position * ROW_BYTES :][:ROW_BYTES]
        segment, offset = int.from_bytes(row[6:8], "little"), int.from_bytes(row[12:16], "little")
        stream = self.messages[position - 1].stream_id
        name = rf"{stream}~[0-9a-f]+{rf'[.]{segment}' if segment else ''}[.]msgpack"
        [file] = [f for f in self.path.rglob("*.msgpack") if re.fullmatch(name, f.name)]
        self.records.add(position)
        flip(file, offset + at)

    def spoil_row(self, position: int, at: int = 50) -> None:
        self.rows.add(position)
        flip(self.path / "index", position * ROW_BYTES + at)

    def of(self, stream: str) -> list[PositionalMessage]:
        return [m for m in self.messages if m.stream_id == stream]

    def readable(self, stream: str) -> list[PositionalMessage]:
        """Whole records that have a whole row, or stand in a run of whole ones beside such a row."""
        own = self.of(stream)
        whole = [m.position not in self.records for m in own]
        known = [m.position not in self.rows for m in own]
        reached = [w and k for w, k in zip(whole, known, strict=True)]
        for number in range(len(own)):
            before = number == 0 or known[number - 1] or reached[number - 1]
            reached[number] |= whole[number] and before
        for number in reversed(range(len(own) - 1)):
            after = known[number + 1] or (reached[number + 1] and any(known[number + 1 :]))
            reached[number] |= whole[number] and after
        return [m for m, is_reached in zip(own, reached, strict=True) if is_reached]


@pytest.fixture
def damaged(path: Path) -> Damaged:
    return Damaged(path)


@pytest.fixture
def told() -> list[CorruptRecord]:
    return []


def by_position(
    damaged: Damaged, told: list[CorruptRecord], wanted: MessageFilter | None = None
) -> list[PositionalMessage]:
    """The same forwards and backwards."""
    with FileMessageStore(damaged.path, create=False) as store:
        found = list(store.get_all_messages(wanted, on_damage=told.append))
        back: list[CorruptRecord] = []
        turned = store.get_all_messages(wanted, direction="backwards", on_damage=back.append)
        assert list(turned) == found[::-1]
        assert sorted(map(str, back)) == sorted(map(str, told))
    return found


def by_stream(
    damaged: Damaged, stream: str, told: list[CorruptRecord], **bounds: int
) -> list[PositionalMessage]:
    with FileMessageStore(damaged.path, create=False) as store:
        found = list(store.get_messages(stream, **bounds, on_damage=told.append))
        back: list[CorruptRecord] = []
        turned = store.get_messages(stream, **bounds, direction="backwards", on_damage=back.append)
        assert list(turned) == found[::-1]
        assert bool(back) == bool(told)
    return found


def test_a_sound_store(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """Without damage nothing is told, and all comes."""
    assert by_position(damaged, told) == damaged.messages
    for stream in STREAMS:
        assert by_stream(damaged, stream, told) == damaged.of(stream)
    assert told == []


def test_one_record(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """A damaged record is left out by itself, and told with stream, revision, position and file."""
    damaged.spoil_record(101)
    expected = [m for m in damaged.messages if m.position != 101]
    assert by_position(damaged, told) == expected
    [error] = told
    assert (error.stream_id, error.revision, error.position) == ("a", 25, 101)
    assert error.path.startswith("streams/")
    told.clear()
    assert by_stream(damaged, "a", told) == [m for m in expected if m.stream_id == "a"]
    assert [(e.stream_id, e.revision, e.position) for e in told] == [("a", 25, 101)]


def test_one_row(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """By position the message of a damaged row is left out; its stream still has it."""
    damaged.spoil_row(101)
    assert by_position(damaged, told) == [m for m in damaged.messages if m.position != 101]
    assert [(e.path, e.position) for e in told] == [("index", 101)]
    told.clear()
    assert by_stream(damaged, "a", told) == damaged.of("a")
    assert told == []


@pytest.mark.parametrize("seed", range(25))
def test_much_damage(damaged: Damaged, told: list[CorruptRecord], seed: int) -> None:
    """Whatever is damaged, exactly the rest comes, in order, and each loss is told once."""
    chance = random.Random(seed)
    count = len(damaged.messages)
    for position in chance.sample(range(1, count + 1), chance.choice([3, 30, 100])):
        damaged.spoil_record(position, chance.choice([0, 5, 10, 15, 33, 60, 90]))
    for position in chance.sample(range(1, count + 1), chance.choice([0, 3, 60, 150])):
        damaged.spoil_row(position, chance.randrange(ROW_BYTES))
    lost = damaged.records | damaged.rows
    assert by_position(damaged, told) == [m for m in damaged.messages if m.position not in lost]
    assert sorted(e.position or 0 for e in told) == sorted(lost)
    for stream in STREAMS:
        told.clear()
        found = by_stream(damaged, stream, told)
        assert found == damaged.readable(stream)
        revisions = [e.revision for e in told]
        assert len(set(revisions)) == len(revisions)
        missing = [m.revision for m in damaged.of(stream) if m not in found]
        inner = [m.revision for m in damaged.of(stream) if m.position not in damaged.rows][-1]
        assert [r for r in missing if r <= inner] == [r for r in revisions if (r or 0) <= inner]
        assert bool(missing) == bool(told)


@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_a_stream(damaged: Damaged, told: list[CorruptRecord], seed: int) -> None:
    """Only losses within the revisions that were asked for are told."""
    chance = random.Random(seed)
    for position in chance.sample(range(1, 200), 40):
        damaged.spoil_record(position)
        damaged.spoil_row(position + chance.randrange(10))
    found = by_stream(damaged, "long", told, from_revision=20, to_revision=60)
    assert found == [m for m in damaged.readable("long") if 20 <= m.revision <= 60]
    missing = {*range(20, 61)} - {m.revision for m in found}
    assert {e.revision for e in told} == missing


@pytest.mark.parametrize("what", ["segment", "header", "cut"])
def test_a_segment(damaged: Damaged, told: list[CorruptRecord], what: str) -> None:
    """A segment that is gone, cut, or has lost its header costs what it held."""
    [file] = [f for f in damaged.path.rglob("*.msgpack") if re.match(r"long~.*[.]1[.]", f.name)]
    content = file.read_bytes()
    if what == "segment":
        file.unlink()
    elif what == "header":
        flip(file, 20)
    else:
        file.write_bytes(content[:700])
    name = str(file.relative_to(damaged.path))
    found = by_position(damaged, told)
    lost = {e.position for e in told}
    assert found == [m for m in damaged.messages if m.position not in lost]
    assert {e.path for e in told} <= {name}
    assert bool(lost) == (what != "header")
    told.clear()
    assert by_stream(damaged, "long", told) == [m for m in found if m.stream_id == "long"]
    if what == "header":
        assert [(e.path, e.revision) for e in told] == [(name, None)]
    else:
        assert {e.position for e in told} == lost


def test_the_end_of_a_stream(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """A damaged last record does not hide the others, whether its row is whole or not."""
    last = damaged.of("a")[-1]
    damaged.spoil_record(last.position)
    assert by_stream(damaged, "a", told) == damaged.of("a")[:-1]
    assert [e.position for e in told] == [last.position]
    told.clear()
    only = MessageFilter(stream_id="a")
    assert by_position(damaged, told, only) == damaged.of("a")[:-1]
    assert [e.position for e in told] == [last.position]
    damaged.spoil_row(last.position)
    told.clear()
    assert by_stream(damaged, "a", told) == damaged.of("a")[:-1]
    assert [e.revision for e in told] == [last.revision]


def test_times(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """A search by time finds its way around damaged rows, and tells those that might be meant."""
    for position in (*range(100, 140), 5, 200):
        damaged.spoil_row(position)
    for low, high in [(50, 150), (110, 120), (90, 110), (130, 180), (1, 240), (6, 99)]:
        told.clear()
        stamps = {m.position: m.timestamp for m in damaged.messages}
        wanted = MessageFilter(from_timestamp=stamps[low], to_timestamp=stamps[high])
        expected = [
            m
            for m in damaged.messages
            if low <= m.position <= high and m.position not in damaged.rows
        ]
        assert by_position(damaged, told, wanted) == expected
        meant = {p for p in damaged.rows if low <= p <= high}
        said = {e.position for e in told}
        assert meant <= said
        beside = {p for p in damaged.rows if {*range(p, low)} <= damaged.rows and p < low}
        beside |= {p for p in damaged.rows if {*range(high + 1, p)} <= damaged.rows and p > high}
        assert said <= meant | beside
    far = MessageFilter(from_timestamp=START + timedelta(days=1))
    told.clear()
    assert by_position(damaged, told, far) == []
    assert told == []


@pytest.mark.parametrize(
    "wanted", [MessageFilter(stream_id="b"), MessageFilter(stream_pattern="[b]"), MessageFilter()]
)
def test_the_catalog(damaged: Damaged, told: list[CorruptRecord], wanted: MessageFilter) -> None:
    """A damaged catalog costs the stream that it hits, by position; not by its own name."""
    content = (damaged.path / "catalog").read_bytes()
    flip(damaged.path / "catalog", content.index(b"\xa1b", 56) + 1)
    everything = wanted == MessageFilter()
    found = by_position(damaged, told, wanted)
    assert found == [m for m in damaged.messages if everything and m.stream_id != "b"] or (
        wanted.stream_id == "b" and found == damaged.of("b")
    )
    assert told or found == damaged.of("b")
    told.clear()
    assert by_stream(damaged, "b", told) == damaged.of("b")
    damaged.spoil_record(damaged.of("b")[9].position)
    assert by_stream(damaged, "b", told) == damaged.readable("b")
    assert [e.revision for e in told] == [9]


def test_a_record_that_never_stood(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """What a save left behind that was taken back is no message, though it is whole."""
    last = damaged.of("a")[-1]
    left_over = encode_record(
        encode_body(Message("Never"), "never", None), last.position + 1, 1, last.revision + 1, False
    )
    number = int.from_bytes(
        (damaged.path / "index").read_bytes()[last.position * 96 + 6 :][:2], "little"
    )
    with (damaged.path / segment_path("a", number)).open("ab") as file:
        file.write(left_over)
    damaged.spoil_record(damaged.of("a")[30].position)
    assert by_stream(damaged, "a", told) == damaged.readable("a")
    assert [e.revision for e in told] == [30]


def test_counting_from_where_reading_starts(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """A count is of what comes; what lies behind is not looked at."""
    damaged.spoil_record(3)
    damaged.spoil_record(230)
    with FileMessageStore(damaged.path, create=False) as store:
        found = list(store.get_all_messages(count=4, on_damage=told.append))
    assert [m.position for m in found] == [1, 2, 4, 5]
    assert [e.position for e in told] == [3]


def test_following(damaged: Damaged, told: list[CorruptRecord]) -> None:
    """Whoever follows goes on behind damage too."""
    damaged.spoil_record(7)
    with FileMessageStore(damaged.path, create=False) as store:
        found = [m.position for m in store.follow(None, 5, timeout=0, on_damage=told.append)]
    assert found == [5, 6, *range(8, len(damaged.messages) + 1)]
    assert [e.position for e in told] == [7]


READS: list[Callable[[FileMessageStore], Iterator[PositionalMessage]]] = [
    lambda store: store.get_all_messages(),
    lambda store: store.get_messages("a"),
]


@pytest.mark.parametrize("read", READS, ids=["all", "stream"])
def test_nothing_is_left_out_unasked(
    damaged: Damaged, read: Callable[[FileMessageStore], Iterator[PositionalMessage]]
) -> None:
    """Without it the first damage is an error, as ever."""
    damaged.spoil_record(101)
    with FileMessageStore(damaged.path, create=False) as store, pytest.raises(CorruptRecord):
        list(read(store))
