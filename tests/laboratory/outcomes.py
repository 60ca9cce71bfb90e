"""Every way in which one moment can end: moments of a run, and what a crash there leaves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

from laboratory.expected import Expected
from msgstore.testing.crashing_disk import (
    SECTOR_BYTES,
    CrashingDisk,
    Keep,
    Operation,
    Piece,
    keep_all,
    keep_nothing,
)

KILLED = "killed"


class Moment(NamedTuple):
    """The disk between two operations, or with one half done. `name` tells which: `12`, `12.40`."""

    name: str
    disk: CrashingDisk
    expected: Expected
    is_torn: bool


class Film:
    """Takes a picture of a disk before each of its operations, and in the middle of writes."""

    def __init__(self, disk: CrashingDisk, expected: Callable[[], Expected]) -> None:
        self.moments: list[Moment] = []
        self._disk = disk
        self._expected = expected
        self._start = disk.operations
        disk.watch = self._take

    def stop(self) -> list[Moment]:
        """Takes the last picture; returns all of them."""
        self._disk.watch = None
        number = self._disk.operations - self._start
        self.moments.append(Moment(f"{number}", self._disk.killed(), self._expected(), False))
        return self.moments

    def _take(self, operation: Operation, data: bytes) -> None:
        number = operation.number - 1 - self._start
        expected = self._expected()
        before = self._disk.killed()
        self.moments.append(Moment(f"{number}", before, expected, False))
        if operation.kind == "write":
            for cut in _cuts(operation):
                torn = before.killed()
                torn.write(operation.path, operation.offset, data[:cut])
                self.moments.append(Moment(f"{number}.{cut}", torn, expected, True))


def _cuts(operation: Operation) -> list[int]:
    """After how many bytes a write is torn: somewhere, and at the border of a sector within it."""
    if operation.size < 2:
        return []
    anywhere = 1 + crc32(f"{operation.path}{operation.offset}".encode()) % (operation.size - 1)
    border = SECTOR_BYTES - operation.offset % SECTOR_BYTES
    return [anywhere, border] if border < operation.size and border != anywhere else [anywhere]


def outcomes(
    moment: Moment, name: str, keeps: Iterable[str], chances: int
) -> Iterator[tuple[str, CrashingDisk, bool]]:
    """What can be left of a moment: by name, and whether power was lost.

    A torn write followed by a power loss is what the sectors of the whole one may be anyway.
    """
    yield KILLED, moment.disk.killed(), False
    if moment.is_torn:
        yield "all", moment.disk.power_loss(keep_all), True
        return
    for kind in keeps:
        yield kind, moment.disk.power_loss(KEEPS[kind]), True
    for number in range(chances):
        yield f"r{number}", moment.disk.power_loss(at_random(f"{name}/r{number}")), True


def at_random(seed: str) -> Keep:
    """Pieces by the toss of a coin that is as one-sided as the seed says."""
    chance = random.Random(crc32(seed.encode()))
    share = chance.choice((0.5, 0.5, 0.15, 0.85))
    toss = chance.random
    return lambda piece: toss() < share


def _only(path: str) -> Keep:
    return lambda piece: piece.path == path


def _but(path: str) -> Keep:
    return lambda piece: piece.path != path


def _is_entry(piece: Piece) -> bool:
    return piece.kind in ("link", "unlink", "rename")


def _is_content(piece: Piece) -> bool:
    return not _is_entry(piece)


KEEPS: dict[str, Keep] = {
    "nothing": keep_nothing,
    "all": keep_all,
    "journal": _only("journal"),
    "no-journal": _but("journal"),
    "index": _only("index"),
    "no-index": _but("index"),
    "names": _is_entry,
    "no-names": _is_content,
}
