"""A stream never seems to end before its last message: the index bears witness, by runs or rows."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest

from msgstore import CorruptRecord, FileMessageStore, Message, MessageFilter
from msgstore.engine import commit, ends, ids, runs, segments
from msgstore.engine.runs import Runs
from msgstore.format.names import segment_path

STREAMS = 7
MESSAGES = 100


@pytest.fixture(params=["rows", "runs", "both"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A store of which rows alone tell, runs alone, or runs of the first half."""
    path = tmp_path / "store"
    with small_runs(), FileMessageStore(path) as store:
        for number in range(MESSAGES):
            store.save_message(f"s{number % STREAMS}", Message("Step", {"n": number}))
            if request.param != "rows" and number in (9, 19, 29, 39, 49):
                checkpoint(store)
        if request.param == "runs":
            checkpoint(store)
    assert len(files(path, "ends-*")) == {"rows": 0, "runs": 3, "both": 2}[request.param]
    return path


class small_runs:
    """Inside it ten rows are enough for a run."""

    def __enter__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        for module in (runs, ends, ids):
            self._patch.setattr(module, "RUN_ROWS_MIN", 10)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def checkpoint(store: FileMessageStore) -> None:
    with store._writer.exclusive() as writer:
        writer.checkpoint()


def files(path: Path, pattern: str) -> list[Path]:
    return sorted((path / "lookup").glob(pattern))


def segment(path: Path, stream_id: str) -> Path:
    return path / segment_path(stream_id, 0)


def cut_last_record(path: Path, stream_id: str) -> None:
    content = segment(path, stream_id).read_bytes()
    length = int.from_bytes(content[-4:], "big")
    segment(path, stream_id).write_bytes(content[:-length])


def cut_all_records(path: Path, stream_id: str) -> None:
    content = segment(path, stream_id).read_bytes()
    segment(path, stream_id).write_bytes(content[: int.from_bytes(content[9:13], "big")])


LOSSES: dict[str, tuple[Callable[[Path, str], None], int]] = {
    "deleted": (lambda path, stream: segment(path, stream).unlink(), 0),
    "emptied": (lambda path, stream: segment(path, stream).write_bytes(b""), 0),
    "all records": (cut_all_records, 0),
    "the last record": (cut_last_record, 13),
}


def questions(stream_id: str) -> Iterator[Callable[[FileMessageStore], object]]:
    yield lambda store: list(store.get_messages(stream_id))
    yield lambda store: list(store.get_messages(stream_id, direction="backwards"))
    yield lambda store: store.get_stream_info(stream_id)
    yield lambda store: list(store.get_streams())
    yield lambda store: store.save_message(stream_id, Message("More"))
    yield lambda store: store.save_message(stream_id, Message("More"), expected_revision=-1)
    yield lambda store: list(store.get_all_messages(MessageFilter(stream_id=stream_id)))


