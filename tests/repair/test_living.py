"""Repairs under the eyes of others: store objects that were open before, and processes that die."""

from __future__ import annotations

from pathlib import Path

import pytest

from msgstore import FileMessageStore, Message, StoreLocked, StoreUnavailable
from msgstore.backends.repairing import rebuild_index, repair_store
from msgstore.disk.files import RealDisk

from .stores import MESSAGES, ROW_BYTES, contents, copy, flip, make, record_at, segment


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return copy(made, tmp_path / "store")


def test_an_open_store_goes_on(path: Path) -> None:
    """Who had the store open reads and saves in the repaired one."""
    with FileMessageStore(path) as store:
        assert len(list(store.get_messages("a"))) == 10
        flip(segment(path, "a"), record_at(path, "a", 4)[0] + 60)
        repair_store(path, apply=True)
        found = [m.message.type for m in store.get_messages("a")]
        assert found == ["Step"] * 4 + ["msgstore.Lost"] + ["Step"] * 5
        assert store.save_message("a", Message("More")).first_position == MESSAGES + 1
        assert store.verify().findings == ()


def stop_moving(patch: pytest.MonkeyPatch, left: int) -> None:
    """The disk carries out so many moves more, and refuses the next one."""
    move = RealDisk.move

    def dying(disk: RealDisk, path: str, new_path: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(5, "Input/output error", path)
        move(disk, path, new_path)

    patch.setattr(RealDisk, "move", dying)


@pytest.mark.parametrize("moves", range(8))
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "saves"])
def test_an_open_store_finishes_what_was_cut_off(
    path: Path, monkeypatch: pytest.MonkeyPatch, moves: int, reads: bool
) -> None:
    """Cut off between two moves: the next to read or save, even one who had it open, finishes it."""
    before = contents(path)
    with FileMessageStore(path) as store:
        assert len(list(store.get_messages("a"))) == 10
        flip(segment(path, "a"), record_at(path, "a", 4)[0] + 60)
        with monkeypatch.context() as patch:
            stop_moving(patch, moves)
            with pytest.raises(StoreUnavailable):
                repair_store(path, apply=True)
        assert (path / "repairing").exists()
        seen = repair_store(path)
        assert (seen.damage, seen.messages) == ((), MESSAGES)
        if reads:
            assert [m.message.type for m in store.get_messages("a")][4] == "msgstore.Lost"
        store.save_message("b", Message("More"))
        assert not (path / "repairing").exists()
        assert not (path / "repair.new").exists()
        assert store.verify().findings == ()
    after = contents(path)
    del after[9], before[9], after[MESSAGES + 1]
    assert after == before


def test_a_reader_in_the_middle(tmp_path: Path) -> None:
    """A read of a stream that is under way goes no further: what it would meet are other files."""
    path = tmp_path / "store"
    with FileMessageStore(path) as store:
        store.save_messages("a", [Message("Old", {"fill": "x" * 500, "n": n}) for n in range(3000)])
        reading = store.get_messages("a")
        assert next(reading).position == 1
        flip(segment(path, "a"), record_at(path, "a", 0)[0] + 60)
        (path / "journal").unlink()
        repair_store(path, apply=True)
        with pytest.raises(StoreUnavailable, match="was repaired while it was read"):
            list(reading)
        assert len(list(store.get_messages("a"))) == 3000


def test_a_store_in_use_is_waited_for(path: Path) -> None:
    """Both tools take the writers' lock, and say who holds it."""
    with FileMessageStore(path) as store, store._writer.exclusive():
        for act in (
            lambda: repair_store(path, lock_timeout_s=0),
            lambda: repair_store(path, apply=True, lock_timeout_s=0),
            lambda: rebuild_index(path, lock_timeout_s=0),
        ):
            with pytest.raises(StoreLocked):
                act()


def test_a_dry_run_needs_no_right_to_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the lock shared and writes nothing, not even its name."""
    flip(path / "index", 3 * ROW_BYTES)
    for verb in ("write", "truncate", "replace", "move", "remove", "make_folder", "sync"):
        monkeypatch.setattr(RealDisk, verb, lambda *_: pytest.fail("a dry run wrote"))
    assert repair_store(path).is_due


def test_reset_takes_back_what_a_repair_prepared(path: Path) -> None:
    """An emptied store has neither the mark of a repair nor its files."""
    flip(path / "index", 3 * ROW_BYTES)
    (path / "repair.new").mkdir()
    (path / "repair.new" / "index").write_bytes(b"left over")
    repair_store(path, apply=True)
    with FileMessageStore(path) as store:
        store.reset()
        assert store.verify().notes == ()
    assert not (path / "repair.new").exists()
