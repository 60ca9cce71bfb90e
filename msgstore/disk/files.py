"""Files of one store, by their path inside it. Nothing else in msgstore calls the operating system
for a store's files, so that a test can put another Disk in its place.

Offsets and sizes are in bytes. What the operating system refuses is raised as OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from threading import Lock
from typing import Protocol
from weakref import WeakSet

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_HANDLES_MAX = 96
_BASE_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_NOTHING = -1


class Disk(Protocol):
    """What the engine asks of a disk. Paths are relative to the store, with `/` between folders."""

    @property
    def root(self) -> str:
        """Where the store is, for messages to people."""
        ...

    def size(self, path: str) -> int:
        """The file's size, or -1 where there is no such file."""
        ...

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end of the file."""
        ...

    def write(self, path: str, offset: int, data: bytes) -> None:
        """Writes all of `data`; makes the file, and its folder, where there is none."""
        ...

    def truncate(self, path: str, size: int) -> None: ...

    def sync(self, path: str) -> None:
        """On return the file's bytes and size are on the disk."""
        ...

    def sync_folder(self, path: str) -> None:
        """On return the folder's entries are on the disk; `""` is the store itself."""
        ...

    def sync_all(self) -> bool:
        """On return all of the file system is on the disk; False where there is no such call."""
        ...

    def replace(self, path: str, data: bytes) -> None:
        """Puts a whole file in place, atomically and durably."""
        ...

    def make_folder(self, path: str) -> None:
        """Makes one folder if it is not there; `""` is the store itself, with its parents."""
        ...

    def list(self, path: str) -> list[str]:
        """The names in a folder, sorted; nothing where there is no such folder."""
        ...

    def remove(self, path: str) -> None:
        """Removes a file or a folder with all that is in it; no error where there is none."""
        ...

    def move(self, path: str, new_path: str) -> None:
        """Gives a file or a folder another name, atomically; makes the folder that it goes into.

        What stands at `new_path` must be nothing. Durable once both folders are synced.
        """
        ...

    def identity(self, path: str) -> tuple[int, int] | None:
        """Device and inode of what stands at `path` now, or None."""
        ...

    def forget(self) -> None:
        """Gives back every open file; the next call opens anew."""
        ...


class _Handle:
    """An open file, closed when the last one who uses it lets go.

    Whoever makes a call on `fd` keeps the handle in a variable of its own meanwhile: another thread
    may take it out of the cache at any time.
    """

    __slots__ = ("fd", "was_used", "writable")

    def __init__(self, fd: int, writable: bool) -> None:
        self.fd = fd
        self.writable = writable
        self.was_used = False

    def __del__(self) -> None:
        os.close(self.fd)


