"""The writers' lock, between threads and between processes."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from threading import Event, Thread

import portalocker
import pytest

from msgstore.disk import lock as lock_module
from msgstore.disk.lock import FileLock
from msgstore.model.errors import StoreLocked

LONG_S = 60
"""Longer than anything here takes; nobody waits for so long unless something is wrong."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "write.lock")


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def is_free(path: str) -> bool:
    """Whether the lock is to be had right now."""
    fd = os.open(path, os.O_RDWR)
    try:
        portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    else:
        return True
    finally:
        os.close(fd)


def join_waiters() -> None:
    """Returns when every thread that waits for a lock has ended."""
    for thread in threading.enumerate():
        if thread.name == "msgstore-lock":
            while thread.ident is None:  # it was interrupted while it was being started
                time.sleep(0)  # its turn to it
            thread.join(LONG_S)
            assert not thread.is_alive()


# ---------------------------------------------------------------- who has it


def test_one_at_a_time(path: str) -> None:
    """While one has the lock nobody else gets it; afterwards the next one does."""
    first, second = FileLock(path, 0), FileLock(path, 0)
    with first:
        assert not is_free(path)
        with pytest.raises(StoreLocked):
            second.acquire()
    join_waiters()
    with second:
        assert not is_free(path)
    assert is_free(path)


def test_who_waits_in_vain(path: str) -> None:
    """After the timeout StoreLocked says where and how long; the lock knows no holder."""
    second = FileLock(path, 0.01)
    with FileLock(path, 0), pytest.raises(StoreLocked) as caught:
        second.acquire()
    assert caught.value.path == os.path.dirname(path)
    assert caught.value.lock_timeout_s == 0.01
    assert caught.value.holder_pid is None
    assert caught.value.exit_code == 75


def test_readers_share(path: str) -> None:
    """Any number may hold the lock shared, and meanwhile nobody exclusively."""
    writer = FileLock(path, 0)
    with writer:
        pass
    readers = [FileLock(path, 0) for _ in range(3)]
    for reader in readers:
        reader.acquire(shared=True)
    with pytest.raises(StoreLocked):
        writer.acquire()
    for reader in readers:
        reader.release()
    join_waiters()
    with writer, pytest.raises(StoreLocked):
        readers[0].acquire(shared=True)


def test_a_lock_can_be_used_again_after_a_timeout(path: str) -> None:
    """Who waited in vain may try again."""
    first, second = FileLock(path, 0), FileLock(path, 0)
    with first, pytest.raises(StoreLocked):
        second.acquire()
    join_waiters()
    with second:
        assert not is_free(path)


def test_a_lock_can_be_used_again_after_close(path: str) -> None:
    """`close` gives back the open file and with it the lock; the next use opens anew."""
    lock = FileLock(path, 0)
    lock.acquire()
    lock.close()
    lock.close()
    assert is_free(path)
    with lock:
        assert not is_free(path)


