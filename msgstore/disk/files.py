"""Files of one store, by their path inside it. Nothing else in msgstore calls the operating system
for a store's files, so that a test can put another Disk in its place.

Offsets and sizes are in bytes. What the operating system refuses is raised as OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Protocol
from weakref import WeakSet

from msgstore.disk.handles import TOO_MANY_OPEN, Handle, Handles, handles_max, keeps_folders
from msgstore.disk.opening import (
    FOLDER_MODE,
    Owner,
    make_folder,
    open_folder,
    open_plain,
    open_plain_in,
    owner_to_keep,
    remove_at,
)

_NOTHING = -1
# A read of more than this is cut to what the file holds before room is made for it: the size may
# come from a file that lies.
_TRUSTED_READ_BYTES = 1024 * 1024
_OFFSET_MAX = 2**62


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


class RealDisk:
    """A Disk over a folder. May be used from several threads."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._prefix = os.path.join(root, "")
        self._handles = Handles()
        self._folders: dict[str, Handle] = {}  # `streams`, `quarantine`; and see `keeps_folders`
        self._lock = Lock()
        self._has_written = False
        self._owner: list[Owner | None] = []  # filled when something is made for the first time
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
        try:
            return self._read(path, offset, size)
        except OSError as error:  # of an open file, whose name the system leaves out
            error.filename = error.filename or self._prefix + path
            raise

    def _read(self, path: str, offset: int, size: int) -> bytes:
        file = self._open(path)
        if size > _TRUSTED_READ_BYTES or offset > _OFFSET_MAX:
            size = min(size, os.lseek(file.fd, 0, os.SEEK_END) - offset)
            if size <= 0:
                return b""
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
        fd = self._open_folder(path) if path else _open_named(self._root)
        _sync_and_close(fd)

    def sync_all(self) -> bool:
        if not sys.platform.startswith("linux"):
            return False
        import ctypes

        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            return False
        fd = _open_named(self._root)
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
        with self._at(path) as (name, folder):
            os.replace(f"{name}.new", name, src_dir_fd=folder, dst_dir_fd=folder)
        self._drop(path)
        self.sync_folder(os.path.dirname(path))

    def make_folder(self, path: str) -> None:
        if not path:
            self._make_root()
            return
        with self._at(path) as (name, folder):
            make_folder(name, folder, owner=self._owner_of_new())

    def _make_root(self) -> None:
        if os.path.isdir(self._root):
            return
        os.makedirs(self._root, FOLDER_MODE, exist_ok=True)
        _sync_and_close(_open_named(os.path.dirname(self._root)))

    def list(self, path: str) -> list[str]:
        try:
            fd = self._open_folder(path) if path else _open_named(self._root)
        except FileNotFoundError:
            return []
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def remove(self, path: str) -> None:
        self._drop(path)
        with suppress(FileNotFoundError), self._at(path) as (name, folder):
            try:
                os.unlink(name, dir_fd=folder)
            except (IsADirectoryError, PermissionError):  # macOS: EPERM for a folder
                self._drop_below(path)
                remove_at(name, folder)

    def move(self, path: str, new_path: str) -> None:
        self._make_folders(os.path.dirname(new_path))
        if self.identity(new_path) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_path)
        with self._at(path) as (name, folder), self._at(new_path) as (new_name, new_folder):
            os.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder)
        self._drop_below(path)

    def identity(self, path: str) -> tuple[int, int] | None:
        try:
            with self._at(path) as (name, folder):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def forget(self) -> None:
        with self._lock:
            self._handles.clear()
            self._folders.clear()

    def _drop(self, path: str) -> None:
        with self._lock:
            self._handles.pop(path, None)

    def _drop_below(self, path: str) -> None:
        """Lets go of a file, or of all in a folder."""
        with self._lock:
            if self._handles.pop(path, None) is not None:
                return
            caches: tuple[dict[str, Handle], ...] = (self._handles, self._folders)
            for cache in caches:
                for name in [n for n in cache if n == path or n.startswith(path + "/")]:
                    del cache[name]

    def _open(self, path: str, writable: bool = False) -> Handle:
        """The open file: taken from the cache without a lock, for a look-up is one step."""
        handle = self._handles.get(path)
        if handle is not None and (handle.writable or not writable):
            return handle
        with self._lock:
            try:
                handle = self._open_anew(path, writable)
            except OSError as error:
                if error.errno not in TOO_MANY_OPEN or len(self._handles) < 2:
                    raise
                self._handles.keep(len(self._handles) // 2)
                handle = self._open_anew(path, writable)
            self._handles.add(path, handle, handles_max(len(self._handles) + 1))
            return handle

    def _open_anew(self, path: str, writable: bool) -> Handle:
        # Who writes will write to what it reads: one open file then serves for both.
        handle = self._open_for_both(path) if self._has_written and not writable else None
        return handle or Handle(self._open_file(path, writable), writable)

    def _open_for_both(self, path: str) -> Handle | None:
        try:
            return Handle(self._open_plain(path, os.O_RDWR), True)
        except FileNotFoundError:
            raise
        except OSError:  # a read-only disk, say; whether it can be read the next call tells
            return None

    def _open_file(self, path: str, writable: bool) -> int:
        if not writable:
            return self._open_plain(path, os.O_RDONLY)
        self._has_written = True
        try:
            return self._open_plain(path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            folder = os.path.dirname(path)
            if not folder:
                raise
            self._make_folders(folder)
            return self._open_plain(path, os.O_RDWR | os.O_CREAT)

    def _make_folders(self, path: str) -> None:
        parts = path.split("/") if path else []
        for depth in range(len(parts)):
            self.make_folder("/".join(parts[: depth + 1]))

    def _open_plain(self, path: str, flags: int) -> int:
        parent, _, name = path.rpartition("/")
        owner = self._owner_of_new() if flags & os.O_CREAT else None
        if parent.count("/") == 1:
            try:
                if keeps_folders():
                    above = self._kept_folder(parent)
                    return open_plain(name, flags, above.fd, owner=owner)
                if not flags & os.O_CREAT:
                    top, _, folder = parent.partition("/")
                    return open_plain_in(folder, name, flags, self._top_folder(top).fd)
            except FileNotFoundError as error:
                error.filename = self._prefix + path
                raise
            except OSError:
                pass  # what is wrong, and where, is found out below
        with self._at(path) as (name, above_fd):
            return open_plain(name, flags, above_fd, owner=owner)

    def _kept_folder(self, path: str) -> Handle:
        """A folder in a folder, opened once: there are at most 256 of them."""
        handle = self._folders.get(path)
        if handle is None:
            handle = self._folders[path] = Handle(self._open_folder(path), False)
        return handle

    def _owner_of_new(self) -> Owner | None:
        if not self._owner:
            self._owner.append(owner_to_keep(self._root))
        return self._owner[0]

    @contextmanager
    def _at(self, path: str) -> Iterator[tuple[str, int | None]]:
        """What to call `path`, and the open folder it is in; None for what stands at the top.

        The store's own folder may be a link: the user has named it. Every folder in it is opened
        from the one above, so that no link is followed, not even one that is put there meanwhile.
        """
        parent, _, name = path.rpartition("/")
        if not parent:
            yield self._prefix + name, None
            return
        top, _, below = parent.partition("/")
        above = self._top_folder(top)
        if not below:
            with _named(self._prefix + path):
                yield name, above.fd
            return
        with _named(self._prefix + parent):
            folder = _open_below(above.fd, below)
        try:
            with _named(self._prefix + path):
                yield name, folder
        finally:
            os.close(folder)

    def _top_folder(self, name: str) -> Handle:
        """Stays open: nearly every segment is another file of another folder in `streams`."""
        handle = self._folders.get(name)
        if handle is None:
            handle = self._folders[name] = Handle(open_folder(self._prefix + name), False)
        return handle

    def _open_folder(self, path: str) -> int:
        with self._at(path) as (name, above):
            return open_folder(name, above)


def _open_below(above: int, path: str) -> int:
    """The last folder of a path, each opened from the one before it."""
    name, _, below = path.partition("/")
    folder = open_folder(name, above)
    if not below:
        return folder
    try:
        return _open_below(folder, below)
    finally:
        os.close(folder)


def _open_named(folder: str) -> int:
    """A folder that the user named: links on the way to it are the user's."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """An error of the system knows the name in its folder only; people need all of it."""
    try:
        yield
    except OSError as error:
        _name_in(error, path)
        raise


def _name_in(error: OSError, path: str) -> None:
    if error.filename is not None:
        error.filename = path


def _sync_and_close(fd: int) -> None:
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
