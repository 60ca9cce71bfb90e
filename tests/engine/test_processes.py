"""One store used by forked children, by several objects, and for several kinds of durability."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from msgstore import (
    FileMessageStore,
    InvalidArgument,
    Message,
    NetworkFileSystem,
    OutcomeUnknown,
    StoreNotFound,
    StoreUnavailable,
    WrongExpectedRevision,
)
from msgstore.disk.files import RealDisk
from msgstore.engine import journal, recorder
from msgstore.engine.index import Index


def test_a_forked_child_saves_on_its_own(tmp_path: Path) -> None:
    """A child goes on with an object it inherited, also while a thread of its parent held it."""
    store = FileMessageStore(tmp_path / "store")
    store.save_message("a", Message("Parent"))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store._writer.exclusive():
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        store.save_message("a", Message("Child"))
        os._exit(0)
    release.set()
    holder.join()
    assert os.waitpid(pid, 0)[1] == 0
    store.save_message("a", Message("Parent"))
    names = [stored.message.type for stored in store.get_messages("a")]
    assert names == ["Parent", "Child", "Parent"]
    store.close()


def test_two_objects_in_turn(tmp_path: Path) -> None:
    """What one object saved, the other builds on and reads at once."""
    one, other = FileMessageStore(tmp_path / "store"), FileMessageStore(tmp_path / "store")
    for number in range(10):
        for store in (one, other):
            store.save_message("a", Message("Step"), expected_revision=store_head(other))
        assert store_head(one) == store_head(other) == 2 * number + 1
    one.close()
    other.close()


def store_head(store: FileMessageStore) -> int:
    info = store.get_stream_info("a")
    return -1 if info is None else info.revision


def test_reset_by_another_object(tmp_path: Path) -> None:
    """After somebody emptied the store, others see it empty and save from position 1."""
    one, other = FileMessageStore(tmp_path / "store"), FileMessageStore(tmp_path / "store")
    one.save_message("a", Message("Old"))
    other.save_message("a", Message("Old"))
    one.reset()
    assert list(other.get_all_messages()) == []
    saved = other.save_message("a", Message("New"))
    assert (saved.first_position, saved.first_revision) == (1, 0)
    assert [m.message.type for m in one.get_all_messages()] == ["New"]
    one.close()
    other.close()


@pytest.mark.parametrize("durability", ["always", "batch", "os"])
def test_durability_is_the_stores_own(tmp_path: Path, durability: str) -> None:
    """A store keeps the durability it was made with, unless an opener asks for another."""
    with FileMessageStore(tmp_path / "store", durability=durability) as store:
        store.save_message("a", Message("First"))
        store.flush()
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("a", Message("Second"))
        assert store._writer.durability == durability
    with FileMessageStore(tmp_path / "store", durability="always") as store:
        store.save_message("a", Message("Third"))
        assert [m.revision for m in store.get_messages("a")] == [0, 1, 2]


def test_wrong_arguments(tmp_path: Path) -> None:
    """Durability and time-outs are checked before anything is touched."""
    with pytest.raises(InvalidArgument):
        FileMessageStore(tmp_path / "store", durability="sometimes")
    with pytest.raises(InvalidArgument):
        FileMessageStore(tmp_path / "store", lock_timeout_s=-1)
    for path in ("a\0b", "a\ud800", b"a"):
        with pytest.raises(InvalidArgument, match="path"):
            FileMessageStore(path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_places_that_are_no_store(tmp_path: Path) -> None:
    """A missing store, a file, a folder of other things: each refused, none touched."""
    with pytest.raises(StoreNotFound):
        FileMessageStore(tmp_path / "missing", create=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable):
        FileMessageStore(tmp_path / "file").save_message("a", Message("A"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("x")
    with pytest.raises(StoreUnavailable, match="other things"):
        FileMessageStore(tmp_path / "full").save_message("a", Message("A"))
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["letter.txt"]


def test_a_refused_save_creates_nothing(tmp_path: Path) -> None:
    """The first save makes the store; an empty one, and one that cannot go through, do not."""
    store = FileMessageStore(tmp_path / "store")
    assert store.save_messages("a", []).count == 0
    assert store.get_stats().total_messages == 0
    assert list(store.get_all_messages()) == []
    with pytest.raises(WrongExpectedRevision):
        store.save_message("a", Message("A"), expected_revision=3)
    assert not (tmp_path / "store").exists()


def test_permissions(tmp_path: Path) -> None:
    """Folders are for their owner alone, and so are files."""
    before = os.umask(0)
    try:
        with FileMessageStore(tmp_path / "store") as store:
            store.save_message("a", Message("A"))
    finally:
        os.umask(before)
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_network_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store on a network file system is refused unless the user allows it."""
    monkeypatch.setattr("msgstore.engine.place.network_type", lambda root: "nfs4")
    with pytest.raises(NetworkFileSystem):
        FileMessageStore(tmp_path / "store").save_message("a", Message("A"))
    monkeypatch.setenv("MSGSTORE_ALLOW_NETWORK_FS", "1")
    for revision in range(3):
        with FileMessageStore(tmp_path / "store") as store:
            assert store.save_message("a", Message("A")).first_revision == revision
            assert store.save_message("b", Message("A")).first_revision == revision


