"""Holding a store for one change: the lock, and the name of who has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from msgstore.disk.files import Disk
from msgstore.disk.lock import FileLock
from msgstore.engine.failures import unavailable
from msgstore.format.hint import (
    HOLDER_OFFSET,
    LOCK_FILE_BYTES,
    Hint,
    decode_hint,
    decode_holder,
    encode_holder,
)
from msgstore.format.names import LOCK
from msgstore.model.errors import StoreLocked


@contextmanager
def holding(disk: Disk, lock: FileLock) -> Iterator[Hint | None]:
    """Holds the writers' lock, with this process named as its holder; gives the hint as it found it."""
    try:
        _acquire(disk, lock)
        yield _leave_name(disk)
    finally:
        try:
            lock.release()
        except BaseException:  # an interrupt, which may have come before it began
            lock.release()
            raise


def _acquire(disk: Disk, lock: FileLock) -> None:
    try:
        lock.acquire()
    except StoreLocked as error:
        holder = decode_holder(disk.read(LOCK, 0, LOCK_FILE_BYTES))
        raise StoreLocked(disk.root, holder, error.lock_timeout_s) from None
    except OSError as error:
        raise unavailable(disk.root, error) from error


def _leave_name(disk: Disk) -> Hint | None:
    """One read serves for both: the hint and the last holder's name stand in one file."""
    pid = os.getpid()
    try:
        front = disk.read(LOCK, 0, LOCK_FILE_BYTES)
        if decode_holder(front) != pid:
            disk.write(LOCK, HOLDER_OFFSET, encode_holder(pid))
    except OSError as error:
        raise unavailable(disk.root, error) from error
    return decode_hint(front)
