"""A backup is a store: a beginning of the one it was made of, and brought up as that goes on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from msgstore import (
    CorruptRecord,
    CorruptStore,
    FileMessageStore,
    InvalidArgument,
    Message,
    NotItsBackup,
    StoreExists,
    StoreLocked,
    StoreNotFound,
    StoreUnavailable,
    backup_store,
    restore_store,
)
from msgstore.engine import copying

ROW_BYTES = 96
DATA_FILES = ("index", "catalog", "sessions", "store.json")


def save_some(store: FileMessageStore, first: int, commits: int) -> None:
    """Commits of one to five messages to a growing number of streams, in sessions of ten commits."""
    for number in range(first, first + commits):
        if number % 10 == 0:
            if store.current_session:
                store.end_session(store.current_session, "ok")
            store.create_session(f"run {number}", {"n": str(number)})
        with store.transaction() as together:
            for part in range(number % 5 + 1):
                message = Message("Step", {"n": number, "part": part}, correlation_id=f"c-{number}")
                together.save_message(f"stream-{(number + part) % (3 + number // 8)}", message)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Forty commits, four sessions, the last one open."""
    with FileMessageStore(tmp_path / "store", durability="os") as store:
        save_some(store, 0, 40)
    return tmp_path / "store"


def all_of(path: Path) -> dict[str, Any]:
    """What a store tells of itself, opened as it stands."""
    with FileMessageStore(path, create=False) as store:
        assert store.verify().findings == ()
        return {
            "id": store.store_id,
            "messages": list(store.get_all_messages()),
            "by stream": {
                s.stream_id: list(store.get_messages(s.stream_id)) for s in streams(store)
            },
            "streams": streams(store),
            "sessions": store.get_sessions(),
            "active": store.active_session(),
        }


def streams(store: FileMessageStore) -> list[Any]:
    return list(store.get_streams())


def bytes_of(path: Path) -> dict[str, bytes]:
    """What is kept of messages, streams and sessions."""
    files = [path / name for name in DATA_FILES] + sorted(path.rglob("*.msgpack"))
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0x10
    file.write_bytes(content)


# ---------------------------------------------------------------- backup


def test_a_first_backup(path: Path, tmp_path: Path) -> None:
    """The copy holds the same bytes, opens at once as the same store, and takes new messages."""
    done = backup_store(path, tmp_path / "copy")
    assert (done.path, done.position, done.messages) == (str(tmp_path / "copy"), 120, 120)
    assert bytes_of(tmp_path / "copy") == bytes_of(path)
    assert all_of(tmp_path / "copy") == all_of(path)
    assert not (tmp_path / "copy" / "backing-up").exists()
    with FileMessageStore(tmp_path / "copy", create=False) as copy:
        assert copy.save_message("stream-0", Message("More")).first_position == 121
        assert copy.verify().findings == ()


def test_only_what_came_since_is_copied(path: Path, tmp_path: Path) -> None:
    """A second run copies the messages and sessions that are new, and a third nothing."""
    first = backup_store(path, tmp_path / "copy")
    with FileMessageStore(path) as store:
        save_some(store, 40, 12)
    second = backup_store(path, tmp_path / "copy", verify="all")
    assert (second.position, second.messages, second.verified) == (153, 33, "all")
    assert second.bytes < first.bytes
    assert bytes_of(tmp_path / "copy") == bytes_of(path)
    third = backup_store(path, tmp_path / "copy")
    assert (third.position, third.messages, third.bytes) == (153, 0, 0)


def test_sessions_alone(path: Path, tmp_path: Path) -> None:
    """The end of a session is copied without a message behind it."""
    backup_store(path, tmp_path / "copy")
    with FileMessageStore(path) as store:
        store.end_session(store.get_sessions()[-1].session_id, "done")
    assert backup_store(path, tmp_path / "copy").messages == 0
    with FileMessageStore(tmp_path / "copy", create=False) as copy:
        assert copy.get_sessions()[-1].status == "done"


def test_an_empty_store(tmp_path: Path) -> None:
    """A store without messages has a backup too."""
    with FileMessageStore(tmp_path / "store") as store:
        store.create_session("only")
        assert backup_store(store, tmp_path / "copy").position == 0
    with FileMessageStore(tmp_path / "copy", create=False) as copy:
        assert [session.name for session in copy.get_sessions()] == ["only"]


