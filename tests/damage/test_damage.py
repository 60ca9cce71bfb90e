"""A share of all damage, with fixed seeds; and by name what the whole of it has found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from damage import torture
from damage.changes import Change, cut, flip
from damage.golden import RECIPES, Golden, golden, open_store, standing_still
from damage.torture import flip_all, sample
from msgstore import CorruptRecord, FileMessageStore, Message
from msgstore.format.frame import frame_length
from msgstore.format.names import CATALOG, INDEX, JOURNAL, SESSIONS, STORE_JSON, segment_path

LARGE = ("mixed", "rolled", "rich", "stale")


@pytest.mark.parametrize("name", RECIPES)
def test_a_share(name: str) -> None:
    """Flips, cuts and files by chance: the right answer, or an error that says where."""
    counts = sample(name, seed=1, count=150, file_share=(0, 23 if name in LARGE else 1))
    assert counts.violations == []
    assert counts.bits == counts.cuts == 300
    assert counts.files > 0


def test_every_bit_of_a_small_file() -> None:
    """The identity has no checksum of its own, and the hint decides what is believed."""
    counts = flip_all("one-message", (0, 1), padding=False, only=(STORE_JSON, "write.lock"))
    assert counts.violations == []
    assert counts.bits == 2 * 8 * (148 + 136)


# ---------------------------------------------------------------- what was found


@pytest.fixture
def rolled() -> Iterator[Golden]:
    with standing_still("rolled"):
        yield golden("rolled", "running")


def damaged(store: Golden, change: Change) -> FileMessageStore:
    return open_store(torture.MemoryDisk(change.files))


LONG_4 = segment_path("long", 4)


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_damage_in_a_stream_says_where(rolled: Golden, direction: str) -> None:
    """Reading a stream, damage is told with stream, revision and position, not with a byte alone."""
    header = frame_length(rolled.files[LONG_4])
    store = damaged(rolled, flip(rolled.files, LONG_4, header + 60, 3))
    with pytest.raises(CorruptRecord) as caught:
        list(store.get_messages("long", direction=direction))
    told = caught.value
    assert (told.path, told.offset) == (LONG_4, header)
    assert (told.stream_id, told.revision, told.position) == ("long", 16, 17)


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_a_segment_in_the_middle_that_is_cut_between_two_records(direction: str) -> None:
    """It is the one that ends too early, not the next one that does not go on from it."""
    path = segment_path("long", 2)
    with standing_still("rich"):
        store = golden("rich", "running")
        content, border = store.files[path], 0
        while border < len(content):
            border += frame_length(content, border)
            if border == len(content):
                break
            cut_store = damaged(store, cut(store.files, path, border))
            with pytest.raises(CorruptRecord) as caught:
                list(cut_store.get_messages("long", direction=direction))
            assert caught.value.path == path
            assert caught.value.stream_id == "long"
            assert caught.value.revision is not None


def test_a_segment_behind_which_something_stands(rolled: Golden) -> None:
    """What stops who reads from one segment to the next, `verify` finds as well."""
    files = {**rolled.files, LONG_4: rolled.files[LONG_4] + b"\xff" * 96}
    store = damaged(rolled, Change("grown", (LONG_4,), files))
    end = len(rolled.files[LONG_4])
    with pytest.raises(CorruptRecord) as caught:
        list(store.get_messages("long"))
    [finding] = store.verify().findings
    for told in (caught.value, finding):
        assert (told.path, told.offset) == (LONG_4, end)
        assert (told.stream_id, told.revision, told.position) == ("long", 20, 21)


def test_another_file_in_place_of_a_segment(rolled: Golden) -> None:
    """A stream whose segment holds whole frames of something else is damaged, and not empty."""
    path = segment_path("short", 0)
    files = {**rolled.files, path: rolled.files[CATALOG]}
    store = damaged(rolled, Change("swapped", (path,), files))
    with pytest.raises(CorruptRecord) as caught:
        list(store.get_messages("short"))
    assert (caught.value.path, caught.value.stream_id) == (path, "short")
    with pytest.raises(CorruptRecord):
        store.get_stream_info("short")


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_the_segment_of_another_stream_in_the_middle_of_one(rolled: Golden, direction: str) -> None:
    """Revisions that follow each other are not enough: each segment says whose it is."""
    middle, other = segment_path("long", 2), segment_path("batch", 1)
    files = {**rolled.files, middle: rolled.files[other]}
    store = damaged(rolled, Change("", (middle,), files))
    with pytest.raises(CorruptRecord, match="belongs elsewhere") as caught:
        list(store.get_messages("long", direction=direction))
    assert caught.value.path == middle


def test_a_segment_that_is_gone_says_whose(rolled: Golden) -> None:
    """Reading by position tells which message is missed first."""
    path = segment_path("long", 0)
    files = {name: data for name, data in rolled.files.items() if name != path}
    with pytest.raises(CorruptRecord, match="the segment is missing") as caught:
        list(damaged(rolled, Change("gone", (path,), files)).get_all_messages())
    told = caught.value
    assert (told.stream_id, told.revision, told.position) == ("long", 0, 1)


def test_an_index_cut_behind_a_checkpoint() -> None:
    """Recovery says which position is missing."""
    with standing_still("stale"):
        store = golden("stale", "copied")
        with pytest.raises(CorruptRecord) as caught:
            damaged(store, cut(store.files, INDEX, 1053))
    assert (caught.value.path, caught.value.offset, caught.value.position) == (INDEX, 960, 10)


def test_an_entry_of_the_journal_that_a_recovery_would_need(rolled: Golden) -> None:
    """Everything can be read, and `verify` says which entry will stop the recovery after a boot."""
    journal = rolled.files[JOURNAL]
    starts = [at for at in range(8192, len(journal), 512) if journal[at : at + 4] == b"MSJE"]
    assert len(starts) == 33
    for start in starts:
        for at in (start, start + 100):
            store = damaged(rolled, flip(rolled.files, JOURNAL, at, 2))
            assert len(list(store.get_all_messages())) == 44
            [finding] = store.verify().findings
            assert (finding.path, finding.offset) == (JOURNAL, start)


def test_the_present_header_of_the_journal() -> None:
    """The older one must not pass for it: `verify` finds that it is damaged, and a save refuses."""
    with standing_still("stale"):
        store = golden("stale", "running")
        opened = damaged(store, flip(store.files, JOURNAL, 4096 + 20, 0))
        assert len(list(opened.get_all_messages())) == 20
        [finding] = opened.verify().findings
        assert (finding.path, finding.offset) == (JOURNAL, 4096)
        with pytest.raises(CorruptRecord):
            opened.save_message("long", Message("More"))


def test_a_session_log_cut_between_two_events() -> None:
    """An older event is not taken for the last one: totals and the active session are refused."""
    with standing_still("mixed"):
        store = golden("mixed", "running")
        log = store.files[SESSIONS]
        size = frame_length(log)
        borders = []
        while size < len(log):
            borders.append(size)
            size += frame_length(log, size)
        assert len(borders) == 7
        for border in borders:
            opened = damaged(store, cut(store.files, SESSIONS, border))
            for read in (opened.get_stats, opened.active_session, opened.get_sessions):
                with pytest.raises(CorruptRecord) as caught:
                    read()
                assert (caught.value.path, caught.value.offset) == (SESSIONS, border)


# ---------------------------------------------------------------- the tests themselves


def test_a_wrong_answer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """If records fetched by position were not checked, flips in a segment would be violations."""
    monkeypatch.setattr("msgstore.engine.records.check_record", lambda *_: None)
    counts = flip_all("one-message", (0, 9), only=(segment_path("orders-1", 0),))
    assert any("all: gave" in violation for violation in counts.violations)


def test_an_error_that_does_not_say_where_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without their streams, errors of a stream's end would be violations."""

    def unplaced(self: object, error: CorruptRecord, *_: object) -> CorruptRecord:
        return CorruptRecord(error.path, error.offset, error.problem)

    monkeypatch.setattr("msgstore.engine.segments.Segments.placed", unplaced)
    counts = flip_all("mixed", (0, 97), only=(segment_path("batch", 0),))
    assert any("names no stream" in violation for violation in counts.violations)