def expect_lost(path: Path, stream_id: str, revision: int) -> None:
    number = int(stream_id[1:])
    for ask in questions(stream_id):
        with FileMessageStore(path, create=False) as store, pytest.raises(CorruptRecord) as raised:
            ask(store)
        error = raised.value
        assert (error.stream_id, error.revision) == (stream_id, revision)
        assert error.position == revision * STREAMS + number + 1
        assert error.path == segment_path(stream_id, 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_segment_that_lost_messages(path: Path, loss: str) -> None:
    """Reads and saves say which message is missing, however cleanly its segment was cut."""
    lose, revision = LOSSES[loss]
    lose(path, "s3")
    expect_lost(path, "s3", revision)
    with FileMessageStore(path, create=False) as store:  # the others are as they were
        assert len(list(store.get_messages("s2"))) == 14 + (MESSAGES % STREAMS > 2)
        assert store.save_message("new", Message("First"), expected_revision=-1).last_revision == 0
        assert list(store.get_messages("unknown")) == []


@pytest.mark.parametrize("loss", ["deleted", "the last record"])
def test_runs_that_are_gone_or_bad(path: Path, loss: str) -> None:
    """Without them, and with every one of them damaged anywhere, the answers are the same."""
    lose, revision = LOSSES[loss]
    lose(path, "s5")
    chance = random.Random(1)
    for file in files(path, "*"):
        content = file.read_bytes()
        for at in [*range(0, 88, 9), *chance.sample(range(len(content)), 12)]:
            flipped = bytearray(content)
            flipped[at] ^= 4
            file.write_bytes(flipped)
            with FileMessageStore(path, create=False) as store:
                with pytest.raises(CorruptRecord, match="s5"):
                    store.get_stream_info("s5")
                assert store.get_stream_info("s4").revision == 13
                assert store.get_stream_info("never") is None
        file.write_bytes(content[: chance.randrange(len(content))])
        expect_lost(path, "s5", revision)
        file.unlink()
        expect_lost(path, "s5", revision)


def test_every_segment_in_turn(path: Path) -> None:
    """No stream is without its witness."""
    for number in range(STREAMS):
        kept = segment(path, f"s{number}").read_bytes()
        segment(path, f"s{number}").unlink()
        expect_lost(path, f"s{number}", 0)
        segment(path, f"s{number}").write_bytes(kept)
    with FileMessageStore(path, create=False) as store:
        assert store.verify().findings == ()


def test_a_read_that_began_before(path: Path) -> None:
    """A snapshot sees the stream end where it ended then, whatever was saved and sealed since."""
    with small_runs(), FileMessageStore(path, create=False) as store:
        before = store._reader.snapshot()
        assert before is not None
        for number in range(40):
            store.save_message("s1", Message("Later", {"n": number}))
            store.save_message(f"later{number}", Message("Later"))
        checkpoint(store)
        with FileMessageStore(path, create=False) as other:
            other.get_stream_info("s1")
        head = before.source.segments.head("s1", before.rows)
        assert head is not None
        assert head.revision == (MESSAGES - 2) // STREAMS
        assert before.source.segments.head("later1", before.rows) is None
        now = store.get_stream_info("s1")
        assert now is not None
        assert now.revision == head.revision + 40


def test_runs_merged_under_a_reader(path: Path) -> None:
    """A reader that knew the runs goes on when a writer has merged them."""
    with small_runs(), FileMessageStore(path, create=False) as reader:
        assert reader.get_stream_info("s1").revision == 14
        with FileMessageStore(path, create=False) as writer:
            for number in range(200):
                writer.save_message(f"s{number % STREAMS}", Message("More"))
                if number % 10 == 9:
                    checkpoint(writer)
        infos = [reader.get_stream_info(f"s{number}") for number in range(STREAMS)]
        assert sum(info.message_count for info in infos if info) == MESSAGES + 200
        assert reader.get_stream_info("never") is None
    segment(path, "s0").unlink()
    expect_lost(path, "s0", 0)


def test_streams_whose_hashes_meet(path: Path) -> None:
    """Two stream ids with one hash are two streams."""
    # CRC-32 of short texts that differ in their last bytes only never meet: these are longer.
    chance, seen = random.Random(5), dict[int, str]()
    for _ in count():
        name = f"meet-{chance.getrandbits(96):024x}"
        other = seen.setdefault(crc32(name.encode()), name)
        if other != name:
            break
    with small_runs(), FileMessageStore(path, create=False) as store:
        store.save_message(other, Message("One"))
        for filler in range(20):
            store.save_message("s0", Message("Filler", {"n": filler}))
        checkpoint(store)
        assert store.get_stream_info(name) is None
        assert store.save_message(name, Message("Two"), expected_revision=-1).last_revision == 0
        for filler in range(20):
            store.save_message("s0", Message("Filler", {"n": filler}))
        checkpoint(store)
    for lost in (name, other):
        kept = segment(path, lost).read_bytes()
        segment(path, lost).unlink()
        with FileMessageStore(path, create=False) as store, pytest.raises(CorruptRecord):
            store.get_stream_info(lost)
        segment(path, lost).write_bytes(kept)


def test_an_older_index_under_younger_runs(path: Path, tmp_path: Path) -> None:
    """Runs of rows that are not there are not believed: files of a copy may be of other moments."""
    shutil.copytree(path, tmp_path / "older")
    with small_runs(), FileMessageStore(path, create=False) as store:
        for number in range(60):
            store.save_message(f"new{number}", Message("Step"))
        checkpoint(store)
    older = tmp_path / "older"
    shutil.rmtree(older / "lookup", ignore_errors=True)
    shutil.copytree(path / "lookup", older / "lookup")
    with FileMessageStore(older, create=False) as store:
        assert store.get_stream_info("new1") is None
        assert store.save_message("new1", Message("Other"), expected_revision=-1).last_revision == 0
        assert store.get_stream_info("s1").revision == 14


def test_as_many_runs_as_the_logarithm(tmp_path: Path) -> None:
    """Runs are merged: a store of many rows has few of them, and nothing else is left in `lookup/`."""
    with small_runs(), FileMessageStore(tmp_path / "store", durability="os") as store:
        for number in range(640):
            store.save_message(f"s{number % 3}", Message("Step"))
            if number % 10 == 9:
                checkpoint(store)
    names = [file.name for file in files(tmp_path / "store", "*")]
    assert sum(name.startswith("ends-1-") for name in names) == 1
    assert all(name.count("-") == 2 and "." not in name for name in names)
    assert len(names) <= 2 * 3 * 4


def test_runs_cover_from_the_first_row_on(path: Path) -> None:
    """What lies behind a run that is gone is not believed to be all."""
    with FileMessageStore(path, create=False) as store:
        source = store._reader.snapshot().source
        known = Runs(source.disk, source.index, source.identity.store_uuid, "ends")
        chain = known.chain
        for run in chain:
            assert run.header.first_row <= run.header.last_row
        if len(chain) > 1:
            (path / chain[0].path).unlink()
            known.look_again()
            assert known.covered == 0


@pytest.mark.parametrize("left", ["the header", "half the header", "half a record"])
def test_a_segment_that_was_only_begun(tmp_path: Path, left: str) -> None:
    """What a save that never stood left in the next segment does not hide the messages before it."""
    path = tmp_path / "store"
    with pytest.MonkeyPatch.context() as patch:
        for module in (commit, segments):
            patch.setattr(module, "SEGMENT_BYTES_ROLL", 600)
        with FileMessageStore(path) as store:
            count = 0
            while segment(path, "s0").stat().st_size < 600 if count else True:
                store.save_message("s0", Message("Step", {"n": count}))
                count += 1
            store.save_message("s0", Message("Step", {"n": count}))
        next_one = path / segment_path("s0", 1)
        content = next_one.read_bytes()
        header = int.from_bytes(content[9:13], "big")
        size = {"the header": header, "half the header": header // 2}.get(left, header + 30)
        with FileMessageStore(path) as store:
            info = store.get_stream_info("s0")
            assert info is not None
            assert info.revision == count
        shutil.copytree(path, tmp_path / "begun")
        begun = tmp_path / "begun" / segment_path("s0", 2)
        begun.write_bytes(content[:size])
        full = tmp_path / "begun" / segment_path("s0", 1)
        with FileMessageStore(tmp_path / "begun") as store:
            while full.stat().st_size < 600:
                count += 1
                begun.unlink(missing_ok=True)
                store.save_message("s0", Message("Step", {"n": count}))
            begun.write_bytes(content[:size])
        with FileMessageStore(tmp_path / "begun", create=False) as store:
            assert [m.message.data["n"] for m in store.get_messages("s0")] == list(range(count + 1))
            assert store.save_message("s0", Message("Next")).last_revision == count + 1
            assert store.verify().findings == ()