class RealDisk:
    """A Disk over a folder. May be used from several threads."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._prefix = os.path.join(root, "")
        self._handles: dict[str, _Handle] = {}
        self._lock = Lock()
        self._has_written = False
        _all_disks.add(self)

    @property
    def root(self) -> str:
        return self._root

    def size(self, path: str) -> int:
        """By seeking: on Linux an fstat here would make the next fdatasync half as slow again."""
        try:
            file = self._open(path)
            return os.lseek(file.fd, 0, os.SEEK_END)
        except FileNotFoundError:
            return _NOTHING

    def read(self, path: str, offset: int, size: int) -> bytes:
        file = self._open(path)
        data = os.pread(file.fd, size, offset)
        if len(data) == size or not data:
            return data
        parts = [data]
        missing = size - len(data)
        while missing and (part := os.pread(file.fd, missing, offset + size - missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def write(self, path: str, offset: int, data: bytes) -> None:
        file = self._open(path, writable=True)
        written = os.pwrite(file.fd, data, offset)
        while written < len(data):
            written += os.pwrite(file.fd, memoryview(data)[written:], offset + written)

    def truncate(self, path: str, size: int) -> None:
        file = self._open(path, writable=True)
        os.ftruncate(file.fd, size)

    def sync(self, path: str) -> None:
        file = self._open(path, writable=True)
        _sync_data(file.fd)

    def sync_folder(self, path: str) -> None:
        self._sync_folder_at(self._prefix + path)

    def _sync_folder_at(self, full: str) -> None:
        fd = os.open(full, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_all(self) -> bool:
        if not sys.platform.startswith("linux"):
            return False
        import ctypes

        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            return False
        fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if syncfs(fd) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), self._root)
        finally:
            os.close(fd)
        return True

    def replace(self, path: str, data: bytes) -> None:
        temporary = f"{path}.new"
        self.remove(temporary)
        self.write(temporary, 0, data)
        self.sync(temporary)
        self._drop(temporary)
        os.replace(self._prefix + temporary, self._prefix + path)
        self._drop(path)
        self.sync_folder(os.path.dirname(path))

    def make_folder(self, path: str) -> None:
        if not path:
            self._make_root()
            return
        try:
            os.mkdir(self._prefix + path, FOLDER_MODE)
        except FileExistsError:
            if os.path.islink(self._prefix + path):
                raise

    def _make_root(self) -> None:
        if os.path.isdir(self._root):
            return
        os.makedirs(self._root, FOLDER_MODE, exist_ok=True)
        self._sync_folder_at(os.path.dirname(self._root))

    def list(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._prefix + path))
        except FileNotFoundError:
            return []

    def remove(self, path: str) -> None:
        full = self._prefix + path
        self._drop_below(path)
        if os.path.isdir(full) and not os.path.islink(full):
            for name in os.listdir(full):
                self.remove(f"{path}/{name}")
            os.rmdir(full)
        elif os.path.lexists(full):
            os.unlink(full)

    def move(self, path: str, new_path: str) -> None:
        if os.path.lexists(self._prefix + new_path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_path)
        self._make_folders(os.path.dirname(new_path))
        os.rename(self._prefix + path, self._prefix + new_path)
        self._drop_below(path)

    def identity(self, path: str) -> tuple[int, int] | None:
        try:
            status = os.stat(self._prefix + path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def forget(self) -> None:
        with self._lock:
            self._handles.clear()

    def _drop(self, path: str) -> None:
        with self._lock:
            self._handles.pop(path, None)

    def _drop_below(self, path: str) -> None:
        """Lets go of a file, or of all in a folder."""
        with self._lock:
            for name in [n for n in self._handles if n == path or n.startswith(path + "/")]:
                del self._handles[name]

    def _open(self, path: str, writable: bool = False) -> _Handle:
        """The open file: taken from the cache without a lock, for a look-up is one step."""
        handle = self._handles.get(path)
        if handle is not None and (handle.writable or not writable):
            handle.was_used = True
            return handle
        with self._lock:
            # Who writes will write to what it reads: one open file then serves for both.
            handle = self._open_for_both(path) if self._has_written and not writable else None
            handle = handle or _Handle(self._open_file(path, writable), writable)
            self._handles[path] = handle
            self._evict()
            return handle

    def _evict(self) -> None:
        """The clock algorithm: the oldest that nobody used since the hand last came by."""
        while len(self._handles) > _HANDLES_MAX:
            path, handle = next(iter(self._handles.items()))
            del self._handles[path]
            if handle.was_used:
                handle.was_used = False
                self._handles[path] = handle

    def _open_for_both(self, path: str) -> _Handle | None:
        try:
            return _Handle(os.open(self._prefix + path, os.O_RDWR | _BASE_FLAGS), True)
        except FileNotFoundError:
            raise
        except OSError:  # a read-only disk, say; whether it can be read the next call tells
            return None

    def _open_file(self, path: str, writable: bool) -> int:
        full = self._prefix + path
        if not writable:
            return os.open(full, os.O_RDONLY | _BASE_FLAGS)
        self._has_written = True
        flags = os.O_RDWR | os.O_CREAT | _BASE_FLAGS
        try:
            return os.open(full, flags, FILE_MODE)
        except FileNotFoundError:
            folder = os.path.dirname(path)
            if not folder:
                raise
            self._make_folders(folder)
            return os.open(full, flags, FILE_MODE)

    def _make_folders(self, path: str) -> None:
        parts = path.split("/") if path else []
        for depth in range(len(parts)):
            self.make_folder("/".join(parts[: depth + 1]))


def _sync_data(fd: int) -> None:
    """macOS: only F_FULLFSYNC makes the drive empty its own cache."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


_all_disks: WeakSet[RealDisk] = WeakSet()


def _forget_in_child() -> None:
    """A child closes what it inherited and never unlocks: the locks are its parent's."""
    for disk in list(_all_disks):
        disk._lock = Lock()
        disk.forget()


os.register_at_fork(after_in_child=_forget_in_child)
