"""A disk seen through changes that are only in memory."""

from __future__ import annotations

from collections.abc import Iterator

from msgstore.disk.files import Disk


class OverlayDisk:
    """Takes every write into memory; what is below stays as it is.

    A reader that may not recover a store lays the journal over its files with this.
    """

    def __init__(self, below: Disk) -> None:
        self._below = below
        self._sizes: dict[str, int] = {}
        self._patches: dict[str, list[tuple[int, bytes]]] = {}
        self._shown: dict[str, int] = {}  # bytes of the file below that no truncate has cut off

    @property
    def root(self) -> str:
        return self._below.root

    def size(self, path: str) -> int:
        return self._sizes[path] if path in self._sizes else self._below.size(path)

    def read(self, path: str, offset: int, size: int) -> bytes:
        if path not in self._patches:
            return self._below.read(path, offset, size)
        end = min(offset + size, self._sizes[path])
        if end <= offset:
            return b""
        shown = min(end, self._shown[path]) - offset
        below = self._below.read(path, offset, shown) if shown > 0 else b""
        out = bytearray(below.ljust(end - offset, b"\0"))
        for start, data in self._overlapping(path, offset, end):
            lo, hi = max(start, offset), min(start + len(data), end)
            out[lo - offset : hi - offset] = data[lo - start : hi - start]
        return bytes(out)

    def _overlapping(self, path: str, offset: int, end: int) -> Iterator[tuple[int, bytes]]:
        for start, data in self._patches[path]:
            if start < end and start + len(data) > offset:
                yield start, data

    def write(self, path: str, offset: int, data: bytes) -> None:
        size = self._take_over(path)
        self._patches[path].append((offset, bytes(data)))
        self._sizes[path] = max(size, offset + len(data)) if data else size

    def truncate(self, path: str, size: int) -> None:
        self._take_over(path)
        self._patches[path] = [(s, d[: max(0, size - s)]) for s, d in self._patches[path]]
        self._shown[path] = min(self._shown[path], size)
        self._sizes[path] = size

    def _take_over(self, path: str) -> int:
        """From now on the file has changes here; makes it where there is none. Its size so far."""
        if path not in self._patches:
            self._patches[path] = []
            self._shown[path] = self._sizes[path] = max(0, self._below.size(path))
        return self._sizes[path]

    def sync(self, path: str) -> None: ...

    def sync_folder(self, path: str) -> None: ...

    def sync_all(self) -> bool:
        return True

    def replace(self, path: str, data: bytes) -> None:
        self.truncate(path, 0)
        self.write(path, 0, data)

    def make_folder(self, path: str) -> None: ...

    def list(self, path: str) -> list[str]:
        return self._below.list(path)

    def remove(self, path: str) -> None:
        raise PermissionError(1, "read-only", path)

    def move(self, path: str, new_path: str) -> None:
        raise PermissionError(1, "read-only", path)

    def identity(self, path: str) -> tuple[int, int] | None:
        return self._below.identity(path)

    def forget(self) -> None:
        self._below.forget()
