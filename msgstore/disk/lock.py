"""The writers' lock: an exclusive flock on `write.lock`, waited for without polling.

A flock belongs to the open file. There are no PID files, nothing is unlinked, nothing is ever
"stale": the kernel gives the lock up when its holder ends, however it ends.

A lock that is free is taken with `flock` itself. portalocker is what waits, and is imported only
then: it would be a twentieth of a short command. Both lock the same thing in the same way.
"""

from __future__ import annotations

import fcntl
import os
from threading import TIMEOUT_MAX, Event, Thread
from types import TracebackType
from typing import Literal
from weakref import WeakSet

from msgstore.disk.opening import open_plain, owner_to_keep
from msgstore.model.errors import StoreLocked


class FileLock:
    """One lock of one process. Threads of the process must take turns before they come here."""

    def __init__(self, path: str, lock_timeout_s: float) -> None:
        self._path = path
        self._lock_timeout_s = lock_timeout_s
        self._fd: int | None = None
        _all_locks.add(self)

    def acquire(self, *, shared: bool = False) -> None:
        """Waits for the lock. Raises StoreLocked without a holder, or OSError."""
        fd = self._open(shared)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._lock_timeout_s == 0:
                raise self._locked() from None
            self._wait(fd, shared)

    def release(self) -> None:
        """Gives the lock up. What was done under it is done: this never fails."""
        if self._fd is not None:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            except OSError:
                self.close()  # the lock goes with its open file

    def close(self) -> None:
        """Closes without unlocking; what this process holds ends with its last open file."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _open(self, shared: bool) -> int:
        if self._fd is None:
            if shared:
                self._fd = open_plain(self._path, os.O_RDONLY)
            else:
                owner = owner_to_keep(os.path.dirname(self._path))
                self._fd = open_plain(self._path, os.O_RDWR | os.O_CREAT, owner=owner)
        return self._fd

    def _wait(self, fd: int, shared: bool) -> None:
        """Waits in a thread, for a blocking flock cannot be given a time limit.

        The kernel serves those who block in turn, which no poll does. When the time is up the
        thread keeps its open file, and closes it, and so the lock, as soon as it gets it.
        """
        waiter = _Waiter(fd, shared)
        waiter.start()
        try:
            if waiter.done.wait(min(self._lock_timeout_s, TIMEOUT_MAX)):
                waiter.check()
                return
        except BaseException:
            self._fd = None
            waiter.abandon()
            raise
        self._fd = None
        waiter.abandon()
        raise self._locked()

    def _locked(self) -> StoreLocked:
        return StoreLocked(os.path.dirname(self._path), None, self._lock_timeout_s)

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        self.release()
        return False


class _Waiter(Thread):
    def __init__(self, fd: int, shared: bool) -> None:
        super().__init__(name="msgstore-lock", daemon=True)
        self.done = Event()
        self._fd = fd
        self._shared = shared
        self._error: BaseException | None = None
        self._handover = Event()
        self._abandoned = False

    def run(self) -> None:
        import portalocker

        flags = portalocker.LockFlags
        try:
            portalocker.lock(self._fd, flags.SHARED if self._shared else flags.EXCLUSIVE)
        except portalocker.LockException as error:
            self._error = _os_error(error)
        self.done.set()
        self._handover.wait()
        if self._abandoned:
            # Unlocked too: a child that was forked meanwhile has the same open file.
            portalocker.unlock(self._fd)
            os.close(self._fd)

    def check(self) -> None:
        if self._error is not None:
            raise self._error
        self._handover.set()

    def abandon(self) -> None:
        self._abandoned = True
        self._handover.set()


def _os_error(error: BaseException) -> OSError:
    cause = error.__cause__
    return cause if isinstance(cause, OSError) else OSError(str(error))


_all_locks: WeakSet[FileLock] = WeakSet()


def _close_in_child() -> None:
    for lock in list(_all_locks):
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)
