"""When the disk refuses a call, a save fails as a whole, or says that it does not know."""

from __future__ import annotations

import errno
import random

import pytest
from workbench import CHECKPOINT_BYTES, keepers, open_writer, read_all, save, small_journal

from msgstore import MsgStoreError, OutcomeUnknown, StoreClosed, WriteFailed
from msgstore.format.journal import ENTRIES_START
from msgstore.testing.crashing_disk import CrashingDisk, Fault, Operation, keep_nothing

FIRST = [[("s0", "a")], [("s1", "b" * 600), ("s0", "c")]]
NEXT = [("s0", "d" * 600), ("s2", "e")]


def prepared(durability: str) -> CrashingDisk:
    disk = CrashingDisk()
    store = open_writer(disk, durability)
    for batch in FIRST:
        save(store, batch)
    return disk


def operations_of_next(durability: str) -> int:
    disk = prepared(durability)
    before = disk.operations
    save(open_writer(disk, durability), NEXT)
    return disk.operations - before


CASES = [
    (durability, kind, code)
    for durability in ("always", "os")
    for kind, code in (("write", errno.ENOSPC), ("write", errno.EIO), ("sync", errno.EIO))
]


@pytest.mark.parametrize(("durability", "kind", "code"), CASES)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_a_refused_call(durability: str, kind: str, code: int, lasting: bool) -> None:
    """WriteFailed means nothing was saved; OutcomeUnknown whole or nothing; both for good."""
    before = [*FIRST[0], *FIRST[1]]
    with small_journal():
        for step in range(1, operations_of_next(durability) + 1):
            disk = prepared(durability)
            at = disk.operations + step

            def fails(asked: Operation, at: int = at) -> Fault | None:
                hit = asked.number >= at if lasting else asked.number == at
                return Fault(code) if hit and asked.kind == kind else None

            disk.fault = fails
            store = open_writer(disk, durability)
            allowed = [before, before + NEXT]
            try:
                save(store, NEXT)
                allowed = [before + NEXT]
            except OutcomeUnknown:
                pass
            except WriteFailed:
                allowed = [before]
            disk.fault = None
            found = read_all(disk.killed(), durability)
            assert found in allowed
            if durability == "always":
                for keeps in keepers(random.Random(step)):
                    assert read_all(disk.power_loss(keeps), durability) in allowed
            save(open_writer(disk, durability), [("s0", "later")])
            settled = read_all(disk, durability)
            assert settled[:-1] in allowed
            assert settled[-1] == ("s0", "later")


def test_no_save_after_a_failed_sync() -> None:
    """A failed sync is never tried again: the store object refuses all further changes."""
    disk = prepared("always")
    store = open_writer(disk, "always")
    disk.fault = lambda asked: Fault(errno.EIO) if asked.kind == "sync" else None
    with pytest.raises(MsgStoreError):
        save(store, NEXT)
    disk.fault = None
    with pytest.raises(StoreClosed):
        save(store, NEXT)
    save(open_writer(disk, "always"), NEXT)
    assert read_all(disk, "always")[-2:] == NEXT


@pytest.mark.parametrize("kind", ["write", "sync"])
def test_a_checkpoint_without_room(kind: str) -> None:
    """It fails the save and nothing else: the same object goes on once there is room."""
    with small_journal():
        disk = CrashingDisk()
        store = open_writer(disk, "always")
        saved: list[tuple[str, str]] = []
        while not saved or store.tail.hint.journal_end - ENTRIES_START < CHECKPOINT_BYTES:
            saved.append(("s0", f"{len(saved)}" + "x" * 500))
            save(store, saved[-1:])

        def fails(asked: Operation) -> Fault | None:
            full = asked.kind == kind and asked.path != "write.lock"
            return Fault(errno.ENOSPC) if full else None

        disk.fault = fails
        for _ in range(2):
            with pytest.raises(WriteFailed, match="No space left on device") as caught:
                save(store, NEXT)
            assert caught.type is WriteFailed
        disk.fault = None
        assert read_all(disk.killed(), "always") == saved
        save(store, NEXT)
        for keeps in keepers(random.Random(1)):
            assert read_all(disk.power_loss(keeps), "always") == saved + NEXT


def test_a_flush_after_a_failed_sync_of_new_room() -> None:
    """What a failed sync of the journal lost is written again before a later flush vouches for it.

    With `os` older entries wait unsynced in the journal; the sync that makes room for more fails and
    drops them, and their pages count as clean from then on.
    """
    with small_journal():
        disk = CrashingDisk()
        store = open_writer(disk, "os")
        save(store, FIRST[0])
        disk.fault = lambda asked: Fault(errno.EIO) if asked.kind == "sync" else None
        with pytest.raises(WriteFailed, match="Input/output error"):
            save(store, [("s0", "x" * 20_000)])
        disk.fault = None
        store = open_writer(disk, "os")
        save(store, NEXT)
        with store.exclusive():
            store.sync()
        assert read_all(disk.power_loss(keep_nothing), "os") == FIRST[0] + NEXT
