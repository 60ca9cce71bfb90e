"""A disk in memory that can lose power: of what was not synced, any part may be gone.

Writes are torn by sectors of 512 bytes; file sizes and new folder entries are lost or kept on their
own. After a failed sync the pages count as clean and yet may not be on the disk, as on Linux.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

SECTOR_BYTES = 512


class Killed(BaseException):
    """The process ended here, as by kill -9."""


@dataclass
class SimulatedFile:
    live: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[tuple[str, int, bytes]] = field(default_factory=list)
    entry_durable: bool = False

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if end > len(self.live):
            self.live.extend(bytes(end - len(self.live)))
            self.pending.append(("size", end, b""))
        self.live[offset:end] = data
        at = offset
        while at < end:
            stop = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
            self.pending.append(("write", at, bytes(self.live[at:stop])))
            at = stop

    def truncate(self, size: int) -> None:
        del self.live[size:]
        self.live.extend(bytes(size - len(self.live)))
        self.pending.append(("truncate", size, b""))

    def persisted(self, keeps: Callable[[], bool]) -> bytes:
        """What is on the disk if each unsynced operation got there or not as `keeps` says."""
        out, size = bytearray(self.durable), len(self.durable)
        for kind, at, data in self.pending:
            if not keeps():
                continue
            if kind == "size":
                size = max(size, at)
            elif kind == "truncate":
                size = at
                del out[size:]
            else:
                out.extend(bytes(max(0, at + len(data) - len(out))))
                out[at : at + len(data)] = data
        del out[size:]
        out.extend(bytes(size - len(out)))
        return bytes(out)


class SimulatedDisk:
    """A Disk. `budget` operations may be carried out; the next one ends the process."""

    root = "/"

    def __init__(self) -> None:
        self.files: dict[str, SimulatedFile] = {}
        self.folders: dict[str, bool] = {}
        self.moves: list[tuple[str, str]] = []
        self.budget: int | None = None
        self.operations = 0
        self.inode = 1
        self.fails: Callable[[str, str, int], OSError | None] = lambda kind, path, number: None

    def _operate(self, kind: str, path: str) -> None:
        self.operations += 1
        if self.budget is not None:
            if self.budget <= 0:
                raise Killed
            self.budget -= 1
        if error := self.fails(kind, path, self.operations):
            raise error

    # ------------------------------------------------------------ the Disk protocol

    def size(self, path: str) -> int:
        return len(self.files[path].live) if path in self.files else -1

    def read(self, path: str, offset: int, size: int) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(2, "no such file", path)
        return bytes(self.files[path].live[offset : offset + size])

    def write(self, path: str, offset: int, data: bytes) -> None:
        if self.budget == 0 and len(data) > 1:  # killed in the middle: the front part is there
            self._file(path).write(offset, data[: random.Random(len(data)).randrange(len(data))])
        self._operate("write", path)
        self._file(path).write(offset, data)

    def truncate(self, path: str, size: int) -> None:
        self._operate("truncate", path)
        self._file(path).truncate(size)

    def sync(self, path: str) -> None:
        file = self._file(path)
        try:
            self._operate("sync", path)
        except OSError:
            chance = random.Random(self.operations)
            file.durable = file.persisted(lambda: chance.random() < 0.5)
            file.pending.clear()
            raise
        file.durable = file.persisted(lambda: True)
        file.pending.clear()

    def sync_folder(self, path: str) -> None:
        self._operate("sync_folder", path)
        for name, file in self.files.items():
            if name.rpartition("/")[0] == path:
                file.entry_durable = True
        self.moves = [move for move in self.moves if move[1].rpartition("/")[0] != path]
        for name in self.folders:
            if name.rpartition("/")[0] == path:
                self.folders[name] = True

    def sync_all(self) -> bool:
        self._operate("sync_all", "")
        for file in self.files.values():
            file.durable = file.persisted(lambda: True)
            file.pending.clear()
            file.entry_durable = True
        self.moves.clear()
        self.folders = dict.fromkeys(self.folders, True)
        return True

    def replace(self, path: str, data: bytes) -> None:
        self._operate("replace", path)
        self.files[path] = SimulatedFile(bytearray(data), data, [], True)

    def make_folder(self, path: str) -> None:
        if path:
            self.folders.setdefault(path, False)
        else:
            self._file("write.lock")  # a writer's flock makes it, past this disk

    def list(self, path: str) -> list[str]:
        prefix = f"{path}/" if path else ""
        return sorted(
            {
                name.removeprefix(prefix).split("/")[0]
                for name in self.files
                if name.startswith(prefix)
            }
        )

    def remove(self, path: str) -> None:
        for name in [n for n in self.files if n == path or n.startswith(f"{path}/")]:
            self._operate("remove", name)
            del self.files[name]

    def move(self, path: str, new_path: str) -> None:
        """Atomic. Until the new folder is synced a power loss may take it back."""
        self._operate("move", path)
        assert self.identity(path)
        assert not self.identity(new_path)
        for name in [n for n in self.files if n == path or n.startswith(f"{path}/")]:
            new_name = new_path + name.removeprefix(path)
            self._make_folders_of(new_name)
            self.files[new_name] = self.files.pop(name)
            self.moves.append((name, new_name))
        self.inode += 1  # what stands at a path is another file now

    def identity(self, path: str) -> tuple[int, int] | None:
        is_there = any(name == path or name.startswith(f"{path}/") for name in self.files)
        return (1, self.inode) if is_there else None

    def forget(self) -> None: ...

    def _file(self, path: str) -> SimulatedFile:
        if path not in self.files:
            self.files[path] = SimulatedFile()
            self._make_folders_of(path)
        return self.files[path]

    def _make_folders_of(self, path: str) -> None:
        while path := path.rpartition("/")[0]:
            self.make_folder(path)

    # ------------------------------------------------------------ how it ends

    def killed(self) -> SimulatedDisk:
        """The same machine after the process was killed: everything written is there."""
        other = SimulatedDisk()
        other.files = {
            name: SimulatedFile(bytearray(f.live), f.durable, list(f.pending), f.entry_durable)
            for name, f in self.files.items()
        }
        other.folders = dict(self.folders)
        other.moves = list(self.moves)
        other.inode = self.inode
        return other

    def after_power_loss(self, keeps: Callable[[], bool]) -> SimulatedDisk:
        """Another boot: of what was not synced, what `keeps` says."""
        other = SimulatedDisk()
        other.inode = self.inode + 1
        files = dict(self.files)
        for name, new_name in reversed(self.moves):
            if new_name in files and not keeps():
                files[name] = files.pop(new_name)
        for name, file in files.items():
            if not self._entry_survives(name, file, keeps):
                continue
            content = file.persisted(keeps)
            other.files[name] = SimulatedFile(bytearray(content), content, [], True)
            folder = name.rpartition("/")[0]
            while folder:
                other.folders[folder] = True
                folder = folder.rpartition("/")[0]
        return other

    def _entry_survives(self, name: str, file: SimulatedFile, keeps: Callable[[], bool]) -> bool:
        if not file.entry_durable and not keeps():
            return False
        folder = name.rpartition("/")[0]
        while folder:
            if not self.folders.get(folder, True) and not keeps():
                return False
            folder = folder.rpartition("/")[0]
        return True
