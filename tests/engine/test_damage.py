"""Damage is reported where it is met, with file and place; it is never passed over or repaired."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from msgstore import (
    CorruptRecord,
    CorruptStore,
    FileMessageStore,
    Message,
    MessageFilter,
    UnsupportedFormat,
)

ROW_BYTES = 96


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten messages each in streams a and b, one commit each, and a session that ended."""
    with FileMessageStore(tmp_path / "store") as store, store.session("run"):
        for number in range(10):
            store.save_message("a", Message("Step", {"n": number}, correlation_id=f"c-{number}"))
            store.save_message("b", Message("Step", {"n": number}, id=f"b-{number}"))
    return tmp_path / "store"


def segment_of(path: Path, stream: str) -> Path:
    return next(path.glob(f"streams/*/{stream}~*.msgpack"))


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0x10
    file.write_bytes(content)


def forget_hint(path: Path) -> None:
    """As if the machine had booted since."""
    lock = path / "write.lock"
    lock.write_bytes(bytes(lock.stat().st_size))


READS: dict[str, Callable[[FileMessageStore], object]] = {
    "stream": lambda store: list(store.get_messages("a")),
    "stream backwards": lambda store: list(store.get_messages("a", direction="backwards")),
    "all": lambda store: list(store.get_all_messages()),
    "by data": lambda store: list(store.get_all_messages(MessageFilter(where="n>=0"))),
    "by type": lambda store: list(store.get_all_messages(MessageFilter(message_names="Step"))),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_a_damaged_record(path: Path, read: Callable[[FileMessageStore], object]) -> None:
    """Every way of reading over it fails, and names the file."""
    segment = segment_of(path, "a")
    flip(segment, segment.read_bytes().index(b"c-5"))
    with FileMessageStore(path) as store:
        with pytest.raises(CorruptRecord) as caught:
            read(store)
        assert caught.value.path == str(segment.relative_to(path))
        findings = store.verify().findings
        assert [(f.stream_id, f.revision, f.position) for f in findings] == [("a", 5, 11)]
        assert len(store.verify("a").findings) == 1
        assert store.verify("b").findings == ()
        assert len(list(store.get_messages("b"))) == 10


@pytest.mark.parametrize("spoil", ["flip head", "flip body", "flip end", "cut", "empty"])
def test_a_damaged_last_record(path: Path, spoil: str) -> None:
    """The end of a stream is damaged: no read ends early in silence, and no save writes over it."""
    segment = segment_of(path, "a")
    content = segment.read_bytes()
    start = content.rindex(b"\xdc\x00\x10\xce")
    if spoil == "cut":
        segment.write_bytes(content[: start + 20])
    elif spoil == "empty":
        segment.write_bytes(b"")
    else:
        flip(segment, {"flip head": start, "flip body": start + 60, "flip end": -1}[spoil])
    with FileMessageStore(path) as store:
        before = segment.read_bytes()
        for read in (*READS.values(), lambda store: store.get_stream_info("a")):
            with pytest.raises(CorruptRecord):
                read(store)
        with pytest.raises(CorruptRecord):
            store.save_message("a", Message("Step", {"n": 10}))
        assert segment.read_bytes() == before
        assert store.save_message("b", Message("Step")).first_revision == 10
    with FileMessageStore(path) as store:
        assert store.verify().findings
        assert store.verify("a").findings


def test_a_stream_that_its_catalog_frame_lost_too(path: Path) -> None:
    """A damaged segment is told also where the catalog cannot say whose it is: no read is empty."""
    segment = segment_of(path, "b")
    flip(segment, 20)
    flip(segment, -1)
    catalog = path / "catalog"
    flip(catalog, catalog.read_bytes().rindex(b"\xa1b") + 1)
    before = segment.read_bytes()
    with FileMessageStore(path) as store:
        for read in (store.get_messages, store.get_stream_info):
            with pytest.raises(CorruptRecord):
                list(read("b"))  # type: ignore[operator]
        with pytest.raises(CorruptRecord):
            store.save_message("b", Message("Step"))
    assert segment.read_bytes() == before


def test_a_missing_segment(path: Path) -> None:
    """Reading by position fails and names the file that is gone."""
    segment = segment_of(path, "a")
    segment.unlink()
    with FileMessageStore(path) as store:
        with pytest.raises(CorruptRecord, match="missing"):
            list(store.get_all_messages())
        assert len(store.verify().findings) >= 10


@pytest.mark.parametrize("byte", [0, 5, 12, 40, 52, 70, 95])
def test_a_damaged_row(path: Path, byte: int) -> None:
    """No look-up passes over a row that is not whole: it might have been the one."""
    flip(path / "index", 7 * ROW_BYTES + byte)
    with FileMessageStore(path) as store:
        for wanted in (None, MessageFilter(correlation_id="c-8"), MessageFilter(where="n=9")):
            with pytest.raises(CorruptRecord) as caught:
                list(store.get_all_messages(wanted))
            assert (caught.value.path, caught.value.position) == ("index", 7)
        with pytest.raises(CorruptRecord):
            store.count_by("type")
        assert 7 in [finding.position for finding in store.verify().findings]


@pytest.mark.parametrize("name", ["index", "catalog", "sessions"])
def test_a_file_of_another_store(path: Path, tmp_path: Path, name: str) -> None:
    """A file swapped in from elsewhere is told by the uuid in its header."""
    with FileMessageStore(tmp_path / "other") as other:
        other.save_message("a", Message("Other"))
    (path / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(CorruptStore):
        FileMessageStore(path)


def test_files_that_were_mixed_up(path: Path) -> None:
    """A file of this store in place of another one is damage, whatever its frames."""
    (path / "catalog").write_bytes((path / "sessions").read_bytes())
    with pytest.raises(CorruptRecord, match="catalog at byte 0"):
        FileMessageStore(path)


def test_a_cut_index(path: Path) -> None:
    """An index shorter than what was written is damage, not an older state."""
    index = path / "index"
    index.write_bytes(index.read_bytes()[: 15 * ROW_BYTES])
    with pytest.raises(CorruptRecord, match="14 rows where 20 were written"):
        FileMessageStore(path)


def entry_offsets(path: Path) -> list[int]:
    journal = (path / "journal").read_bytes()
    return [at for at in range(8192, len(journal), 512) if journal[at : at + 4] == b"MSJE"]


def test_a_damaged_entry_before_valid_ones(path: Path) -> None:
    """After a power loss a hole in the journal is damage: nothing behind it is cut away."""
    flip(path / "journal", entry_offsets(path)[5] + 100)
    forget_hint(path)
    before = (path / "index").read_bytes()
    with pytest.raises(CorruptRecord) as caught:
        FileMessageStore(path)
    assert caught.value.path == "journal"
    assert (path / "index").read_bytes() == before


def test_a_damaged_last_entry(path: Path) -> None:
    """Rows that were synced and that the journal lost are not cut away either."""
    flip(path / "journal", entry_offsets(path)[-2] + 100)
    forget_hint(path)
    with pytest.raises(CorruptStore):
        FileMessageStore(path)


def test_a_missing_index(path: Path) -> None:
    """Data without an index is damage, not a disk that cannot be read."""
    (path / "index").unlink()
    with pytest.raises(CorruptRecord, match="index at byte 0: the file is missing"):
        FileMessageStore(path)


def test_a_missing_journal(path: Path) -> None:
    """Data without a journal is refused, not taken for a new store."""
    (path / "journal").unlink()
    with pytest.raises(CorruptStore):
        FileMessageStore(path)


@pytest.mark.parametrize("gone", [["store.json"], ["store.json", "index"]])
def test_a_missing_identity(path: Path, gone: list[str]) -> None:
    """A folder with messages is never taken for a creation that was cut off, and made anew."""
    for name in gone:
        (path / name).unlink()
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(CorruptRecord, match=r"store\.json at byte 0: is missing"):
        FileMessageStore(path).save_message("a", Message("Step"))
    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert after == before


def test_what_recovery_cuts_is_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes that no commit accounts for are set aside, said to be so, and noted by `verify`."""
    segment = segment_of(path, "b")
    with segment.open("ab") as file:
        file.write(b"left over from a save that never stood")
    forget_hint(path)
    with FileMessageStore(path) as store:
        assert len(list(store.get_all_messages())) == 20
        assert "1 piece that recovery set aside" in store.verify().notes[0]
    assert "recovery cut 38 bytes of no whole commit from streams/" in caplog.text
    kept = next((path / "quarantine").iterdir())
    assert kept.read_bytes() == b"left over from a save that never stood"


def test_a_copied_store(path: Path, tmp_path: Path) -> None:
    """A copy does not believe the hint of the original, and is recovered when it is first opened."""
    shutil.copytree(path, tmp_path / "copy")
    with FileMessageStore(tmp_path / "copy", create=False) as store:
        assert store.save_message("a", Message("Step", {"n": 10})).first_position == 21
        assert store.verify().findings == ()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", CorruptStore),
        (b"[]", CorruptStore),
        (b'{"format": "other"}', CorruptStore),
        (b'{"format": "msgstorf", "version": 1, "uuid": "x"}', CorruptStore),
        (b'{"format": "msgstore", "version": 2}', UnsupportedFormat),
        (b'{"format": "msgstore", "version": 1, "uuid": "x"}', CorruptStore),
    ],
)
def test_a_damaged_identity(path: Path, content: bytes, error: type[Exception]) -> None:
    """store.json is read strictly, and a later version is refused as such."""
    (path / "store.json").write_bytes(content)
    with pytest.raises(error):
        FileMessageStore(path)


@pytest.mark.parametrize("name", ["index", "journal", "catalog", "sessions", "store.json"])
def test_a_symbolic_link(path: Path, tmp_path: Path, name: str) -> None:
    """A link in place of a file is refused, whatever it points to."""
    (path / name).rename(tmp_path / name)
    (path / name).symlink_to(tmp_path / name)
    with pytest.raises(Exception, match="symbolic link"):
        FileMessageStore(path).save_message("a", Message("A"))
