"""A store over a crashing disk, with time, chance and sizes held still."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from types import SimpleNamespace

import pytest

from msgstore import FileMessageStore
from msgstore.disk.files import Disk
from msgstore.engine import (
    checkpoint,
    commit,
    create,
    ends,
    ids,
    journal,
    opened,
    recorder,
    runs,
    segments,
)
from msgstore.engine.identity import Durability
from msgstore.format.names import LOCK
from msgstore.model import clock
from msgstore.testing.crashing_disk import CrashingDisk, CrashingLock

CHECKPOINT_BYTES = 9216
"""At least a slot and some entries: a journal that is cut must not lose its headers."""
CHECKPOINT_BYTES_MAX = 3 * CHECKPOINT_BYTES
"""Stores whose writers make their checkpoints at other marks share a disk; none goes beyond this."""
JOURNAL_BYTES = 8192 + 4 * 512
ROLL_BYTES = 1500
RUN_ROWS = 3
_PID = 0x0102_0304
"""The process id that every writer leaves in the lock file."""
_START_US = 1_700_000_000_000_000


class Chance:
    """In the place of os.urandom and the clock: the same values in every run from `restart` on.

    Each `stage` has values of its own, so that no salt is ever given out twice in the life of one
    store: the workload is stage 0, its recovery 1, the recovery after a crash in that 2.
    """

    def __init__(self) -> None:
        self._count = 0

    def restart(self, stage: int) -> None:
        self._count = stage << 32
        # The maker of ids remembers the last one; they must not depend on what was made before.
        clock._last_ms = clock._last_counter = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What happens inside leaves no trace in what comes after."""
        before = self._count, clock._last_ms, clock._last_counter
        try:
            yield
        finally:
            self._count, clock._last_ms, clock._last_counter = before

    def urandom(self, size: int) -> bytes:
        self._count += 1
        return blake2b(self._count.to_bytes(8, "big"), digest_size=size).digest()

    def now_us(self) -> int:
        self._count += 1
        return _START_US + (self._count >> 32) * 1_000_000 + (self._count & 0xFFFF_FFFF)

    def time_ns(self) -> int:
        return self.now_us() * 1000


CHANCE = Chance()


class LaboratoryStore(FileMessageStore):
    """The real store; only the disk and the lock are others, and no timer syncs behind its back.

    `checkpoint_bytes` is the mark of this store alone, as if it came with another version's code.
    """

    def __init__(
        self,
        disk: CrashingDisk,
        durability: Durability | None,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
    ) -> None:
        self._under = disk
        self._checkpoint_bytes = checkpoint_bytes
        self.use_mark()
        super().__init__(disk.root, durability=durability, clock=CHANCE.now_us)

    def _make_disk(self) -> Disk:
        return self._under

    def _make_lock(self) -> CrashingLock:
        return _Lock(self)

    @property
    def under(self) -> CrashingDisk:
        return self._under

    def use_mark(self) -> None:
        """From now on the engine's mark is that of this store."""
        for module in (recorder, journal):
            module.JOURNAL_BYTES_CHECKPOINT = self._checkpoint_bytes

    def _sync_soon(self) -> None:
        """Durability `batch`: the action `flush` stands for the timer."""

    def enter(self) -> None:
        """What every change begins with: a writer enters, and recovers what there is to recover."""
        self._recover()


class _Lock(CrashingLock):
    """Who has it works by the mark of its own store."""

    def __init__(self, store: LaboratoryStore) -> None:
        super().__init__(store.under, LOCK)
        self._store = store

    def acquire(self, *, shared: bool = False) -> None:
        super().acquire(shared=shared)
        self._store.use_mark()


@contextmanager
def laboratory() -> Iterator[None]:
    """Inside it stores are small, and everything that happens happens again in the next run."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (recorder, journal):
            patch.setattr(module, "JOURNAL_BYTES_CHECKPOINT", CHECKPOINT_BYTES)
        patch.setattr(journal, "GENERATION_BYTES_MAX", CHECKPOINT_BYTES_MAX)
        for module in (journal, create):
            patch.setattr(module, "JOURNAL_BYTES_FIRST", JOURNAL_BYTES)
        for module in (commit, segments):
            patch.setattr(module, "SEGMENT_BYTES_ROLL", ROLL_BYTES)
        for module in (runs, ends, ids):
            patch.setattr(module, "RUN_ROWS_MIN", RUN_ROWS)
        # One boot here is a number that the disk counts, see CrashingDisk.identity.
        patch.setattr(opened, "dependable_boot_id", lambda root: "boot")
        patch.setattr(os, "urandom", CHANCE.urandom)
        patch.setattr(os, "getpid", lambda: _PID)
        patch.setattr(clock, "time", SimpleNamespace(time_ns=CHANCE.time_ns))
        patch.setattr(clock, "_last_ms", 0)
        patch.setattr(clock, "_last_counter", 0)
        patch.setattr(logging.getLogger("msgstore"), "disabled", True)
        yield


@contextmanager
def full_journal() -> Iterator[None]:
    """The next save finds the journal's generation grown enough, and ends it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "ENTRIES_START", -1 << 40)
        yield


@contextmanager
def sync_all_preferred() -> Iterator[None]:
    """Checkpoint and recovery flush by one syncfs, as they do where many files changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "_FILES_ONE_BY_ONE_MAX", 1)
        patch.setattr(checkpoint, "_syncfs_reports_errors", lambda: True)
        yield
