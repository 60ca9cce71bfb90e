"""Queries by id look at runs and few rows, and answer what looking through all rows would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgstore import (
    CorruptRecord,
    DuplicateMessageId,
    FileMessageStore,
    MemoryMessageStore,
    Message,
    MessageFilter,
)
from msgstore.disk.files import RealDisk
from msgstore.engine import ends, ids, query, runs
from msgstore.format.names import INDEX

WORDS = ["a", "b", "c", "d"]


@pytest.fixture(autouse=True)
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows are enough for a run, and the limits are met by a few dozen."""
    for module in (runs, ends, ids):
        monkeypatch.setattr(module, "RUN_ROWS_MIN", 10)
    monkeypatch.setattr(query, "_WINDOW_ROWS_FIRST", 3)
    monkeypatch.setattr(query, "COUNT_MAX", 3)
    monkeypatch.setattr(ids, "_SORTED_AT_ONCE", 5)
    monkeypatch.setattr(ids, "_LOOK_AGAIN_ROWS", 7)
    monkeypatch.setattr(ids, "_MERGED_FENCES", 2)


def checkpoint(store: FileMessageStore) -> None:
    with store._writer.exclusive() as writer:
        writer.checkpoint()


def files(path: Path, pattern: str = "ids-*") -> list[Path]:
    return sorted((path / "lookup").glob(pattern))


def message(number: int, draw: list[int]) -> Message:
    """Ids that come often, seldom, once, and not at all."""
    some, few = draw[number % len(draw)], draw[(number * 7) % len(draw)]
    return Message(
        f"Type{some % 3}",
        {"n": number, "even": number % 2 == 0},
        id=f"id-{number}",
        correlation_id=WORDS[some % 4] if some % 5 else None,
        request_id=f"request-{few}" if few % 3 else None,
        causation_id=f"id-{few}" if few % 2 else None,
    )


filters = st.builds(
    MessageFilter,
    correlation_id=st.none() | st.sampled_from([*WORDS, "never"]),
    request_id=st.none() | st.integers(0, 12).map("request-{}".format),
    causation_id=st.none() | st.integers(0, 12).map("id-{}".format),
    message_id=st.none() | st.none() | st.integers(0, 120).map("id-{}".format),
    stream_id=st.none() | st.none() | st.sampled_from(["s0", "s1", "s9"]),
    message_names=st.none() | st.sets(st.sampled_from(["Type0", "Type1"]), min_size=1),
    from_position=st.none() | st.integers(1, 130),
    to_position=st.none() | st.integers(1, 130),
    json_filter=st.none() | st.just({"even": True}),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    draw=st.lists(st.integers(0, 12), min_size=1, max_size=30),
    count=st.integers(1, 120),
    checkpoints=st.sets(st.integers(0, 120), max_size=6),
    wanted=st.lists(filters, min_size=1, max_size=12),
    spoil=st.sampled_from(["nothing", "gone", "flipped", "cut"]),
    backwards=st.booleans(),
    limit=st.none() | st.integers(1, 5),
    data=st.data(),
)
def test_any_filter(
    tmp_path_factory: pytest.TempPathFactory,
    draw: list[int],
    count: int,
    checkpoints: set[int],
    wanted: list[MessageFilter],
    spoil: str,
    backwards: bool,
    limit: int | None,
    data: st.DataObject,
) -> None:
    """With runs, without, with bad ones and merged ones: what the store in memory answers."""
    path = tmp_path_factory.mktemp("ids") / "store"
    memory = MemoryMessageStore()
    with FileMessageStore(path, durability="os") as store, FileMessageStore(path) as other:
        for number in range(count):
            for each in (store, memory):
                each.save_message(f"s{number % 2}", message(number, draw))
            if number in checkpoints:
                checkpoint(store)
                expect_same(other, memory, wanted[:2], backwards, limit)
        for file in files(path):
            if spoil != "nothing" and data.draw(st.booleans()):
                damage(file, spoil, data)
        with FileMessageStore(path, create=False) as cold:
            expect_same(cold, memory, wanted, backwards, limit)
            expect_same(cold, memory, wanted, not backwards, limit)
        expect_same(other, memory, wanted, backwards, limit)


def expect_same(
    store: FileMessageStore,
    memory: MemoryMessageStore,
    wanted: list[MessageFilter],
    backwards: bool,
    limit: int | None,
) -> None:
    direction = "backwards" if backwards else "forwards"
    for one in wanted:
        found = store.get_all_messages(one, limit, direction=direction)
        expected = memory.get_all_messages(one, limit, direction=direction)
        assert [m.position for m in found] == [m.position for m in expected], one
        assert store.count_messages(one) == memory.count_messages(one)


def damage(file: Path, how: str, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[:at])
    else:
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        file.write_bytes(content)