def test_follow_where_nothing_tells_boots_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an allowed network file system a follower repeats nothing when others write."""
    monkeypatch.setattr("msgstore.engine.place.network_type", lambda root: "nfs4")
    monkeypatch.setenv("MSGSTORE_ALLOW_NETWORK_FS", "1")
    store = FileMessageStore(tmp_path / "store")
    store.save_messages("a", [Message("A"), Message("A")])
    following = store.follow(timeout=30)
    positions = [next(following).position, next(following).position]
    with FileMessageStore(tmp_path / "store") as other:
        other.save_message("a", Message("A"))
    store.save_message("a", Message("A"))
    positions += [next(following).position, next(following).position]
    assert positions == [1, 2, 3, 4]
    store.close()


@pytest.mark.parametrize("of_stream", [False, True])
def test_a_reset_under_a_reader(tmp_path: Path, of_stream: bool) -> None:
    """Who is in the middle of reading is told, and never given messages of the new history."""
    store, other = FileMessageStore(tmp_path / "store"), FileMessageStore(tmp_path / "store")
    batch = [Message("Old", {"fill": "x" * 1000}) for _ in range(3000)]
    store.save_messages("a", batch)
    reading = store.get_messages("a") if of_stream else store.get_all_messages()
    assert next(reading).message.type == "Old"
    other.reset()
    other.save_messages("a", [Message("New", {"fill": "x" * 1000}) for _ in range(3000)])
    with pytest.raises(StoreUnavailable, match="was emptied while it was read"):
        assert {stored.message.type for stored in reading} == {"Old"}
    assert {stored.message.type for stored in store.get_messages("a")} == {"New"}
    store.close()
    other.close()


def test_threads_that_attach_together(tmp_path: Path) -> None:
    """A store is never taken for a missing one because another thread is just taking it up.

    The slow thread lets go of the files at the worst moment that the quick one leaves it; the
    timeouts end waits for what the lock between them prevents.
    """
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("a", Message("A"))
        (tmp_path / "store" / "write.lock").write_bytes(bytes(136))  # both must attach and recover
        opened, reader = store._opened, store._reader
        find, recover = opened.find, reader._recover
        slow_began, quick_recovered, slow_let_go = (threading.Event() for _ in range(3))
        quick_done = threading.Event()
        totals: dict[str, int] = {}

        def find_slowly() -> object:
            if threading.current_thread().name != "slow":
                return find()
            slow_began.set()
            quick_recovered.wait(1)
            found = find()
            slow_let_go.set()
            quick_done.wait(1)
            return found

        def recover_and_wait() -> None:
            recover()
            if threading.current_thread().name == "quick":
                quick_recovered.set()
                slow_let_go.wait(1)

        def look() -> None:
            name = threading.current_thread().name
            totals[name] = store.get_stats().total_messages
            if name == "quick":
                quick_done.set()

        opened.find, reader._recover = find_slowly, recover_and_wait
        slow, quick = (threading.Thread(target=look, name=name) for name in ("slow", "quick"))
        slow.start()
        slow_began.wait()
        quick.start()
        slow.join()
        quick.join()
        assert totals == {"slow": 1, "quick": 1}


def test_a_disk_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An I/O error while reading is an error of the store, for readers and for writers."""
    with FileMessageStore(tmp_path / "store") as store:
        store.save_messages("a", [Message("A")] * 3)
        real = RealDisk.read

        def broken(disk: RealDisk, path: str, offset: int, size: int) -> bytes:
            if path.startswith("streams/"):
                raise OSError(5, "Input/output error", path)
            return real(disk, path, offset, size)

        monkeypatch.setattr(RealDisk, "read", broken)
        for reading in (store.get_all_messages(), store.get_messages("a")):
            with pytest.raises(StoreUnavailable, match="Input/output error"):
                list(reading)
    store = FileMessageStore(tmp_path / "store")
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        store.save_message("a", Message("A"))
    store.close()