def test_a_stream_of_several_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each segment is copied with its header, also where it began after the last run."""
    for module in ("segments", "commit"):
        monkeypatch.setattr(f"msgstore.engine.{module}.SEGMENT_BYTES_ROLL", 2000)
    with FileMessageStore(tmp_path / "store") as store:
        for number in range(30):
            store.save_message("long", Message("Step", {"n": number, "x": "x" * 300}))
            if number % 7 == 0:
                backup_store(store, tmp_path / "copy")
        backup_store(store, tmp_path / "copy", verify="all")
    assert len(list((tmp_path / "copy").rglob("*.msgpack"))) > 4
    assert bytes_of(tmp_path / "copy") == bytes_of(tmp_path / "store")


def test_in_small_parts(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the rows are parted into windows, entries and steps, the copy is the same."""
    for name, value in {"_WINDOW_ROWS": 7, "_COMMIT_ROWS": 5, "_STEP_ROWS": 11}.items():
        monkeypatch.setattr(copying, name, value)
    backup_store(path, tmp_path / "copy")
    assert bytes_of(tmp_path / "copy") == bytes_of(path)
    assert all_of(tmp_path / "copy") == all_of(path)


def test_a_store_that_may_only_be_read(path: Path, tmp_path: Path) -> None:
    """After another boot, without a right to recover it, what its journal holds is backed up too."""
    (path / "write.lock").write_bytes(bytes(136))
    expected = shutil.copytree(path, tmp_path / "expected")
    index = path / "index"
    index.write_bytes(index.read_bytes()[: 100 * ROW_BYTES])  # the journal has the last rows
    real_open = os.open

    def guarded_open(file: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT) and str(file).startswith(f"{path}/"):
            raise PermissionError(13, "Permission denied", file)
        return real_open(file, flags, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", guarded_open)
        assert backup_store(path, tmp_path / "copy").position == 120
    assert all_of(tmp_path / "copy") == all_of(expected)


# ---------------------------------------------------------------- refusals


def refused_unchanged(path: Path, copy: Path, error: type[Exception], words: str) -> None:
    before = bytes_of(copy)
    with pytest.raises(error, match=words):
        backup_store(path, copy)
    assert bytes_of(copy) == before


def test_another_store(path: Path, tmp_path: Path) -> None:
    """A folder that holds another store is left alone."""
    with FileMessageStore(tmp_path / "other") as other:
        other.save_message("a", Message("A"))
    refused_unchanged(path, tmp_path / "other", NotItsBackup, "another store")


def test_other_things(path: Path, tmp_path: Path) -> None:
    """A folder that holds no store but other files gets nothing added; a file is no folder."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(StoreUnavailable, match="other things"):
        backup_store(path, tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["note"]
    with pytest.raises(StoreUnavailable, match="not a folder"):
        backup_store(path, tmp_path / "full" / "note")


def test_somebody_saved_into_the_copy(path: Path, tmp_path: Path) -> None:
    """A copy that went its own way is refused, whether it is ahead, level or behind."""
    backup_store(path, tmp_path / "copy")
    with FileMessageStore(tmp_path / "copy") as copy, FileMessageStore(path) as store:
        copy.save_message("stream-0", Message("Mine"))
        refused_unchanged(path, tmp_path / "copy", NotItsBackup, "not an earlier state")
        store.save_message("stream-0", Message("Yours"))
        refused_unchanged(path, tmp_path / "copy", NotItsBackup, "not an earlier state")
        store.save_message("stream-0", Message("Yours too"))
        refused_unchanged(path, tmp_path / "copy", NotItsBackup, "not an earlier state")


def test_a_session_was_begun_in_the_copy(path: Path, tmp_path: Path) -> None:
    """A session of its own makes a copy another history too."""
    backup_store(path, tmp_path / "copy")
    with FileMessageStore(tmp_path / "copy") as copy:
        copy.create_session("mine")
    refused_unchanged(path, tmp_path / "copy", NotItsBackup, "not an earlier state")
    with FileMessageStore(path) as store:
        store.create_session("yours")
    refused_unchanged(path, tmp_path / "copy", NotItsBackup, "not an earlier state")


def test_the_store_itself(path: Path, tmp_path: Path) -> None:
    """A store is not backed up into its own folder, under whatever name."""
    (tmp_path / "link").symlink_to(path)
    for dest in (path, tmp_path / "link", path / "copy", ""):
        with pytest.raises(InvalidArgument):
            backup_store(path, dest)
    with pytest.raises(InvalidArgument, match="verify"):
        backup_store(path, tmp_path / "copy", verify="much")  # type: ignore[arg-type]


def test_no_store(tmp_path: Path) -> None:
    """Of a store that is not there nothing is made."""
    with pytest.raises(StoreNotFound):
        backup_store(tmp_path / "none", tmp_path / "copy")
    with FileMessageStore(tmp_path / "none") as store, pytest.raises(StoreNotFound):
        backup_store(store, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_in_use(path: Path, tmp_path: Path) -> None:
    """Whoever writes to the copy is waited for, and writers to it wait for the backup."""
    backup_store(path, tmp_path / "copy")
    with (
        FileMessageStore(tmp_path / "copy") as copy,
        copy._writer.exclusive(),
        pytest.raises(StoreLocked),
    ):
        backup_store(path, tmp_path / "copy", lock_timeout_s=0)
    backup_store(path, tmp_path / "copy", lock_timeout_s=0)


# ---------------------------------------------------------------- damage


def spoil_record(path: Path) -> None:
    segment = next(path.glob("streams/*/stream-0~*.msgpack"))
    flip(segment, segment.read_bytes().index(b"c-44"))


def spoil_row(path: Path) -> None:
    flip(path / "index", 130 * ROW_BYTES + 20)


def spoil_catalog(path: Path) -> None:
    flip(path / "catalog", (path / "catalog").stat().st_size - 30)


def spoil_sessions(path: Path) -> None:
    flip(path / "sessions", (path / "sessions").stat().st_size - 30)


@pytest.mark.parametrize("spoil", [spoil_record, spoil_row, spoil_catalog, spoil_sessions])
def test_damage_in_the_source(path: Path, tmp_path: Path, spoil: Any) -> None:
    """Damage in what is new is an error, and the copy is the store it was; nor is a new one made."""
    backup_store(path, tmp_path / "copy")
    before = all_of(tmp_path / "copy")
    with FileMessageStore(path) as store:
        save_some(store, 40, 12)
        store.create_session("the last")
    spoil(path)
    for _ in range(2):
        with pytest.raises(CorruptRecord) as caught:
            backup_store(path, tmp_path / "copy")
        assert not hasattr(caught.value, "__notes__")
    assert all_of(tmp_path / "copy") == before
    with pytest.raises(CorruptRecord):
        backup_store(path, tmp_path / "new")
    with pytest.raises(StoreUnavailable, match="was not finished"):
        FileMessageStore(tmp_path / "new", create=False)


def test_damage_in_an_old_part_of_the_copy(path: Path, tmp_path: Path) -> None:
    """It is found when all is to be verified, and by nothing less."""
    backup_store(path, tmp_path / "copy")
    segment = next((tmp_path / "copy").glob("streams/*/stream-0~*.msgpack"))
    flip(segment, segment.read_bytes().index(b"c-9"))
    backup_store(path, tmp_path / "copy")
    with pytest.raises(CorruptStore, match="the copy is damaged in 1 places"):
        backup_store(path, tmp_path / "copy", verify="all")


def test_a_copy_that_lost_its_end(path: Path, tmp_path: Path) -> None:
    """Where the copy's segment is too short for what follows, no hole is left in it."""
    backup_store(path, tmp_path / "copy")
    with FileMessageStore(path) as store:
        save_some(store, 40, 12)
    segment = next((tmp_path / "copy").glob("streams/*/stream-0~*.msgpack"))
    os.truncate(segment, segment.stat().st_size - 10)
    with pytest.raises(CorruptRecord, match="ends too early") as caught:
        backup_store(path, tmp_path / "copy")
    assert caught.value.__notes__ == [
        f"this is in {tmp_path / 'copy'}, not in the store that is copied"
    ]


def test_what_was_written_is_read_back(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the copy's disk does not give back as it was handed in does not count."""
    put = copying._Copy._put

    def rotten(copy: Any, path: str, offset: int, data: bytes) -> None:
        put(copy, path, offset, data[:-20] + b"\0" + data[-19:] if "stream-3" in path else data)

    monkeypatch.setattr(copying._Copy, "_put", rotten)
    with pytest.raises(CorruptRecord, match="checksum") as caught:
        backup_store(path, tmp_path / "copy")
    assert caught.value.__notes__
    monkeypatch.undo()
    backup_store(path, tmp_path / "copy")
    assert bytes_of(tmp_path / "copy") == bytes_of(path)


def test_a_source_that_is_emptied_meanwhile(path: Path, tmp_path: Path) -> None:
    """Rows of what came after a `reset` are not taken for those of the store that was."""
    check_logs = copying._Copy._check_logs

    def empty(copy: Any, position: int) -> None:
        with FileMessageStore(path) as store:
            store.reset()
            save_some(store, 0, 40)
        copy._source.disk.forget()  # as when too many files are open
        check_logs(copy, position)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying._Copy, "_check_logs", empty)
        with pytest.raises(StoreUnavailable, match="was emptied while it was read"):
            backup_store(path, tmp_path / "copy")
    assert not (tmp_path / "copy" / "store.json").exists()


# ---------------------------------------------------------------- unfinished copies


def unfinished(path: Path, copy: Path) -> None:
    """What is left when a first backup ends in the middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_STEP_ROWS", 50)
        patch.setattr(copying._Copy, "_check_logs", _stop_at_100)
        with pytest.raises(KeyboardInterrupt):
            backup_store(path, copy)


def _stop_at_100(copy: Any, position: int) -> None:
    if position >= 100:
        raise KeyboardInterrupt


def test_an_unfinished_copy_is_no_store(path: Path, tmp_path: Path) -> None:
    """It can be neither read nor written, and says why."""
    unfinished(path, tmp_path / "copy")
    for create in (True, False):
        with pytest.raises(StoreUnavailable, match="was not finished; run it again"):
            FileMessageStore(tmp_path / "copy", create=create).save_message("a", Message("A"))


def test_an_unfinished_copy_is_gone_on_with(path: Path, tmp_path: Path) -> None:
    """The next run completes it, and does not do again what was done."""
    unfinished(path, tmp_path / "copy")
    again = backup_store(path, tmp_path / "copy")
    assert (again.position, again.messages) == (120, 120 - 51)
    assert bytes_of(tmp_path / "copy") == bytes_of(path)


@pytest.mark.parametrize("spoil", ["backing-up", "journal", "index", "sessions", "other"])
def test_an_unfinished_copy_that_is_of_no_use(path: Path, tmp_path: Path, spoil: str) -> None:
    """Damaged, or of another store, it is begun anew: nothing that counted is lost."""
    unfinished(path, tmp_path / "copy")
    if spoil == "other":
        with FileMessageStore(tmp_path / "other") as other:
            other.save_message("a", Message("A"))
        path = tmp_path / "other"
    else:
        (tmp_path / "copy" / spoil).write_bytes(b"rubbish")
    backup_store(path, tmp_path / "copy")
    assert bytes_of(tmp_path / "copy") == bytes_of(path)


# ---------------------------------------------------------------- restore


def test_restoring(path: Path, tmp_path: Path) -> None:
    """A backup of a backup: the store is what it was, and goes on."""
    backup_store(path, tmp_path / "copy")
    restore_store(tmp_path / "copy", tmp_path / "restored", verify="all")
    assert all_of(tmp_path / "restored") == all_of(path)
    with FileMessageStore(tmp_path / "restored") as restored:
        assert restored.save_message("stream-0", Message("More")).first_position == 121


@pytest.mark.parametrize(
    ("asked", "given"), [(119, 115), (115, 115), (60, 60), (59, 55), (1, 1), (999, 120)]
)
def test_restoring_a_beginning(path: Path, tmp_path: Path, asked: int, given: int) -> None:
    """It ends with a whole commit, and knows the streams and sessions of then."""
    done = restore_store(path, tmp_path / "then", asked)
    assert done.position == given
    before, then = all_of(path), all_of(tmp_path / "then")
    assert then["messages"] == before["messages"][:given]
    assert [s.name for s in then["sessions"]] == [
        s.name for s in before["sessions"] if int(s.labels["n"]) * 3 <= given
    ]
    assert all(session.message_count <= given for session in then["sessions"])
    with FileMessageStore(tmp_path / "then") as store:
        assert store.save_message("stream-0", Message("Else")).first_position == given + 1
        assert store.verify().findings == ()


def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    """Where there is a store, even an older state of the same, a restore refuses."""
    backup_store(path, tmp_path / "copy")
    before = bytes_of(tmp_path / "copy")
    with pytest.raises(StoreExists):
        restore_store(path, tmp_path / "copy")
    assert bytes_of(tmp_path / "copy") == before


def test_an_unfinished_restore_of_more(path: Path, tmp_path: Path) -> None:
    """What was left of a longer restore does not show in a shorter one."""
    unfinished(path, tmp_path / "then")
    assert restore_store(path, tmp_path / "then", 20).position == 18
    assert len(all_of(tmp_path / "then")["messages"]) == 18