class CountingDisk(RealDisk):
    """Counts the rows that are read of the index."""

    rows = 0

    def read(self, path: str, offset: int, size: int) -> bytes:
        found = super().read(path, offset, size)
        if path == INDEX:
            self.rows += len(found) // 96
        return found


class CountingStore(FileMessageStore):
    def _make_disk(self) -> CountingDisk:
        self.counting = CountingDisk(str(self.path))
        return self.counting


def rows_read(path: Path, wanted: MessageFilter) -> tuple[int, int]:
    """Rows read by the first query of an object, and by one when it has been asked often."""
    with CountingStore(path, create=False) as store:
        counts = []
        for _ in range(9):
            store.counting.rows = 0
            assert len(list(store.get_all_messages(wanted))) == 5
            counts.append(store.counting.rows)
        return counts[0], counts[-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """640 messages in runs, and 5 more."""
    path = tmp_path / "store"
    fill(path, 640)
    return path


def fill(path: Path, messages: int) -> None:
    with FileMessageStore(path, durability="os") as store:
        for first in range(0, messages, 40):
            with store.transaction() as together:
                for number in range(first, first + 40):
                    together.save_message(f"s{number % 3}", numbered(number))
            checkpoint(store)
        for number in range(messages, messages + 5):
            store.save_message(f"s{number % 3}", numbered(number))


def numbered(number: int) -> Message:
    return Message(
        "Step",
        {"n": number},
        id=f"id-{number}",
        correlation_id=f"correlation-{number // 5}",
        request_id=f"request-{number}",
        causation_id=f"id-{number - 1}",
    )


def test_rows_touched(tmp_path: Path) -> None:
    """A store five times as large costs no more rows, cold or warm, but one for each run."""
    fill(tmp_path / "small", 640)
    fill(tmp_path / "large", 3200)
    for number in (0, 31, 63, 127):
        wanted = MessageFilter(correlation_id=f"correlation-{number}")
        small, large = rows_read(tmp_path / "small", wanted), rows_read(tmp_path / "large", wanted)
        assert large[0] <= small[0] + 2 * len(files(tmp_path / "large", "*"))
        assert large[1] <= small[1] <= 12


@pytest.mark.parametrize("kind", ["correlation_id", "request_id", "causation_id"])
def test_the_first_page_of_a_frequent_id(tmp_path: Path, kind: str) -> None:
    """Of an id that most rows hold only so many are looked at as are asked for."""
    with FileMessageStore(tmp_path / "store", durability="os") as store:
        for first in range(0, 800, 200):
            facts = {kind: "often"}
            batch = [Message("Step", {"n": first + n}, **facts) for n in range(200)]
            store.save_messages("s", batch)
            checkpoint(store)
    with CountingStore(tmp_path / "store", create=False) as store:
        wanted = MessageFilter(**{kind: "often"})
        for direction, number in (("forwards", 0), ("backwards", 799)):
            assert store.get_all_messages(wanted, 1, direction=direction) is not None
            store.counting.rows = 0
            found = next(iter(store.get_all_messages(wanted, direction=direction)))
            assert found.message.data["n"] == number
            assert store.counting.rows <= 12
        assert len(list(store.get_all_messages(wanted))) == 800


def test_hashes_that_meet(tmp_path: Path) -> None:
    """Two ids with one hash are told apart by their records."""
    name, other = "plumless", "buckeroo"
    assert crc32(name.encode()) == crc32(other.encode())
    with FileMessageStore(tmp_path / "store") as store:
        for each in (name, other):
            store.save_message("s", Message("Step", id=each, correlation_id=each))
        for number in range(20):
            store.save_message("s", Message("Filler", id=f"filler{number}"))
        checkpoint(store)
        for position, each in enumerate((name, other), 1):
            for wanted in (MessageFilter(correlation_id=each), MessageFilter(message_id=each)):
                assert [m.position for m in store.get_all_messages(wanted)] == [position]
            assert store.save_message("s", Message("Step", id=each, correlation_id=each)).duplicate


def flip_row(path: Path, position: int) -> None:
    content = bytearray((path / "index").read_bytes())
    content[position * 96 + 50] ^= 1
    (path / "index").write_bytes(content)


def test_a_row_damaged_after_its_run_was_made(path: Path) -> None:
    """The run still leads to it: the error names it. Other ids are answered without it."""
    flip_row(path, 33)
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(CorruptRecord) as raised:
            list(store.get_all_messages(MessageFilter(correlation_id="correlation-6")))
        assert raised.value.position == 33
        told: list[CorruptRecord] = []
        wanted = MessageFilter(correlation_id="correlation-6")
        found = [m.position for m in store.get_all_messages(wanted, on_damage=told.append)]
        assert found == [31, 32, 34, 35]
        assert [error.position for error in told] == [33]
        wanted = MessageFilter(correlation_id="correlation-7")
        assert len(list(store.get_all_messages(wanted))) == 5
        with pytest.raises(CorruptRecord):
            store.save_message("s0", Message("Step", id="id-32"))


@pytest.mark.parametrize("position", [641, 645])
def test_a_damaged_row_that_no_run_tells_of(path: Path, position: int) -> None:
    """It might have held any id, so no query that reaches it is answered without an error."""
    flip_row(path, position)
    with FileMessageStore(path, create=False) as store:
        wanted = MessageFilter(correlation_id="correlation-6")
        with pytest.raises(CorruptRecord) as raised:
            list(store.get_all_messages(wanted))
        assert raised.value.position == position
        before = MessageFilter(correlation_id="correlation-6", to_position=position - 1)
        assert len(list(store.get_all_messages(before))) == 5
        told: list[CorruptRecord] = []
        assert len(list(store.get_all_messages(wanted, on_damage=told.append))) == 5
        assert [error.position for error in told] == [position]
        with pytest.raises(CorruptRecord):
            store.save_message("s0", Message("Step", id="new"))


def test_a_damaged_row_is_in_no_run(tmp_path: Path) -> None:
    """Runs end before a row that was damaged when they were made."""
    path = tmp_path / "store"
    with FileMessageStore(path, durability="os") as store:
        for number in range(60):
            store.save_message("s", numbered(number))
        flip_row(path, 31)
        checkpoint(store)
    assert [file.name for file in files(path)] == ["ids-1-30"]
    with FileMessageStore(path, create=False) as store, pytest.raises(CorruptRecord):
        list(store.get_all_messages(MessageFilter(correlation_id="correlation-2")))


def test_ids_of_their_own_in_a_large_store(path: Path) -> None:
    """Saving again under an id finds the first, wherever it stands; content that differs is refused."""
    with CountingStore(path, create=False) as store:
        for number in (0, 320, 639, 641):
            result = store.save_message(f"s{number % 3}", numbered(number))
            assert (result.duplicate, result.first_position) == (True, number + 1)
            with pytest.raises(DuplicateMessageId):
                store.save_message("s0", Message("Other", id=f"id-{number}"))
        store.counting.rows = 0
        assert not store.save_message("s0", Message("New", id="new")).duplicate
        assert store.counting.rows <= 12


def test_a_store_without_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first save under an id of its own makes them, and reads every row but once or twice."""
    for file in files(path):
        file.unlink()
    monkeypatch.setattr(ids, "_TAIL_ROWS_MAX", 100)
    monkeypatch.setattr(ids, "_SEALED_AT_ONCE", 150)
    with CountingStore(path, create=False) as store:
        assert len(list(store.get_all_messages(MessageFilter(message_id="id-3")))) == 1
        assert files(path) == []
        store.counting.rows = 0
        assert store.save_message("s0", numbered(3)).duplicate
        assert store.counting.rows < 2 * 645
        assert files(path) != []
        store.counting.rows = 0
        assert store.save_message("s1", numbered(4)).duplicate
        assert store.counting.rows <= 12


def test_runs_merged_under_a_reader(path: Path) -> None:
    """A reader goes on when a writer merged the runs that it knew."""
    with FileMessageStore(path, create=False) as reader:
        wanted = [MessageFilter(correlation_id=f"correlation-{n}") for n in range(0, 128, 9)]
        assert [len(list(reader.get_all_messages(one))) for one in wanted] == [5] * len(wanted)
        with FileMessageStore(path, create=False) as writer:
            for number in range(645, 1300):
                writer.save_message("s", numbered(number))
                if number % 100 == 99:
                    checkpoint(writer)
        assert [len(list(reader.get_all_messages(one))) for one in wanted] == [5] * len(wanted)
        latest = MessageFilter(correlation_id="correlation-200")
        assert len(list(reader.get_all_messages(latest))) == 5


def test_merged_runs_hold_every_key(path: Path) -> None:
    """Four kinds of ids of each row, once."""
    with FileMessageStore(path, create=False) as store:
        snapshot = store._reader.snapshot()
        assert snapshot is not None
        chain = snapshot.source.ids._runs.chain
        positions: Counter[int] = Counter()
        for run in chain:
            keys = run.keys_of(0, run.header.blocks - 1).tolist()
            assert keys == sorted(keys)
            positions.update(key & 0x7FFF_FFFF for key in keys)
    assert positions == Counter(dict.fromkeys(range(1, 641), 4))
    assert len(chain) <= 9


def filters_of(number: int) -> Iterator[MessageFilter]:
    yield MessageFilter(message_id=f"id-{number}")
    yield MessageFilter(request_id=f"request-{number}")
    yield MessageFilter(causation_id=f"id-{number - 1}")


def test_every_message_by_every_id(path: Path) -> None:
    """No message is without its keys."""
    with FileMessageStore(path, create=False) as store:
        for number in range(645):
            for wanted in filters_of(number):
                assert [m.position for m in store.get_all_messages(wanted)] == [number + 1]
