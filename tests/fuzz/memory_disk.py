"""A disk in memory for whole stores of forged bytes; a path that leads out of the store is a bug."""

from __future__ import annotations

import errno
from zlib import crc32

_FILE_BYTES_MAX = 64 * 1024 * 1024


class LeavesTheStore(AssertionError):
    """A path was used that could name something outside of the store."""


class MemoryDisk:
    """A Disk over a dict of files. Folders are there when they are asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)

    @property
    def root(self) -> str:
        return "/store"

    def size(self, path: str) -> int:
        return len(self.files[_checked(path)]) if path in self.files else -1

    def read(self, path: str, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert size >= 0
        return self._file(path)[offset : offset + size]

    def write(self, path: str, offset: int, data: bytes) -> None:
        old = self.files.get(_checked(path), b"")
        if offset + len(data) > _FILE_BYTES_MAX:
            raise OSError(errno.EFBIG, "too large", path)
        if data:
            self.files[path] = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]
        else:
            self.files[path] = old

    def truncate(self, path: str, size: int) -> None:
        self.files[path] = self._file(path)[:size].ljust(size, b"\0")

    def sync(self, path: str) -> None:
        _checked(path)

    def sync_folder(self, path: str) -> None:
        _checked(path or "x")

    def sync_all(self) -> bool:
        return True

    def replace(self, path: str, data: bytes) -> None:
        self.files[_checked(path)] = bytes(data)

    def make_folder(self, path: str) -> None:
        _checked(path or "x")

    def list(self, path: str) -> list[str]:
        start = f"{_checked(path)}/" if path else ""
        return sorted({f[len(start) :].split("/")[0] for f in self.files if f.startswith(start)})

    def remove(self, path: str) -> None:
        _checked(path)
        for name in [f for f in self.files if f == path or f.startswith(f"{path}/")]:
            del self.files[name]

    def move(self, path: str, new_path: str) -> None:
        if self.identity(new_path) is not None:
            raise FileExistsError(errno.EEXIST, "File exists", new_path)
        if self.identity(path) is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        for name in [f for f in self.files if f == path or f.startswith(f"{path}/")]:
            self.files[new_path + name[len(path) :]] = self.files.pop(name)

    def identity(self, path: str) -> tuple[int, int] | None:
        """The same for one path in all runs, so that a hint is believed."""
        stands = not path or any(
            f == _checked(path) or f.startswith(f"{path}/") for f in self.files
        )
        return (1, crc32(path.encode())) if stands else None

    def forget(self) -> None: ...

    def _file(self, path: str) -> bytes:
        if _checked(path) not in self.files:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return self.files[path]


def _checked(path: str) -> str:
    if not isinstance(path, str) or {"", ".", ".."} & set(path.split("/")) or "\0" in path:
        raise LeavesTheStore(repr(path))
    return path
