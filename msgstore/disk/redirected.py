"""A disk on which some files are read from where their successors stand."""

from __future__ import annotations

from collections.abc import Mapping

from msgstore.disk.files import Disk


class RedirectedDisk:
    """Shows a store as it will be once whole files are put in place. Only for reading.

    `elsewhere` names for a path where its new file stands, or None where there will be nothing.
    A new file that is gone has been put in place meanwhile: then the path itself is read.
    """

    def __init__(self, below: Disk, elsewhere: Mapping[str, str | None]) -> None:
        self._below = below
        self._elsewhere = elsewhere

    @property
    def root(self) -> str:
        return self._below.root

    def size(self, path: str) -> int:
        return -1 if self._is_hidden(path) else self._below.size(self._place(path))

    def read(self, path: str, offset: int, size: int) -> bytes:
        if self._is_hidden(path):
            raise FileNotFoundError(2, "No such file or directory", path)
        return self._below.read(self._place(path), offset, size)

    def list(self, path: str) -> list[str]:
        prefix = f"{path}/" if path else ""
        names = {name for name in self._below.list(path) if not self._is_hidden(prefix + name)}
        for known, place in self._elsewhere.items():
            if place is not None and known.startswith(prefix):
                names.add(known.removeprefix(prefix).split("/")[0])
        return sorted(names)

    def identity(self, path: str) -> tuple[int, int] | None:
        return None if self._is_hidden(path) else self._below.identity(self._place(path))

    def forget(self) -> None:
        self._below.forget()

    def _is_hidden(self, path: str) -> bool:
        while path:
            if self._elsewhere.get(path, path) is None:
                return True
            path = path.rpartition("/")[0]
        return False

    def _place(self, path: str) -> str:
        place = self._elsewhere.get(path)
        return place if place is not None and self._below.size(place) >= 0 else path

    # ------------------------------------------------------------ nothing is changed here

    def write(self, path: str, offset: int, data: bytes) -> None:
        raise PermissionError(1, "read-only", path)

    def truncate(self, path: str, size: int) -> None:
        raise PermissionError(1, "read-only", path)

    def replace(self, path: str, data: bytes) -> None:
        raise PermissionError(1, "read-only", path)

    def make_folder(self, path: str) -> None:
        raise PermissionError(1, "read-only", path)

    def remove(self, path: str) -> None:
        raise PermissionError(1, "read-only", path)

    def move(self, path: str, new_path: str) -> None:
        raise PermissionError(1, "read-only", path)

    def sync(self, path: str) -> None: ...

    def sync_folder(self, path: str) -> None: ...

    def sync_all(self) -> bool:
        return True
