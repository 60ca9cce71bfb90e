"""Killed or cut off at any operation of a repair, the store is the old one or the repaired one."""

from __future__ import annotations

import errno
import itertools
import random
from contextlib import suppress

import pytest
from workbench import keepers, open_writer, save, small_journal, workload

from msgstore.disk.overlay import OverlayDisk
from msgstore.engine.marks import is_swapping
from msgstore.engine.opened import OpenedStore
from msgstore.engine.query import select
from msgstore.engine.reader import Reader
from msgstore.engine.recovery import overlay
from msgstore.engine.repair import rebuild_index, repair
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.engine.swap import read_swap, swapped_view
from msgstore.engine.verify import verify
from msgstore.engine.writer import Writer, WriterSettings
from msgstore.format.names import LOCK
from msgstore.model.errors import CorruptStore, ReadOnlyStore
from msgstore.model.filter import EVERYTHING
from msgstore.testing.crashing_disk import (
    CrashingDisk,
    CrashingLock,
    Fault,
    Killed,
    Operation,
    keep_all,
)

NOW_US = 1_800_000_000_000_000
LOOKS = ("remove", "read", "size", "list", "identity")
_ticks = itertools.count(NOW_US)

Seen = list[tuple[str, int, str]]
"""Stream, revision and value of each message, in order of position; a marker's value is its type."""


def read(disk: CrashingDisk, *, may_write: bool = True) -> Seen:
    """All messages as a fresh process reads them. Raises CorruptStore."""
    opened = OpenedStore(disk)

    def recover() -> None:
        if not may_write:
            raise ReadOnlyStore("/", "may not be written")
        settings = WriterSettings("always", False, lambda: next(_ticks))
        with Writer(opened, CrashingLock(disk, LOCK), settings).exclusive():
            pass

    snapshot = Reader(opened, recover).snapshot()
    assert snapshot is not None
    found = list(select(snapshot, EVERYTHING, backwards=False))
    assert verify(snapshot, None, False).findings == ()
    return [(m.stream_id, m.revision, m.message.data.get("v", m.message.type)) for m in found]


def rot(disk: CrashingDisk, path: str, at: int) -> None:
    """One bit of a file, wherever it is kept."""
    disk.write(path, at, bytes([disk.read(path, at, 1)[0] ^ 4]))
    disk.sync(path)


def everything_durable(disk: CrashingDisk) -> CrashingDisk:
    return disk.power_loss(keep_all)


def damaged_store(seed: int) -> tuple[CrashingDisk, Seen]:
    """A store in which a record of s0 has rotted, and what will be read once it is repaired."""
    disk = CrashingDisk()
    store = open_writer(disk, "always")
    for batch in workload(random.Random(seed), 7):
        save(store, batch)
    disk = everything_durable(disk)
    expected = read(disk)
    victims = [number for number, one in enumerate(expected) if one[0] == "s0"]
    victim = expected[victims[len(victims) // 2]]
    expected[victims[len(victims) // 2]] = (*victim[:2], "msgstore.Lost")
    path = next(name for name in disk.content() if name.startswith("streams/") and "/s0~" in name)
    rot(disk, path, disk.content()[path].index(victim[2].encode()))
    return everything_durable(disk), expected


def contents(disk: CrashingDisk) -> dict[str, bytes]:
    """Every file, but for lock and journal, which recovery writes, and what a repair prepares."""
    return {
        name: data
        for name, data in disk.content().items()
        if name not in ("write.lock", "journal", "repairing", "repairing.new")
        and not name.startswith("repair.new/")
    }


def operations_of(disk: CrashingDisk) -> int:
    other = disk.killed()
    repair(other, NOW_US, apply=True)
    return other.operations


def check(end: CrashingDisk, before: dict[str, bytes], expected: Seen) -> bool:
    """Whether the repair counts: then it is whole, and else nothing has changed."""
    if not is_swapping(end) and "quarantine/repair-1/index" not in end.content():
        assert contents(end) == before
        with pytest.raises(CorruptStore):
            read(end)
        repair(end, NOW_US, apply=True)
        assert read(end) == expected
        return False
    if is_swapping(end):
        view = OverlayDisk(swapped_view(end, read_swap(end)))
        identity = OpenedStore(end).find()
        assert identity is not None
        seen = Snapshot(Source(view, identity, None), *overlay(view, identity.store_uuid))
        assert verify(seen, None, False).findings == ()
        assert read(end.killed(), may_write=False) == expected
    assert read(end) == expected
    assert not any(name.startswith(("repair.new/", "repairing")) for name in end.content())
    now = contents(end)
    for name, data in before.items():
        assert data in (now.get(name), now.get(f"quarantine/repair-1/{name}"))
    save(open_writer(end, "always"), [("s0", "more")])
    assert read(end)[:-1] == expected
    return True


@pytest.mark.parametrize("seed", [1, 2])
def test_a_repair_is_whole_or_has_not_begun(seed: int) -> None:
    """After a kill or a power loss at any operation, also of the one who finishes it, the store is
    the old one byte for byte, or the repaired one with all old files aside."""
    chance = random.Random(seed)
    with small_journal():
        disk, expected = damaged_store(seed)
        before = contents(disk)
        outcomes = set()
        for budget in range(operations_of(disk) + 1):
            cut = disk.killed()
            cut.kill_after(budget, torn_bytes=budget % 600)
            with suppress(Killed):
                repair(cut, NOW_US, apply=True)
            ends = [cut.killed(), *(cut.power_loss(keeps) for keeps in keepers(chance))]
            for end in ends:
                again = end.killed()
                again.kill_after(chance.randrange(12))
                with suppress(Killed, CorruptStore):
                    read(again)
                for one in (end, again.power_loss(chance.choice(keepers(chance)))):
                    outcomes.add(check(one, before, expected))
        assert outcomes == {False, True}


def test_a_rebuilt_index_is_whole_or_has_not_begun() -> None:
    """The same for rebuild-index, over a store that is sound before and after."""
    with small_journal():
        disk, _ = damaged_store(3)
        repair(disk, NOW_US, apply=True)
        expected = read(disk)
        disk = everything_durable(disk)
        whole = disk.killed()
        rebuild_index(whole, NOW_US)
        for budget in range(whole.operations + 1):
            cut = disk.killed()
            cut.kill_after(budget, torn_bytes=budget % 600)
            with suppress(Killed):
                rebuild_index(cut, NOW_US)
            for keeps in keepers(random.Random(budget)):
                assert read(cut.power_loss(keeps)) == expected
            assert read(cut.killed()) == expected


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_refused_call(code: int) -> None:
    """Whatever the disk refuses: the store is the old one or the repaired one, and nothing that was
    prepared in vain is left behind."""
    with small_journal():
        disk, expected = damaged_store(4)
        before = contents(disk)
        for step in range(1, operations_of(disk) + 1):
            cut = disk.killed()

            def fails(asked: Operation, step: int = step) -> Fault | None:
                is_hit = asked.number == step and asked.kind not in LOOKS
                return Fault(code) if is_hit else None

            cut.fault = fails
            with suppress(OSError):
                repair(cut, NOW_US, apply=True)
            cut.fault = None
            if not is_swapping(cut):
                assert not any(name.startswith("repair.new/") for name in cut.content())
            check(cut.killed(), before, expected)