def test_a_lock_that_cannot_be_unlocked(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system says to an unlock, the lock is free: what was done under it is done."""
    lock = FileLock(path, 0)

    def refused(fd: int, operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    lock.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refused)
        lock.release()
    assert is_free(path)
    with lock:
        assert not is_free(path)


def test_the_file_is_made_for_its_owner_only(path: str) -> None:
    """The lock file is made by the first writer, with mode 0600, and stays."""
    before = os.umask(0)
    try:
        with FileLock(path, 0):
            pass
    finally:
        os.umask(before)
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_reader_makes_no_file(path: str) -> None:
    """To lock shared the file must be there."""
    with pytest.raises(FileNotFoundError):
        FileLock(path, 0).acquire(shared=True)


@pytest.mark.parametrize("shared", [False, True])
def test_a_symbolic_link_is_refused(path: str, tmp_path: Path, shared: bool) -> None:
    """A link in place of the lock file is refused."""
    (tmp_path / "outside").write_bytes(b"mine")
    os.symlink(tmp_path / "outside", path)
    with pytest.raises(OSError, match="symbolic links") as caught:
        FileLock(path, 0).acquire(shared=shared)
    assert caught.value.errno == errno.ELOOP


# ---------------------------------------------------------------- waiting


FLOCKS = ((fcntl, "flock"), (portalocker.portalocker, "LOCKER"))
"""The system call, and the name under which portalocker keeps it."""


class Watched:
    """Stands in for `flock`: tells of every call, and when one is about to block."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[bool] = []
        self.blocking = Event()
        self._real = fcntl.flock
        for module, name in FLOCKS:
            monkeypatch.setattr(module, name, self)

    def __call__(self, fd: int, flags: int) -> None:
        if flags & fcntl.LOCK_UN:
            self._real(fd, flags)
            return
        blocks = not flags & fcntl.LOCK_NB
        self.calls.append(blocks)
        if blocks:
            self.blocking.set()
        self._real(fd, flags)


@pytest.mark.parametrize("lock_timeout_s", [LONG_S, inf])
def test_waiting_is_one_call(
    path: str, monkeypatch: pytest.MonkeyPatch, lock_timeout_s: float
) -> None:
    """Who waits asks once, then blocks once, and never polls; also without a limit of time."""
    first, second = FileLock(path, 0), FileLock(path, lock_timeout_s)
    first.acquire()
    watched = Watched(monkeypatch)
    got = Event()

    def wait() -> None:
        with second:
            got.set()

    thread = Thread(target=wait)
    thread.start()
    assert watched.blocking.wait(LONG_S)
    assert not got.is_set()
    first.release()
    assert got.wait(LONG_S)
    thread.join(LONG_S)
    assert watched.calls == [False, True]


def test_who_does_not_wait(path: str) -> None:
    """However often somebody asks in vain: nobody is left who gets the lock later, and nothing open."""
    first, second = FileLock(path, 0), FileLock(path, 0)
    first.acquire()
    before = open_files()
    for _ in range(100):
        with pytest.raises(StoreLocked):
            second.acquire()
    assert "msgstore-lock" not in [thread.name for thread in threading.enumerate()]
    assert open_files() == before + 1
    first.release()
    with second:
        assert not is_free(path)


def test_an_abandoned_wait_leaves_nothing(path: str) -> None:
    """A lock that comes after its timeout is given back, with its open file and its thread."""
    first = FileLock(path, 0)
    first.acquire()
    before = open_files()
    for _ in range(5):
        with pytest.raises(StoreLocked):
            FileLock(path, 0.001).acquire()
    first.release()
    join_waiters()
    assert is_free(path)
    assert open_files() == before


def test_who_tries_again_goes_on_waiting(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it was in vain: one thread waits, with one open file, and keeps its place."""
    first, second = FileLock(path, 0), FileLock(path, 0.001)
    first.acquire()
    before, watched = open_files(), Watched(monkeypatch)
    for _ in range(20):
        with pytest.raises(StoreLocked):
            second.acquire()
    assert watched.calls.count(True) == 1
    assert [thread.name for thread in threading.enumerate()].count("msgstore-lock") == 1
    assert open_files() == before + 1
    second._lock_timeout_s = LONG_S
    watched.blocking.clear()
    thread = Thread(target=first.release)
    thread.start()
    with second:
        assert not is_free(path)
    thread.join(LONG_S)
    join_waiters()
    assert is_free(path)
    second.close()
    assert open_files() == before


def test_one_that_waits_shared_is_not_taken_up_for_another_lock(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader's waiter does not serve a writer."""
    first, second = FileLock(path, 0), FileLock(path, 0.001)
    first.acquire()
    with pytest.raises(StoreLocked):
        second.acquire(shared=True)
    second._lock_timeout_s = LONG_S
    waits, wait = Event(), FileLock._wait

    def told(lock: FileLock, fd: int, shared: bool) -> None:
        waits.set()
        wait(lock, fd, shared)

    monkeypatch.setattr(FileLock, "_wait", told)
    thread = Thread(target=lambda: waits.wait(LONG_S) and first.release())
    thread.start()
    with second, pytest.raises(StoreLocked):
        FileLock(path, 0).acquire(shared=True)
    thread.join(LONG_S)
    join_waiters()
    assert is_free(path)


@pytest.mark.parametrize("moment", range(12))
def test_an_interrupt_at_any_moment_of_a_wait(
    path: str, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Whatever was under way, the lock is free when its holder has released it, and can be had."""
    first, second = FileLock(path, 0), FileLock(path, LONG_S)
    first.acquire()
    calls = 0

    def interrupted(method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            nonlocal calls
            if threading.current_thread() is not threading.main_thread():
                return method(*arguments)
            calls += 1
            if calls == moment:
                raise KeyboardInterrupt
            result = method(*arguments)
            calls += 1
            if calls == moment:
                raise KeyboardInterrupt
            return result

        return call

    Thread(target=release_when_waited_for, args=(first, second)).start()
    with monkeypatch.context() as patch:
        for owner, name in [
            (lock_module._Waiter, "start"),
            (lock_module._Waiter, "give_up"),
            (lock_module._Waiter, "take_up"),
            (lock_module._Waiter, "check"),
            (Event, "wait"),
        ]:
            patch.setattr(owner, name, interrupted(getattr(owner, name)))
        try:
            second.acquire()
        except KeyboardInterrupt:
            second.release()
    second.release()
    first.release()
    join_waiters()
    assert is_free(path)
    with second:
        assert not is_free(path)


def release_when_waited_for(first: FileLock, second: FileLock) -> None:
    while second._late is None and second._fd is None:
        time.sleep(0)  # its turn to the other thread: nothing tells of the moment
    first.release()


def test_an_abandoned_wait_leaves_nothing_to_a_child(path: str) -> None:
    """A child forked while a wait is abandoned does not keep the lock that comes of it."""
    first = FileLock(path, 0)
    first.acquire()
    with pytest.raises(StoreLocked):
        FileLock(path, 0.001).acquire()
    with forked() as child:
        first.release()
        join_waiters()
        assert is_free(path)
        child.end()


def test_an_interrupted_wait_leaves_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the lock that comes too late is given back."""

    class Interrupted(Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None:
                return super().wait()
            raise KeyboardInterrupt

    first, second = FileLock(path, 0), FileLock(path, LONG_S)
    first.acquire()
    monkeypatch.setattr(lock_module, "Event", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        second.acquire()
    monkeypatch.undo()
    first.release()
    join_waiters()
    with second:
        assert not is_free(path)


@pytest.mark.parametrize("when", ["at once", "while waiting"])
def test_a_lock_that_fails(path: str, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """What the kernel refuses is raised as it was, and leaves no open file behind but its own."""
    second = FileLock(path, LONG_S)
    first = FileLock(path, 0)
    first.acquire()
    before = open_files()
    real: Callable[..., None] = fcntl.flock

    def refused(fd: int, flags: int) -> None:
        if flags & fcntl.LOCK_UN:
            return
        if when == "while waiting" and flags & fcntl.LOCK_NB:
            real(fd, flags)
        raise OSError(errno.ENOLCK, "no locks available")

    for module, name in FLOCKS:
        monkeypatch.setattr(module, name, refused)
    with pytest.raises(OSError, match="no locks available") as caught:
        second.acquire()
    assert caught.value.errno == errno.ENOLCK
    join_waiters()
    second.close()
    assert open_files() == before


# ---------------------------------------------------------------- threads and processes


def test_threads_take_turns(path: str, tmp_path: Path) -> None:
    """Threads with a lock object each never meet inside."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    threads = [Thread(target=count, args=(path, counter, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert counter.read_text() == "100"


def count(path: str, counter: Path, times: int) -> None:
    lock = FileLock(path, LONG_S)
    for _ in range(times):
        with lock:
            counter.write_text(str(int(counter.read_text()) + 1))
    lock.close()


COUNTING = """
import sys
from pathlib import Path
from msgstore.disk.lock import FileLock
lock = FileLock(sys.argv[1], 60)
counter = Path(sys.argv[2])
for _ in range(50):
    with lock:
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_processes_take_turns(path: str, tmp_path: Path) -> None:
    """Processes never meet inside."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNTING, path, str(counter)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(LONG_S) for process in processes] == [0, 0, 0]
    assert counter.read_text() == "150"


HOLDING = """
import sys
from msgstore.disk.lock import FileLock
FileLock(sys.argv[1], 60).acquire()
print("held", flush=True)
sys.stdin.read()
"""
WAITING = """
import sys
import portalocker
from msgstore.disk.lock import FileLock
real = portalocker.lock
def lock(fd, flags):
    if not flags & portalocker.LockFlags.NON_BLOCKING:
        print("blocking", flush=True)
    real(fd, flags)
portalocker.lock = lock
with FileLock(sys.argv[1], 60):
    print("got it", flush=True)
"""


class Process:
    """Another process: what it says, line by line. Killed at the end, whatever happens."""

    def __init__(self, code: str, path: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", code, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().strip()

    def kill(self) -> None:
        self._popen.send_signal(signal.SIGKILL)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.kill()
        self._popen.communicate()


def test_the_lock_of_a_killed_process_is_free(path: str) -> None:
    """Who is blocked gets the lock when its holder is killed; nothing has to be cleaned up."""
    with Process(HOLDING, path) as holder:
        assert holder.says() == "held"
        with Process(WAITING, path) as waiter:
            assert waiter.says() == "blocking"
            assert not is_free(path)
            holder.kill()
            assert waiter.says() == "got it"
            assert waiter.says() == ""
        assert is_free(path)


class Child:
    """A forked child that does nothing until it is told to end."""

    def __init__(self, pid: int, tell: int) -> None:
        self._pid = pid
        self._tell = tell

    def end(self) -> None:
        os.close(self._tell)
        assert os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]) == 0


@contextmanager
def forked() -> Iterator[Child]:
    listen, tell = os.pipe()
    ready, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(tell)
        os.write(say, b"!")
        os.read(listen, 1)
        os._exit(0)
    os.close(listen)
    assert os.read(ready, 1) == b"!"
    os.close(ready)
    os.close(say)
    try:
        yield Child(pid, tell)
    except BaseException:
        os.close(tell)
        os.waitpid(pid, 0)
        raise


def test_a_forked_child_never_unlocks(path: str) -> None:
    """The end of a child leaves its parent's lock held."""
    with FileLock(path, 0), forked() as child:
        child.end()
        assert not is_free(path)
    assert is_free(path)


def test_a_forked_child_keeps_no_lock(path: str) -> None:
    """When the parent unlocks or closes, no child holds on to the lock."""
    lock = FileLock(path, 0)
    lock.acquire()
    with forked() as child:
        lock.close()
        assert is_free(path)
        child.end()
