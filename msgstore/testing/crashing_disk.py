"""A disk in memory that crashes: for tests of what a store is after a kill or a power loss.

It keeps two versions of everything: what programs see, and what is on the disk. Between them stand
the *pieces* that were not synced: sectors of 512 bytes that were written, changes of a file's size,
and entries of folders that were made, removed or renamed. A power loss keeps of them what the
caller says, each on its own, in any combination; so writes are torn and overtake each other.

```python
disk = CrashingDisk()
… run a store over it …
disk.killed()                      # the process ended; the machine goes on
disk.power_loss(keep_nothing)      # the machine ended; nothing unsynced reached the disk
```

Both return another disk and leave this one alone; file contents are shared, not copied. It is
harsher than real file systems, which keep metadata in order: what stands here stands there.

Every operation that changes or syncs something is recorded in `log`. Reads change nothing and are
not; they can be refused like all others.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import NamedTuple

SECTOR_BYTES = 512
_ROOT = 1


class Killed(BaseException):
    """The process ended here, as by kill -9."""


class Operation(NamedTuple):
    """One call on the disk. `number` counts from 1; `offset` and `size` are in bytes."""

    number: int
    kind: str
    """`make_folder`, `create`, `write`, `truncate`, `sync`, `sync_folder`, `sync_all`, `rename`,
    `remove`; for a fault also `read`, `size`, `list` and `identity`, with the number of the next."""
    path: str
    offset: int
    size: int

    def __str__(self) -> str:
        place = f" {self.offset}+{self.size}" if self.kind in ("write", "truncate", "read") else ""
        return f"{self.number:4d} {self.kind} {self.path or '.'}{place}"


class Piece(NamedTuple):
    """Something that was not synced: `data` (a sector or a part of it), `size`, `truncate`, or of
    a folder `link`, `unlink`, `rename`. `path` is what the file was called then."""

    kind: str
    path: str
    offset: int
    size: int


Keep = Callable[[Piece], bool]
"""Which pieces reached the disk; asked about each once, in the order in which they were made."""


def keep_nothing(piece: Piece) -> bool:
    return False


def keep_all(piece: Piece) -> bool:
    return True


class Fault(NamedTuple):
    """How a call is refused. Of a write, `written` bytes are carried out before the error.

    After a failed sync the pages count as clean and yet are on the disk only as far as `keep` says:
    a second sync of them does nothing and succeeds, as on Linux.
    """

    code: int
    written: int = 0
    keep: Keep = keep_nothing


class _File(NamedTuple):
    """Never changed, only replaced, so that disks can share it."""

    live: bytes = b""
    durable: bytes = b""
    pending: tuple[tuple[str, int, bytes], ...] = ()

    def on_disk(self, path: str, keep: Keep) -> bytes:
        if not self.pending or keep is keep_nothing:
            return self.durable
        out, size = bytearray(self.durable), len(self.durable)
        for kind, at, data in self.pending:
            if not keep(Piece(kind, path, at, len(data))):
                continue
            if kind == "size":
                size = max(size, at)
            elif kind == "truncate":
                size = at
                del out[size:]
            else:
                out.extend(bytes(max(0, at - len(out))))
                out[at : at + len(data)] = data
        del out[size:]
        out.extend(bytes(size - len(out)))
        return bytes(out)

    def written(self, offset: int, data: bytes) -> _File:
        live, end = self.live, offset + len(data)
        # A size that a failed sync lost is set again, though programs see no change.
        grows = end > min(len(live), len(self.durable))
        pieces = [("size", end, b"")] if grows and data else []
        at = offset
        while at < end:
            stop = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
            pieces.append(("data", at, data[at - offset : stop - offset]))
            at = stop
        if data:
            live = b"".join((live[:offset].ljust(offset, b"\0"), data, live[end:]))
        return _File(live, self.durable, (*self.pending, *pieces))

    def cut(self, size: int) -> _File:
        live = self.live[:size].ljust(size, b"\0")
        return _File(live, self.durable, (*self.pending, ("truncate", size, b"")))


class _Entry(NamedTuple):
    """A change of a folder's entries. `folder` and `node` are inode numbers, 0 for none."""

    kind: str
    folder: int
    name: str
    node: int
    path: str
    old_name: str = ""
    old_folder: int = 0
    """Of a rename, where it is not `folder`."""

    def apply(self, links: dict[tuple[int, str], int]) -> None:
        if self.kind == "unlink":
            links.pop((self.folder, self.name), None)
            return
        links.pop((self.old_folder or self.folder, self.old_name), None)
        links[self.folder, self.name] = self.node


