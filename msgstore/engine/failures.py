"""What the operating system refused, as errors of msgstore."""

from __future__ import annotations

import errno

from msgstore.disk.opening import Misplaced
from msgstore.model.errors import ReadOnlyStore, StoreUnavailable, WriteFailed

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


def unavailable(path: str, error: OSError) -> StoreUnavailable:
    """The error to raise for a change of the store at `path` that failed."""
    if error.errno in _NOT_ALLOWED:
        return ReadOnlyStore(path, f"cannot be written: {words(error)}")
    if planted := _planted(path, error):
        return planted
    return WriteFailed(path, f"the write failed: {words_and_file(error)}")


def unreadable(path: str, error: OSError) -> StoreUnavailable:
    """The error to raise for a read of the store at `path` that failed."""
    if planted := _planted(path, error):
        return planted
    return StoreUnavailable(path, f"cannot be read: {words_and_file(error)}")


def _planted(path: str, error: OSError) -> StoreUnavailable | None:
    """The error for what msgstore did not put there: a link, a pipe, a file with a second name."""
    if error.errno == errno.ELOOP:
        return StoreUnavailable(
            path, f"a symbolic link stands in place of a file: {error.filename}"
        )
    if isinstance(error, Misplaced):
        # What has a second name can still be read, by a reader who does not recover the store.
        kind = ReadOnlyStore if error.errno == errno.EMLINK else StoreUnavailable
        return kind(path, f"{error.strerror}: {error.filename}")
    return None


def words(error: OSError) -> str:
    return error.strerror or str(error)


def words_and_file(error: OSError) -> str:
    return f"{words(error)} ({error.filename})" if error.filename else words(error)
