"""The writers' lock: an exclusive flock on `write.lock`, waited for without polling.

A flock belongs to the open file. There are no PID files, nothing is unlinked, nothing is ever
"stale": the kernel gives the lock up when its holder ends, however it ends.

A lock that is free is taken with `flock` itself. portalocker is what waits, and is imported only
then: it would be a twentieth of a short command. Both lock the same thing in the same way.
"""

from __future__ import annotations

import fcntl
import os
from threading import TIMEOUT_MAX, Event, Lock, Thread
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
        self._late: _Waiter | None = None
        """Waits still, for a caller whose time was up."""
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

        The kernel serves those who block in turn, which no poll does. When the time is up the thread
        goes on: who tries again takes it up, with its place in the queue. If nobody has by the time
        that the lock comes, the thread gives it back.
        """
        try:
            waiter = self._late
            if waiter is not None and waiter.take_up(shared):
                self.close()
            else:
                waiter = self._late = _Waiter(fd, shared)
                self._start(waiter)
            has_ended = waiter.ended.wait(min(self._lock_timeout_s, TIMEOUT_MAX))
            if not has_ended and not waiter.give_up():
                raise self._locked()
            self._fd, self._late = waiter.fd, None
        except BaseException:  # an interrupt, which may come at any moment, too
            self._give_up()
            raise
        waiter.check()

    def _start(self, waiter: _Waiter) -> None:
        try:
            waiter.start()
        except RuntimeError:  # no more threads
            self._late = None
            raise

    def _give_up(self) -> None:
        """Leaves the waiter to itself, or gives back the lock that has come meanwhile."""
        waiter = self._late
        if waiter is None:
            self.close()
        elif waiter.give_up():
            self._fd, self._late = waiter.fd, None
            self.close()
        elif self._fd == waiter.fd:
            self._fd = None

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
    """Blocks in flock for another thread. `fd` is its own until the lock has come to somebody."""

    def __init__(self, fd: int, shared: bool) -> None:
        super().__init__(name="msgstore-lock", daemon=True)
        self.fd = fd
        self.ended = Event()
        self._shared = shared
        self._error: OSError | None = None
        self._turn = Lock()
        self._is_wanted = True

    def run(self) -> None:
        import portalocker

        flags = portalocker.LockFlags
        try:
            portalocker.lock(self.fd, flags.SHARED if self._shared else flags.EXCLUSIVE)
        except portalocker.LockException as error:
            self._error = _os_error(error)
        with self._turn:
            self.ended.set()
        if not self._is_wanted:
            # Unlocked too: a child that was forked meanwhile has the same open file.
            portalocker.unlock(self.fd)
            os.close(self.fd)

    def give_up(self) -> bool:
        """Whether the lock has come to the caller, who must give it back; else none comes any more."""
        with self._turn:
            if self.ended.is_set():
                return self._is_wanted
            self._is_wanted = False
            return False

    def take_up(self, shared: bool) -> bool:
        """Whether it waits still, and for such a lock; from now on for the caller."""
        with self._turn:
            if self.ended.is_set() or shared != self._shared or not self.is_alive():
                return False
            self._is_wanted = True
            return True

    def check(self) -> None:
        """Raises what the system said."""
        if self._error is not None:
            raise self._error


def _os_error(error: BaseException) -> OSError:
    cause = error.__cause__
    return cause if isinstance(cause, OSError) else OSError(str(error))


_all_locks: WeakSet[FileLock] = WeakSet()


def _close_in_child() -> None:
    for lock in list(_all_locks):
        lock._late = None  # a thread of the parent
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)
