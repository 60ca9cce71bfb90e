"""`repair`: after any damage the store is sound again, and nothing is lost that could be kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest

from msgstore import CorruptStore, FileMessageStore, Message, StoreNotFound
from msgstore.backends.repairing import repair_store
from msgstore.engine import rebuild
from msgstore.format.record import encode_body, encode_record
from msgstore.model.repairs import LOST_STREAM, LOST_TYPE

from .stores import (
    MESSAGES,
    ROW_BYTES,
    STREAMS,
    contents,
    copy,
    cut,
    files_of,
    flip,
    forget_hint,
    make,
    record_at,
    segment,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return copy(made, tmp_path / "store")


def overwrite_with(path: Path, name: str, content: bytes) -> None:
    (path / name).write_bytes(content)


def of_another(path: Path, name: str) -> None:
    """Puts a file of another store in place of one of this."""
    other = path.parent / "other"
    with FileMessageStore(other) as store:
        store.create_session("foreign")
        store.save_messages("a", [Message("Foreign")] * 40)
    source = other / name if name != "segment" else segment(other, "a")
    target = path / name if name != "segment" else segment(path, "a")
    shutil.copy(source, target)


def damage_record(stream: str, revision: int, where: str) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        start, end = record_at(path, stream, revision)
        at = {"head": start, "length": start + 10, "body": start + 60, "tail": end - 1}[where]
        flip(segment(path, stream), at)

    return damage


def damage_both(stream: str, revision: int) -> Callable[[Path], object]:
    """A record and its row."""

    def damage(path: Path) -> None:
        damage_record(stream, revision, "body")(path)
        flip(path / "index", STREAMS[stream][revision] * ROW_BYTES + 20)

    return damage


def swap(path: Path, *spoilt: str) -> None:
    """The segments of a and b change places; those of `spoilt` lost their headers before."""
    one, other = segment(path, "a"), segment(path, "b")
    for stream in spoilt:
        flip(segment(path, stream), 20)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def with_a_copy(path: Path) -> None:
    """Of a segment that is damaged later somebody made a copy beside it."""
    file = segment(path, "a")
    shutil.copy(file, file.with_suffix(".bak"))
    flip(file, record_at(path, "a", 4)[0] + 60)
    cut(file, record_at(path, "a", 7)[0])


ALL_OF_A = STREAMS["a"]
DAMAGE: dict[str, tuple[Callable[[Path], object], list[int]]] = {
    # records
    "a record's head": (damage_record("a", 4, "head"), [9]),
    "a record's length": (damage_record("a", 4, "length"), [9]),
    "a record's body": (damage_record("a", 4, "body"), [9]),
    "a record's tail": (damage_record("a", 4, "tail"), [9]),
    "the first record": (damage_record("a", 0, "body"), [1]),
    "the last record": (damage_record("a", 9, "body"), [19]),
    "a long record": (damage_record("d", 1, "body"), [25]),
    "a command": (damage_record("d", 0, "body"), [24]),
    "a record and its row": (damage_both("b", 3), [8]),
    "the last record and its row": (damage_both("b", 9), [20]),
    "two records side by side": (
        lambda p: flip(segment(p, "a"), record_at(p, "a", 3)[1] - 30, 60),
        [7, 9],
    ),
    # segments
    "a segment's header": (lambda p: flip(segment(p, "a"), 20), []),
    "a segment cut in a record": (
        lambda p: cut(segment(p, "a"), record_at(p, "a", 7)[0] + 9),
        [15, 17, 19],
    ),
    "a segment cut at a record": (
        lambda p: cut(segment(p, "a"), record_at(p, "a", 7)[0]),
        [15, 17, 19],
    ),
    "an empty segment": (lambda p: cut(segment(p, "a"), 0), ALL_OF_A),
    "a missing segment": (lambda p: segment(p, "a").unlink(), ALL_OF_A),
    "a segment of zeros": (
        lambda p: segment(p, "a").write_bytes(bytes(segment(p, "a").stat().st_size)),
        ALL_OF_A,
    ),
    "a segment of another store": (lambda p: of_another(p, "segment"), ALL_OF_A),
    "a segment that lacks its first half": (
        lambda p: segment(p, "a").write_bytes(
            segment(p, "a").read_bytes()[record_at(p, "a", 5)[0] - 7 :]
        ),
        ALL_OF_A[:5],
    ),
    "a segment in the wrong folder": (
        lambda p: segment(p, "a").rename(segment(p, "b").parent / segment(p, "a").name),
        [],
    ),
    "two segments that changed places": (swap, []),
    "and one of them without its header": (lambda p: swap(p, "a"), []),
    "and both without their headers": (lambda p: swap(p, "a", "b"), []),
    "a damaged segment with a copy": (with_a_copy, []),
    "all segments": (lambda p: shutil.rmtree(p / "streams"), list(range(1, MESSAGES))),
    # index
    "a row": (lambda p: flip(p / "index", 7 * ROW_BYTES + 40), []),
    "all rows": (lambda p: flip(p / "index", 96, MESSAGES * ROW_BYTES), []),
    "the header of the index": (lambda p: flip(p / "index", 3), []),
    "a cut index": (lambda p: cut(p / "index", 9 * ROW_BYTES + 5), []),
    "an empty index": (lambda p: cut(p / "index", 0), []),
    "a missing index": (lambda p: (p / "index").unlink(), []),
    "an index of another store": (lambda p: of_another(p, "index"), []),
    # catalog
    "the header of the catalog": (lambda p: flip(p / "catalog", 20), []),
    "an entry of the catalog": (lambda p: flip(p / "catalog", 70), []),
    "a cut catalog": (lambda p: cut(p / "catalog", 100), []),
    "a missing catalog": (lambda p: (p / "catalog").unlink(), []),
    "a catalog of another store": (lambda p: of_another(p, "catalog"), []),
    # sessions
    "the header of the sessions": (lambda p: flip(p / "sessions", 20), []),
    "an event of the sessions": (lambda p: flip(p / "sessions", 100), []),
    "cut sessions": (lambda p: cut(p / "sessions", 150), []),
    "missing sessions": (lambda p: (p / "sessions").unlink(), []),
    "sessions of another store": (lambda p: of_another(p, "sessions"), []),
    # journal
    "both headers of the journal": (lambda p: flip(p / "journal", 0, 4200), []),
    "a missing journal": (lambda p: (p / "journal").unlink(), []),
    "an empty journal": (lambda p: cut(p / "journal", 0), []),
    "a journal of another store": (lambda p: of_another(p, "journal"), []),
    "the last entry of the journal": (lambda p: flip(p / "journal", 8192 + 100), []),
    # store.json
    "an empty store.json": (lambda p: cut(p / "store.json", 0), []),
    "a missing store.json": (lambda p: (p / "store.json").unlink(), []),
    "another version in store.json": (
        lambda p: overwrite_with(
            p, "store.json", (p / "store.json").read_bytes().replace(b": 1,", b": 3,")
        ),
        [],
    ),
    "a store.json of another store": (lambda p: of_another(p, "store.json"), []),
    # several
    "index, catalog, journal": (
        lambda p: [(p / name).unlink() for name in ("index", "catalog", "journal")],
        [],
    ),
    "all but the segments": (
        lambda p: [file.unlink() for file in p.iterdir() if file.is_file()],
        [],
    ),
    "a record and the catalog": (
        lambda p: (damage_record("a", 4, "body")(p), (p / "catalog").unlink()),
        [9],
    ),
    "two segments that changed places, and the index": (
        lambda p: (swap(p), (p / "index").unlink()),
        [],
    ),
    "two segments that changed places, one header, and the catalog": (
        lambda p: (swap(p, "a"), (p / "catalog").unlink()),
        ALL_OF_A,
    ),
    "a segment's header and the catalog": (
        lambda p: (flip(segment(p, "a"), 20), (p / "catalog").unlink()),
        [],
    ),
}


@pytest.mark.parametrize("boots", [False, True], ids=["same boot", "rebooted"])
@pytest.mark.parametrize(("damage", "lost"), DAMAGE.values(), ids=DAMAGE.keys())
def test_repair(
    path: Path, made: Path, damage: Callable[[Path], object], lost: list[int], boots: bool
) -> None:
    """The dry run changes nothing; the repair keeps every byte of what is whole, marks what is lost
    where it stood, puts the old files aside, leaves a sound store, and has nothing more to do."""
    before = contents(path)
    damage(path)
    if boots:
        forget_hint(path)
    damaged = files_of(path)

    dry = repair_store(path)
    assert files_of(path) == damaged
    assert (dry.is_due, dry.applied, dry.lost_count) == (True, False, len(lost))
    done = repair_store(path, apply=True)
    assert (done.applied, done.lost, done.messages) == (True, dry.lost, MESSAGES)
    assert set(dry.rebuilt) <= set(done.rebuilt) | {"sessions"}

    after = contents(path)
    assert sorted(after) == sorted(before)
    for position, (stream_id, revision, record) in after.items():
        if position not in lost:
            assert (stream_id, revision, record) == before[position]
    with FileMessageStore(path, create=False) as store:
        assert store.verify().findings == ()
        markers = [m.position for m in store.get_all_messages() if m.message.type == LOST_TYPE]
        assert markers == lost
        by_stream = [m for info in store.get_streams() for m in store.get_messages(info.stream_id)]
        assert sorted(m.position for m in by_stream) == sorted(after)
    assert repair_store(path) == repair_store(path, apply=True)
    assert repair_store(path).damage == ()

    assert done.quarantine is not None
    kept = files_of(path / done.quarantine)
    assert kept == {name: damaged[name] for name in kept}
    now = files_of(path)
    assert all(
        name in kept for name in damaged if damaged[name] != now.get(name) and name != "journal"
    )
    with FileMessageStore(path) as store:
        assert store.save_message("a", Message("More")).first_position == MESSAGES + 1


@pytest.mark.parametrize(
    "name", ["a record's body", "a missing segment", "a segment cut at a record"]
)
def test_the_marker(path: Path, name: str) -> None:
    """In its stream, at its revision, position and time, stands what is known of a lost message."""
    with FileMessageStore(path) as store:
        before = {m.position: m for m in store.get_all_messages()}
    damage, lost = DAMAGE[name]
    damage(path)
    done = repair_store(path, apply=True)
    with FileMessageStore(path) as store:
        for marker in store.get_all_messages():
            was = before[marker.position]
            if marker.position not in lost:
                continue
            assert (marker.stream_id, marker.revision) == (was.stream_id, was.revision)
            assert (marker.timestamp, marker.session_id) == (was.timestamp, was.session_id)
            data = marker.message.data
            assert data["placing"] == "known"
            assert data["quarantine"] == done.quarantine == "quarantine/repair-1"
            assert data["original"]["messageType"] == was.message_type
            assert data["original"]["path"].startswith("streams/")


def test_what_the_journal_still_holds_is_not_lost(path: Path) -> None:
    """A record that rotted after it was saved comes back from the journal."""
    before = contents(path)
    with FileMessageStore(path) as store:
        store.save_message("a", Message("Fresh", "y" * 50))
    record = segment(path, "a")
    flip(record, record.read_bytes().index(b"yyy"))
    with FileMessageStore(path) as store:
        assert store.verify().findings
    report = repair_store(path, apply=True)
    assert (report.lost, len(report.damage)) == ((), 1)
    after = contents(path)
    assert b"y" * 50 in after.pop(MESSAGES + 1)[2]
    assert after == before


def test_a_row_that_is_gone_too_is_deduced(path: Path) -> None:
    """Where only one revision can have stood at a position, the marker stands there."""
    damage_both("b", 3)(path)
    [run] = repair_store(path, apply=True).lost
    assert (run.stream_id, run.first_revision, run.first_position) == ("b", 3, 8)
    assert run.placing == "deduced"


def test_what_can_be_one_of_several_is_said_to_be_assumed(path: Path) -> None:
    """Two revisions were lost with their rows between the same neighbours: one order is taken."""
    damage_both("a", 4)(path)
    damage_both("b", 4)(path)
    runs = repair_store(path, apply=True).lost
    assert [(r.stream_id, r.first_revision, r.placing) for r in runs] == [
        ("a", 4, "assumed"),
        ("b", 4, "assumed"),
    ]
    assert sorted(r.first_position for r in runs) == [9, 10]


def test_what_nothing_tells_of_goes_to_a_stream_of_its_own(path: Path) -> None:
    """The end of a stream is lost with its row: the position stays taken."""
    damage_both("b", 9)(path)
    [run] = repair_store(path, apply=True).lost
    assert (run.stream_id, run.first_revision, run.first_position) == (LOST_STREAM, 0, 20)
    assert run.placing == "unknown"
    with FileMessageStore(path) as store:
        assert store.save_message("b", Message("Step")).first_revision == 9


def test_a_later_loss_before_an_earlier_one(path: Path) -> None:
    """Revisions rise with positions in the stream of the lost too, so another one is begun."""
    damage_both("b", 9)(path)
    repair_store(path, apply=True)
    damage_both("a", 9)(path)
    [run] = repair_store(path, apply=True).lost
    assert (run.stream_id, run.first_position) == (f"{LOST_STREAM}-2", 19)


def test_sessions_keep_what_is_known(path: Path) -> None:
    """A session whose start is lost is there again, without its name; the others are as they were."""
    with FileMessageStore(path) as store:
        before = {s.session_id: s for s in store.get_sessions()}
    flip(path / "sessions", (path / "sessions").read_bytes().index(b"run"))
    repair_store(path, apply=True)
    with FileMessageStore(path) as store:
        after = {s.session_id: s for s in store.get_sessions()}
        assert after.keys() == before.keys()
        names = sorted(str(s.name) for s in after.values())
        assert names == ["None", "active", "still open"]
        for session_id, was in before.items():
            now = after[session_id]
            assert (now.message_count, now.command_count) == (was.message_count, was.command_count)
        assert store.active_session() == next(i for i, s in before.items() if s.name == "active")
        assert store.verify().findings == ()


def test_a_store_that_is_only_waiting_for_recovery_is_sound(path: Path) -> None:
    """What the next writer settles anyway is no damage, and is left to it."""
    with FileMessageStore(path) as store:
        store.save_message("a", Message("Fresh"))
    cut(path / "index", (MESSAGES + 1) * ROW_BYTES)
    forget_hint(path)
    before = files_of(path)
    report = repair_store(path, apply=True)
    assert (report.damage, report.rebuilt, report.messages) == ((), (), MESSAGES + 1)
    assert files_of(path) == before


def test_no_store(tmp_path: Path) -> None:
    """Where there is no store there is nothing to repair, and none is made."""
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(StoreNotFound):
            repair_store(place, apply=True)
    assert list((tmp_path / "empty").iterdir()) in ([], [tmp_path / "empty" / "write.lock"])


def test_files_of_several_stores(path: Path) -> None:
    """Without store.json, headers that disagree decide nothing: refused, and nothing is changed."""
    of_another(path, "index")
    (path / "store.json").unlink()
    before = files_of(path)
    with pytest.raises(CorruptStore, match="do not agree"):
        repair_store(path, apply=True)
    assert files_of(path) == before


REST = ("T", {}, "id", None, None, None, None, None)
BODIES: dict[str, bytes] = {
    "an extension type": msgpack.packb((None, "T", msgpack.ExtType(5, b"x"), *REST[2:]))[1:],
    "no JSON": msgpack.packb((None, "T", {"n": float("nan")}, *REST[2:]))[1:],
    "a number as session": msgpack.packb((7, *REST))[1:],
    "a list as session": msgpack.packb(([1], *REST))[1:],
    "a session that ends nowhere": b"\xdb\xff\xff\xff\xff" + b"a" * 20,
    "a session that is no text": b"\xa3\xff\xfe\xfd" + msgpack.packb(REST)[1:],
    "a number as type": msgpack.packb((None, 3, *REST[1:]))[1:],
    "no msgpack": b"\xc1" * 30,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_what_msgstore_does_not_write_is_no_message(path: Path, body: bytes) -> None:
    """Though its frame is whole: it goes aside, also where no index tells that it is none."""
    before = contents(path)
    with segment(path, "a").open("ab") as file:
        file.write(encode_record(body, MESSAGES + 1, 1_900_000_000_000_000, 10, False))
    for name in ("index", "journal"):
        (path / name).unlink()
    report = repair_store(path, apply=True)
    assert (report.lost, report.messages) == ((), MESSAGES)
    assert "not what msgstore writes" in report.notes[0]
    assert contents(path) == before


@pytest.mark.parametrize(("position", "revision"), [(MESSAGES + 3, 10), (MESSAGES + 3, 0), (1, 40)])
def test_a_record_that_contradicts_its_stream(path: Path, position: int, revision: int) -> None:
    """In a stream revisions rise with positions: as many are kept as can stand together."""
    with FileMessageStore(path) as store:
        store.save_messages("a", [Message("More"), Message("More")])
    if position == 1:
        flip(segment(path, "a"), record_at(path, "a", 0)[0] + 60)
    before = {p: one for p, one in contents(path).items() if p != position}
    body = encode_body(Message("Never"), "never", None)
    with segment(path, "a").open("ab") as file:
        file.write(encode_record(body, position, 1_900_000_000_000_000, revision, False))
    for name in ("index", "journal"):
        (path / name).unlink()
    report = repair_store(path, apply=True)
    assert [run.first_position for run in report.lost] == ([1] if position == 1 else [])
    assert {p: one for p, one in contents(path).items() if p != position} == before


@pytest.mark.parametrize("name", ["hash64", "hash32", "frame_crc"])
def test_a_result_that_is_not_sound(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Should the repair itself be at fault, the store stays as it was: it is checked beforehand."""
    flip(path / "index", 7 * ROW_BYTES)
    before = files_of(path)
    monkeypatch.setattr(rebuild, name, lambda *_: 12345)
    with pytest.raises(CorruptStore, match="would not leave a sound store"):
        repair_store(path, apply=True)
    assert files_of(path) == before


def test_lookups_go_with_the_index(path: Path) -> None:
    """What is derived from the old index does not outlive it."""
    (path / "lookup").mkdir()
    (path / "lookup" / "run").write_bytes(b"derived")
    flip(path / "index", 7 * ROW_BYTES)
    repair_store(path, apply=True)
    assert not (path / "lookup").exists()
    assert (path / "quarantine/repair-1/lookup/run").read_bytes() == b"derived"