@pytest.mark.parametrize("hint", ["none", "clean"])
def test_two_versions_with_other_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hint: str
) -> None:
    """All that a writer put on record is found by one that would have made a checkpoint long before."""
    with FileMessageStore(tmp_path / "store") as store:
        for number in range(50):
            store.save_message("a", Message("A", {"n": number}), expected_revision=number - 1)
    if hint == "none":
        (tmp_path / "store" / "write.lock").write_bytes(bytes(136))  # as after another boot
    for module in (recorder, journal):
        monkeypatch.setattr(module, "JOURNAL_BYTES_CHECKPOINT", 8192)
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("a", Message("A", {"n": 50}), expected_revision=49)
        assert [m.message.data for m in store.get_messages("a")] == [{"n": n} for n in range(51)]
        assert store.verify().findings == ()


def test_a_store_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copied store in a read-only place is read through its journal, and not written to."""
    with FileMessageStore(tmp_path / "store") as store:
        store.save_messages("a", [Message("A", {"n": n}) for n in range(5)])
        run = store.create_session("run")
        store.save_message("b", Message("B"))
    (tmp_path / "store" / "write.lock").write_bytes(bytes(136))  # as after another boot
    before = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}

    def refused(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    for call in ("write", "truncate", "replace", "remove"):
        monkeypatch.setattr(f"msgstore.disk.files.RealDisk.{call}", refused)
    with FileMessageStore(tmp_path / "store", create=False) as store:
        assert [m.position for m in store.get_all_messages()] == [1, 2, 3, 4, 5, 6]
        assert store.get_session_info(run).message_count == 1
        assert store.get_stats().total_streams == 2
        with pytest.raises(StoreUnavailable):
            store.save_message("a", Message("A"))
        (tmp_path / "store" / "write.lock").unlink()  # where none can be made, none is needed
    with FileMessageStore(tmp_path / "store", create=False) as store:
        assert store.get_stats().total_messages == 6
    after = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}
    assert before == {**after, tmp_path / "store" / "write.lock": bytes(136)}


def test_a_disk_that_fails_altogether(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rows cannot be written and then not be read either, nobody says that nothing was saved."""
    store = FileMessageStore(tmp_path / "store")
    store.save_message("a", Message("First"))
    real_write, real_size = RealDisk.write, RealDisk.size
    broken = []

    def write(disk: RealDisk, path: str, offset: int, data: bytes) -> None:
        if path == "index":
            broken.append(path)
            raise OSError(5, "Input/output error", path)
        real_write(disk, path, offset, data)

    def size(disk: RealDisk, path: str) -> int:
        if broken:
            raise OSError(5, "Input/output error", path)
        return real_size(disk, path)

    with monkeypatch.context() as patch:
        patch.setattr(RealDisk, "write", write)
        patch.setattr(RealDisk, "size", size)
        with pytest.raises(OutcomeUnknown):
            store.save_message("a", Message("Second"))
    with FileMessageStore(tmp_path / "store") as other:
        assert other.save_message("a", Message("Third")).first_position == 3
    store.close()


def test_a_session_that_begins_while_a_reader_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that a reader sees is of a session that it sees too, however close they came."""
    path = tmp_path / "store"
    with FileMessageStore(path) as writer, FileMessageStore(path) as reader:
        writer.save_message("a", Message("First"))
        assert len(list(reader.get_all_messages())) == 1
        count_rows = Index.last_complete

        def late(index: Index, known_rows: int) -> int:
            monkeypatch.setattr(Index, "last_complete", count_rows)
            with writer.session("run"):
                writer.save_message("a", Message("Second"))
            return count_rows(index, known_rows)

        monkeypatch.setattr(Index, "last_complete", late)
        found = reader.count_by("session")
    [session] = FileMessageStore(path).get_sessions()
    assert found == {"no-session": 1, session.session_id: 1}
