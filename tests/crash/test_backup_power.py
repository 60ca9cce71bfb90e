"""Killed, cut off or refused at any operation on its disk, a backup is a beginning of the store."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import chain

import pytest
from workbench import (
    keepers,
    open_writer,
    read_all,
    save,
    small_journal,
    workload,
)

from msgstore import StoreUnavailable
from msgstore.engine import copying
from msgstore.engine.copying import Copied, copy_store
from msgstore.engine.opened import OpenedStore
from msgstore.engine.reader import Reader
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import BACKING_UP, INDEX, LOCK, STORE_JSON, segment_path
from msgstore.testing.crashing_disk import (
    CrashingDisk,
    CrashingLock,
    Fault,
    Killed,
    Operation,
    keep_nothing,
)

COMMITS = 9
FIRST = 4
BATCHES = workload(random.Random(5), COMMITS)
PREFIXES = [list(chain(*BATCHES[:count])) for count in range(COMMITS + 1)]


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Steps, entries and generations of a few rows."""
    with small_journal(), pytest.MonkeyPatch.context() as patch:
        for name, value in {"_WINDOW_ROWS": 3, "_COMMIT_ROWS": 2, "_STEP_ROWS": 5}.items():
            patch.setattr(copying, name, value)
        yield


@cache
def source(commits: int) -> CrashingDisk:
    """The store after so many commits; always the same one."""
    if commits == 0:
        return CrashingDisk()
    disk = source(commits - 1).killed()
    save(open_writer(disk, "os"), BATCHES[commits - 1])
    return disk


def back_up(disk: CrashingDisk, commits: int, of: CrashingDisk | None = None) -> Copied:
    """One run, of the store as it was after so many commits or of another one."""
    reader = Reader(OpenedStore(of or source(commits)), lambda: None)

    def look() -> Snapshot:
        snapshot = reader.snapshot()
        assert snapshot is not None
        return snapshot

    return copy_store(look, disk, CrashingLock(disk, LOCK))  # type: ignore[arg-type]


def earlier_copy(commits: int) -> CrashingDisk:
    """A disk with nothing on it, or with a backup of then, all of it synced."""
    disk = CrashingDisk()
    if commits:
        back_up(disk, commits)
    return disk.killed()


def check(disk: CrashingDisk, at_least: int) -> None:
    """It is no store yet, or one that ends with a commit, and not before it did; and is gone on with."""
    if at_least == 0 and disk.size(STORE_JSON) < 0:
        assert disk.size(BACKING_UP) >= 0 or disk.size(INDEX) < 0, "a save would make a store here"
    else:
        allowed = PREFIXES[at_least:] if at_least else PREFIXES[COMMITS:]
        assert read_all(disk.killed(), "always") in allowed
    done = back_up(disk, COMMITS)
    assert done.position == len(PREFIXES[COMMITS])
    assert disk.size(BACKING_UP) < 0
    assert read_all(disk, "always") == PREFIXES[COMMITS]
    save(open_writer(disk, "always"), [("s0", "after"), ("new", "after")])
    assert read_all(disk, "always") == [*PREFIXES[COMMITS], ("s0", "after"), ("new", "after")]


def operations_of(at_first: int) -> int:
    disk = earlier_copy(at_first)
    back_up(disk, COMMITS)
    return disk.operations


@pytest.mark.parametrize("at_first", [0, FIRST], ids=["new", "earlier"])
def test_killed_or_cut_off(at_first: int) -> None:
    """A first copy is a store when it is whole; an earlier one is always one, and never goes back."""
    chance = random.Random(at_first)
    operations = operations_of(at_first)
    assert operations >= 40
    for budget in range(operations):
        disk = earlier_copy(at_first)
        disk.kill_after(budget, torn_bytes=budget % 600)
        with pytest.raises(Killed):
            back_up(disk, COMMITS)
        for end in (disk.killed(), *(disk.power_loss(keeps) for keeps in keepers(chance))):
            check(end, at_first)


@pytest.mark.parametrize("at_first", [0, FIRST], ids=["new", "earlier"])
def test_cut_off_twice(at_first: int) -> None:
    """The run that takes up what was left may end in the middle too."""
    chance = random.Random(at_first)
    for budget in range(operations_of(at_first)):
        disk = earlier_copy(at_first)
        disk.kill_after(budget, torn_bytes=budget % 600)
        with pytest.raises(Killed):
            back_up(disk, COMMITS)
        disk = disk.power_loss(chance.choice(keepers(chance)))
        disk.kill_after(chance.randrange(40))
        with suppress(Killed):
            back_up(disk, COMMITS)
        check(disk.power_loss(chance.choice(keepers(chance))), at_first)


def test_done_is_done() -> None:
    """What a run returned for is there after a power loss, whatever the disk had not written."""
    for at_first in (0, FIRST):
        disk = earlier_copy(at_first)
        back_up(disk, COMMITS)
        end = disk.power_loss(keep_nothing)
        assert read_all(end, "always") == PREFIXES[COMMITS]


@pytest.mark.parametrize("at_first", [0, FIRST], ids=["new", "earlier"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize(
    ("kind", "code"), [("write", errno.ENOSPC), ("sync", errno.EIO), ("truncate", errno.EIO)]
)
def test_a_refused_call(at_first: int, lasting: bool, kind: str, code: int) -> None:
    """A disk that refuses is an error of the copy's, and the next run makes good."""
    for step in range(1, operations_of(at_first) + 1):
        disk = earlier_copy(at_first)

        def fails(asked: Operation, step: int = step) -> Fault | None:
            hit = asked.number >= step if lasting else asked.number == step
            return Fault(code) if hit and asked.kind == kind else None

        disk.fault = fails
        with suppress(StoreUnavailable):
            back_up(disk, COMMITS)
        disk.fault = None
        check(disk.killed(), at_first)


def test_what_another_history_left_behind() -> None:
    """Records of a run that was given up, for commits that the source then lost, do not show."""
    other = [[("s0", "other")], [("s1", "other")]]
    parted = source(FIRST).killed()
    store = open_writer(parted, "os")
    for batch in other:
        save(store, batch)
    given_up = 0
    for budget in range(operations_of(FIRST)):
        disk = earlier_copy(FIRST)
        disk.kill_after(budget)
        with pytest.raises(Killed):
            back_up(disk, COMMITS)
        disk = disk.killed()
        # Asked of a writer: it finishes what stands in the journal alone, which no reader sees yet.
        with open_writer(disk.killed(), "always").exclusive() as writer:
            rows = writer.rows
        if rows == len(PREFIXES[FIRST]):
            given_up += 1
            back_up(disk, 0, of=parted)
            assert read_all(disk, "always") == PREFIXES[FIRST] + list(chain(*other))
            for path in (segment_path("s0", 0), segment_path("s1", 0)):
                assert disk.content()[path] == parted.content()[path]
    assert given_up > 5