class CrashingDisk:
    """A `msgstore.disk.files.Disk`. For one thread at a time.

    `root` must exist on this machine, for a store asks what kind of file system it is on; nothing is
    written there. `watch` is called before each operation, with the bytes of a write. `fault` may
    refuse any call.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._files: dict[int, _File] = {}
        self._paths: dict[str, int] = {"": _ROOT}  # as programs see them, folders too
        self._links: dict[tuple[int, str], int] = {}  # as they are on the disk
        self._entries: tuple[_Entry, ...] = ()
        self._last_node = _ROOT
        self.boots = 0
        self._start_anew()

    def _start_anew(self) -> None:
        self.log: list[Operation] = []
        self.operations = 0
        self.watch: Callable[[Operation, bytes], None] | None = None
        self.fault: Callable[[Operation], Fault | None] | None = None
        self._left: int | None = None
        self._torn_bytes = 0

    # ------------------------------------------------------------ how it ends

    def kill_after(self, operations: int, torn_bytes: int = 0) -> None:
        """After so many more operations every call raises Killed.

        If the next one would have been a write, `torn_bytes` of it are carried out.
        """
        self._left, self._torn_bytes = operations, torn_bytes

    def killed(self) -> CrashingDisk:
        """The same machine after the process has ended: everything written is there."""
        return self._copy(dict(self._files), dict(self._paths), self._links, self._entries)

    def power_loss(self, keep: Keep) -> CrashingDisk:
        """The machine after its next boot: of what was not synced, what `keep` says."""
        paths, links = dict(self._paths), self._links
        if self._entries:
            links = dict(links)
            for entry in self._entries:
                if keep(Piece(entry.kind, entry.path, 0, 0)):
                    entry.apply(links)
            paths = _walk(links)
        files = {}
        for path, node in paths.items():
            if (file := self._files.get(node)) is not None:
                content = file.on_disk(path, keep)
                files[node] = _File(content, content)
        other = self._copy(files, paths, links, ())
        other.boots += 1
        return other

    def _copy(
        self,
        files: dict[int, _File],
        paths: dict[str, int],
        links: dict[tuple[int, str], int],
        entries: tuple[_Entry, ...],
    ) -> CrashingDisk:
        other = CrashingDisk(self._root)
        other._files, other._paths, other._links = files, paths, dict(links)
        other._entries, other._last_node, other.boots = entries, self._last_node, self.boots
        return other

    # ------------------------------------------------------------ what is on it

    def content(self) -> dict[str, bytes]:
        """Every file by its path, as programs see it."""
        return {
            path: self._files[node].live
            for path, node in self._paths.items()
            if node in self._files
        }

    def state(self) -> tuple[object, ...]:
        """Equal for disks that cannot be told apart by anything, a power loss included."""
        links = frozenset(self._links.items()) if self._entries else None
        files = [(path, self._files.get(node)) for path, node in sorted(self._paths.items())]
        return (*files, links, self._entries)

    # ------------------------------------------------------------ the Disk protocol

    @property
    def root(self) -> str:
        return self._root

    def size(self, path: str) -> int:
        self._look("size", path)
        node = self._paths.get(path)
        return len(self._files[node].live) if node in self._files else -1

    def read(self, path: str, offset: int, size: int) -> bytes:
        self._look("read", path, offset, size)
        return self._file(path).live[offset : offset + size]

    def write(self, path: str, offset: int, data: bytes) -> None:
        data = bytes(data)
        if path not in self._paths:
            self._create(path)
        node = self._paths[path]
        if self._left == 0 and self._torn_bytes:
            self._files[node] = self._files[node].written(offset, data[: self._torn_bytes])
        fault = self._operate("write", path, offset, len(data), data)
        if fault is None:
            self._files[node] = self._files[node].written(offset, data)
            return
        self._files[node] = self._files[node].written(offset, data[: fault.written])
        raise _refusal(fault, path)

    def truncate(self, path: str, size: int) -> None:
        if path not in self._paths:
            self._create(path)
        self._operate_or_refuse("truncate", path, 0, size)
        node = self._paths[path]
        self._files[node] = self._files[node].cut(size)

    def sync(self, path: str) -> None:
        if path not in self._paths:
            self._create(path)
        fault = self._operate("sync", path)
        self._flush(self._paths[path], path, keep_all if fault is None else fault.keep)
        if fault is not None:
            raise _refusal(fault, path)

    def sync_folder(self, path: str) -> None:
        if path not in self._paths:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        self._operate_or_refuse("sync_folder", path)
        folder = self._paths[path]
        for entry in self._entries:
            if entry.folder == folder:
                entry.apply(self._links)
        self._entries = tuple(entry for entry in self._entries if entry.folder != folder)

    def sync_all(self) -> bool:
        fault = self._operate("sync_all", "")
        for path, node in self._paths.items():
            if node in self._files:
                self._flush(node, path, keep_all if fault is None else fault.keep)
        if fault is not None:
            raise _refusal(fault, "")
        for entry in self._entries:
            entry.apply(self._links)
        self._entries = ()
        return True

    def replace(self, path: str, data: bytes) -> None:
        """In the steps of RealDisk: temporary file, sync, rename, sync of the folder."""
        temporary = f"{path}.new"
        self.remove(temporary)
        self.write(temporary, 0, data)
        self.sync(temporary)
        self._operate_or_refuse("rename", path)
        node = self._paths[path] = self._paths.pop(temporary)
        folder, _, name = path.rpartition("/")
        entry = _Entry("rename", self._paths[folder], name, node, path, f"{name}.new")
        self._entries = (*self._entries, entry)
        self.sync_folder(folder)

    def make_folder(self, path: str) -> None:
        if path not in self._paths:
            self._operate_or_refuse("make_folder", path)
            self._link(path)

    def list(self, path: str) -> list[str]:
        self._look("list", path)
        prefix = f"{path}/" if path else ""
        return sorted(
            rest
            for name in self._paths
            if name and name.startswith(prefix) and "/" not in (rest := name[len(prefix) :])
        )

    def remove(self, path: str) -> None:
        """Durable only once the folder it was in is synced."""
        if path not in self._paths:
            return
        for name in self.list(path):
            self.remove(f"{path}/{name}")
        self._operate_or_refuse("remove", path)
        folder, _, name = path.rpartition("/")
        del self._paths[path]
        entry = _Entry("unlink", self._paths[folder], name, 0, path)
        self._entries = (*self._entries, entry)

    def move(self, path: str, new_path: str) -> None:
        """Atomic; durable once the folder it went into is synced."""
        node = self._paths.get(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if new_path in self._paths:
            raise FileExistsError(errno.EEXIST, "File exists", new_path)
        self._make_folders_of(new_path)
        self._operate_or_refuse("rename", new_path)
        (old_folder, _, old_name), (folder, _, name) = (
            one.rpartition("/") for one in (path, new_path)
        )
        entry = _Entry("rename", self._paths[folder], name, node, new_path, old_name)
        self._entries = (*self._entries, entry._replace(old_folder=self._paths[old_folder]))
        for old in [n for n in self._paths if n == path or n.startswith(f"{path}/")]:
            self._paths[new_path + old[len(path) :]] = self._paths.pop(old)

    def identity(self, path: str) -> tuple[int, int] | None:
        """The device is another after each boot, as device numbers may be."""
        self._look("identity", path)
        node = self._paths.get(path)
        return None if node is None else (self.boots, node)

    def forget(self) -> None: ...

    # ------------------------------------------------------------ steps

    def _look(self, kind: str, path: str, offset: int = 0, size: int = 0) -> None:
        """Before a call that changes nothing."""
        if self._left is not None and self._left < 0:
            raise Killed
        if self.fault is not None:
            fault = self.fault(Operation(self.operations + 1, kind, path, offset, size))
            if fault is not None:
                raise _refusal(fault, path)

    def _operate(
        self, kind: str, path: str, offset: int = 0, size: int = 0, data: bytes = b""
    ) -> Fault | None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Killed
        operation = Operation(self.operations + 1, kind, path, offset, size)
        if self.watch is not None:
            self.watch(operation, data)
        self.operations += 1
        self.log.append(operation)
        return None if self.fault is None else self.fault(operation)

    def _operate_or_refuse(self, kind: str, path: str, offset: int = 0, size: int = 0) -> None:
        fault = self._operate(kind, path, offset, size)
        if fault is not None:
            raise _refusal(fault, path)

    def _file(self, path: str) -> _File:
        file = self._files.get(self._paths.get(path, 0))
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return file

    def _flush(self, node: int, path: str, keep: Keep) -> None:
        file = self._files[node]
        if file.pending:
            self._files[node] = _File(file.live, file.on_disk(path, keep))

    def _create(self, path: str) -> None:
        self._make_folders_of(path)
        self._operate_or_refuse("create", path)
        self._files[self._link(path)] = _File()

    def _make_folders_of(self, path: str) -> None:
        parts = path.split("/")[:-1]
        for depth in range(len(parts)):
            self.make_folder("/".join(parts[: depth + 1]))

    def _link(self, path: str) -> int:
        folder, _, name = path.rpartition("/")
        self._last_node += 1
        node = self._paths[path] = self._last_node
        entry = _Entry("link", self._paths[folder], name, node, path)
        self._entries = (*self._entries, entry)
        return node


def _walk(links: dict[tuple[int, str], int]) -> dict[str, int]:
    """Every path that can be reached from the root."""
    within: dict[int, list[tuple[str, int]]] = {}
    for (folder, name), node in links.items():
        within.setdefault(folder, []).append((name, node))
    paths = {"": _ROOT}
    ahead = [("", _ROOT)]
    while ahead:
        above, folder = ahead.pop()
        for name, node in within.get(folder, ()):
            path = f"{above}/{name}" if above else name
            paths[path] = node
            ahead.append((path, node))
    return paths


def _refusal(fault: Fault, path: str) -> OSError:
    return OSError(fault.code, os.strerror(fault.code), path)


class CrashingLock:
    """Stands in for the flock on a CrashingDisk: one process at a time has the floor anyway."""

    def __init__(self, disk: CrashingDisk, path: str) -> None:
        self._disk = disk
        self._path = path

    def acquire(self, *, shared: bool = False) -> None:
        """Makes the file where there is none, as a writer's flock does."""
        if not shared and self._disk.size(self._path) < 0:
            self._disk.write(self._path, 0, b"")

    def release(self) -> None: ...

    def close(self) -> None: ...
