"""Repairing a store on disk, also one that cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from msgstore.disk.files import Disk, RealDisk
from msgstore.disk.lock import FileLock
from msgstore.engine.failures import unavailable, unreadable
from msgstore.engine.holding import holding
from msgstore.engine.marks import is_resetting
from msgstore.engine.repair import rebuild_index as rebuild
from msgstore.engine.repair import repair
from msgstore.format.names import LOCK
from msgstore.model.clock import system_clock_us
from msgstore.model.errors import CorruptStore, StoreNotFound, StoreUnavailable
from msgstore.model.repairs import RepairReport


def repair_store(
    path: str | os.PathLike[str], *, apply: bool = False, lock_timeout_s: float = 30
) -> RepairReport:
    """Says what is damaged in the store at `path`, and with `apply` repairs it.

    Nothing is deleted: what is replaced goes to `quarantine/` in the store. A message that is lost
    leaves its position and revision to an event of type `msgstore.Lost`. On return the store was
    read and found sound. Raises StoreNotFound, StoreLocked, StoreUnavailable, WriteFailed with
    nothing changed, and CorruptStore for what no repair can make sense of.
    """
    if not apply:
        with _reading(path, lock_timeout_s) as disk:
            return repair(disk, system_clock_us(), apply=False)
    return _change(path, lock_timeout_s, lambda disk: repair(disk, system_clock_us(), apply=True))


def rebuild_index(path: str | os.PathLike[str], *, lock_timeout_s: float = 30) -> RepairReport:
    """Makes index, catalog and journal of the store at `path` anew from its segments.

    The old files go to `quarantine/` in the store. Raises CorruptStore, with nothing changed, unless
    the segments hold every message exactly once; else as `repair_store`.
    """
    return _change(path, lock_timeout_s, lambda disk: rebuild(disk, system_clock_us()))


def _change(
    path: str | os.PathLike[str], lock_timeout_s: float, act: Callable[[Disk], RepairReport]
) -> RepairReport:
    with _open(path) as disk:
        lock = FileLock(os.path.join(disk.root, LOCK), lock_timeout_s)
        try:
            with holding(disk, lock):
                _refuse_reset(disk)
                report = act(disk)
        except OSError as error:
            raise unavailable(disk.root, error) from error
        finally:
            lock.close()
    if report.applied:
        _check_again(path)
    return report


def _check_again(path: str | os.PathLike[str]) -> None:
    """Raises CorruptStore unless the store, opened as anybody opens it, is sound."""
    from msgstore.backends.file import FileMessageStore

    with FileMessageStore(path, create=False) as store:
        findings = store.verify().findings
    if findings:
        raise CorruptStore(f"the repaired store has {len(findings):,} damaged places")


@contextmanager
def _reading(path: str | os.PathLike[str], lock_timeout_s: float) -> Iterator[Disk]:
    """The disk while no writer moves anything; nothing at all is written."""
    with _open(path) as disk:
        lock = FileLock(os.path.join(disk.root, LOCK), lock_timeout_s)
        try:
            with suppress(FileNotFoundError):
                lock.acquire(shared=True)
            _refuse_reset(disk)
            yield disk
        except OSError as error:
            raise unreadable(disk.root, error) from error
        finally:
            lock.release()
            lock.close()


@contextmanager
def _open(path: str | os.PathLike[str]) -> Iterator[RealDisk]:
    disk = RealDisk(os.path.abspath(os.fspath(path)))
    try:
        try:
            if disk.identity("") is None:
                raise StoreNotFound(disk.root)
        except OSError as error:
            raise unreadable(disk.root, error) from error
        yield disk
    finally:
        disk.forget()


def _refuse_reset(disk: Disk) -> None:
    if is_resetting(disk):
        reason = "is being emptied; the next to open it finishes that"
        raise StoreUnavailable(disk.root, reason)
