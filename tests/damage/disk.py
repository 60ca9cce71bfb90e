"""A disk in memory that is copied in no time, and tells which bytes somebody looked at."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from msgstore.engine.journal import _SCAN_BYTES
from msgstore.format.names import JOURNAL

Files = dict[str, bytes]
"""Every file by its path. Contents are never changed, only replaced."""


@dataclass
class Trace:
    """What was looked at: stretches of bytes by path, sizes of files, and names in folders."""

    stretches: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    sizes: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    compared: list[tuple[str, str, int, bool]] = field(default_factory=list)
    """Of sizes that were only compared: path, operator, with what, and whether it held."""

    def saw(self, path: str, start: int, end: int) -> None:
        self.stretches.setdefault(path, []).append((start, end))

    def touches(self, path: str, first: int, last: int) -> bool:
        """Whether any byte from `first` to `last` was looked at."""
        return any(s <= last and first < e for s, e in self.stretches.get(path, ()))

    def depends_on_size(self, path: str, size: int) -> bool:
        """Whether a file of that size (-1: none) might have made a difference."""
        return path in self.sizes or any(
            getattr(int, name)(size, other) is not held
            for compared, name, other, held in self.compared
            if compared == path
        )

    def settle(self) -> Trace:
        """The same with stretches that overlap made one."""
        for path, stretches in self.stretches.items():
            merged: list[tuple[int, int]] = []
            for start, end in sorted(stretches):
                if merged and start <= merged[-1][1]:
                    merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
                else:
                    merged.append((start, end))
            self.stretches[path] = merged
        return self


class Window:
    """Stands for the bytes of one read that are only searched for a mark, and sliced where it is.

    What a search finds depends on the marks that are there, and on the places that one bit keeps
    from being one. Anything else that is done to it raises.
    """

    def __init__(self, data: bytes, path: str, offset: int, trace: Trace) -> None:
        self._data, self._path, self._offset, self._trace = data, path, offset, trace

    def find(self, mark: bytes, start: int = 0) -> int:
        for at in range(8 * len(mark)):
            near = bytearray(mark)
            near[at // 8] ^= 1 << at % 8
            self._saw_all(bytes(near))
        self._saw_all(mark)
        return self._data.find(mark, start)

    def _saw_all(self, mark: bytes) -> None:
        at = self._data.find(mark)
        while at >= 0:
            self._trace.saw(self._path, self._offset + at, self._offset + at + len(mark))
            at = self._data.find(mark, at + 1)

    def __getitem__(self, part: slice) -> bytes:
        start, end, _ = part.indices(len(self._data))
        self._trace.saw(self._path, self._offset + start, self._offset + end)
        return self._data[part]


class Size(int):
    """A size that is only compared; anything else that is done to it counts as having looked at it."""

    def __new__(cls, size: int, path: str, trace: Trace) -> Size:
        self = int.__new__(cls, size)
        self._path, self._trace = path, trace
        return self

    def _compared(self, name: str, other: int) -> bool:
        holds = bool(getattr(int, name)(self, other))
        self._trace.compared.append((self._path, name, int(other), holds))
        return holds

    def __lt__(self, other: int) -> bool:
        return self._compared("__lt__", other)

    def __le__(self, other: int) -> bool:
        return self._compared("__le__", other)

    def __gt__(self, other: int) -> bool:
        return self._compared("__gt__", other)

    def __ge__(self, other: int) -> bool:
        return self._compared("__ge__", other)

    def _look(self, name: str, *others: int) -> Any:
        self._trace.sizes.add(self._path)
        return getattr(int, name)(int(self), *others)

    def __add__(self, other: int) -> int:
        return int(self._look("__add__", other))

    __radd__ = __add__

    def __sub__(self, other: int) -> int:
        return int(self._look("__sub__", other))

    def __mul__(self, other: int) -> int:
        return int(self._look("__mul__", other))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        self._trace.sizes.add(self._path)
        return int(self) == other

    def __hash__(self) -> int:
        return int(self)


class MemoryDisk:
    """A `msgstore.disk.files.Disk` without power losses. The inode of a file is its name."""

    root = "/"

    def __init__(self, files: Files, boot: int = 0) -> None:
        self.files = dict(files)
        self.boot = boot
        self.trace: Trace | None = None

    def size(self, path: str) -> int:
        found = self.files.get(path)
        size = -1 if found is None else len(found)
        if self.trace is None:
            return size
        if path == JOURNAL:
            return Size(size, path, self.trace)
        self.trace.sizes.add(path)
        return size

    def read(self, path: str, offset: int, size: int) -> Any:
        found = self._file(path)
        data = found[offset : offset + size]
        if self.trace is not None:
            assert not isinstance(size, Size)
            if size == _SCAN_BYTES:
                # Recovery's look at every sector of the journal.
                return Window(data, path, offset, self.trace)
            # Who gets less than was asked for has learned where the file ends.
            self.trace.saw(path, offset, offset + size)
        return data

    def write(self, path: str, offset: int, data: bytes) -> None:
        old = self.files.get(path, b"")
        end = offset + len(data)
        if old[offset:end] == data and path in self.files:
            return
        self.files[path] = b"".join((old[:offset].ljust(offset, b"\0"), data, old[end:]))

    def truncate(self, path: str, size: int) -> None:
        self.files[path] = self.files.get(path, b"")[:size].ljust(size, b"\0")

    def sync(self, path: str) -> None: ...

    def sync_folder(self, path: str) -> None: ...

    def sync_all(self) -> bool:
        return True

    def replace(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def make_folder(self, path: str) -> None: ...

    def list(self, path: str) -> list[str]:
        if self.trace is not None:
            self.trace.folders.add(path)
        prefix = f"{path}/" if path else ""
        at = len(prefix)
        return sorted({p[at:].split("/")[0] for p in self.files if p.startswith(prefix)})

    def remove(self, path: str) -> None:
        for name in [p for p in self.files if p == path or p.startswith(f"{path}/")]:
            del self.files[name]

    def move(self, path: str, new_path: str) -> None:
        for name in [p for p in self.files if p == path or p.startswith(f"{path}/")]:
            self.files[new_path + name[len(path) :]] = self.files.pop(name)

    def identity(self, path: str) -> tuple[int, int] | None:
        return (self.boot, crc32(path.encode())) if path in self.files else None

    def forget(self) -> None: ...

    def _file(self, path: str) -> bytes:
        found = self.files.get(path)
        if found is None:
            if self.trace is not None:
                self.trace.sizes.add(path)
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return found
