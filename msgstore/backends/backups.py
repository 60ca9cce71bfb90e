"""A copy of a live store that is a store itself: `backup_store`, and the way back, `restore_store`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, get_args

from msgstore.backends.file import FileMessageStore
from msgstore.disk.files import RealDisk
from msgstore.disk.lock import FileLock
from msgstore.engine.copying import Copied, copy_store
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import LOCK
from msgstore.model.arguments import check_count
from msgstore.model.errors import InvalidArgument, StoreNotFound
from msgstore.model.results import BackupResult

Verify = Literal["copied", "all"]
"""How much of a copy is read back and checked before it counts."""
Path = str | os.PathLike[str]


def backup_store(
    source: Path | FileMessageStore,
    dest: Path,
    *,
    verify: Verify = "copied",
    lock_timeout_s: float = 30,
) -> BackupResult:
    """Makes `dest` a copy of the store as it is now, or brings an earlier copy up to date.

    `dest` is a store itself. Writers of the source go on; writers of `dest` wait. Raises
    NotItsBackup where `dest` is not what the store once was, StoreNotFound, StoreLocked,
    StoreUnavailable, WriteFailed, and CorruptRecord for damage in what is to be copied: an earlier
    copy is left as it was then.
    """
    return _copy(source, dest, None, False, verify, lock_timeout_s)


def restore_store(
    backup: Path | FileMessageStore,
    dest: Path,
    to_position: int | None = None,
    *,
    verify: Verify = "copied",
    lock_timeout_s: float = 30,
) -> BackupResult:
    """Makes a new store at `dest` of a backup, or of its beginning up to `to_position`.

    A commit is there whole or not at all: it ends with the last one that ends at `to_position` or
    before. Raises StoreExists where there is a store, and what `backup_store` raises.
    """
    check_count(to_position, "to_position")
    return _copy(backup, dest, to_position, True, verify, lock_timeout_s)


def _copy(
    source: Path | FileMessageStore,
    dest: Path,
    to_position: int | None,
    must_be_new: bool,
    verify: Verify,
    lock_timeout_s: float,
) -> BackupResult:
    if verify not in get_args(Verify):
        raise InvalidArgument("verify", f"{verify!r} is not one of {', '.join(get_args(Verify))}")
    if not os.fspath(dest):
        raise InvalidArgument("dest", "the path is empty")
    path = os.path.abspath(os.fspath(dest))
    with _opened(source) as store:
        disk = RealDisk(path)
        lock = FileLock(os.path.join(path, LOCK), lock_timeout_s)
        _check_apart(RealDisk(store.path), disk)
        try:
            copied = copy_store(
                lambda: _look(store),
                disk,
                lock,
                to_position=to_position,
                must_be_new=must_be_new,
                verify_all=verify == "all",
            )
        finally:
            lock.close()
            disk.forget()
    return _result(path, copied, verify)


def _result(path: str, copied: Copied, verify: Verify) -> BackupResult:
    return BackupResult(path, copied.position, copied.messages, copied.bytes, verify)


@contextmanager
def _opened(source: Path | FileMessageStore) -> Iterator[FileMessageStore]:
    """The store; one that was only named is closed afterwards."""
    if isinstance(source, FileMessageStore):
        yield source
        return
    with FileMessageStore(source, create=False) as store:
        yield store


def _look(store: FileMessageStore) -> Snapshot:
    snapshot = store._snapshot()
    if snapshot is None:
        raise StoreNotFound(store.path)
    return snapshot


def _check_apart(source: RealDisk, copy: RealDisk) -> None:
    """Raises InvalidArgument for a copy that would stand in the store's own folder."""
    if copy.root == source.root or _folder_of(copy) == _folder_of(source):
        raise InvalidArgument("dest", f"{copy.root} is the store itself")
    if copy.root.startswith(os.path.join(source.root, "")):
        raise InvalidArgument("dest", f"{copy.root} is in the store's own folder")


def _folder_of(disk: RealDisk) -> tuple[int, int] | str:
    """Which folder it is, however it is called."""
    with suppress(NotADirectoryError):
        return disk.identity("") or disk.root
    return disk.root
