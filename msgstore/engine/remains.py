"""The words of a survey: what is left of streams, their files and their messages."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from msgstore.format.record import RecordHead


class Gap(NamedTuple):
    """Revisions of a stream, inclusive, whose messages are lost: they stood between two positions."""

    first_revision: int
    last_revision: int
    after: int
    before: int


@dataclass(slots=True, eq=False, repr=False)
class SegmentFile:
    """One segment as it was found. It is sound if nothing but survivors stands before its `end`."""

    path: str
    number: int
    is_sound: bool
    header_bytes: int
    end: int
    first_revision: int = -1
    last_revision: int = -1
    has_strays: bool = False
    """Whole records in it were in no commit that stands; the next save would write over them."""


@dataclass(slots=True, eq=False, repr=False)
class Stream:
    """The survivors of one stream; `files` in the order of their numbers."""

    stream_id: str
    files: list[tuple[int, SegmentFile]] = field(default_factory=list)
    last_revision: int = -1
    first_position: int = 0
    last_position: int = 0
    gaps: list[Gap] = field(default_factory=list)


class Survivor(NamedTuple):
    """A surviving message: its record, and where that stands in its file."""

    offset: int
    head: RecordHead
    frame: memoryview


class Places:
    """Where the record of each position stands: number of its file and offset, 0 for a lost one."""

    def __init__(self) -> None:
        self._places = array("Q", [0])

    def reach(self, rows: int) -> None:
        """Makes room for positions up to `rows`."""
        missing = rows + 1 - len(self._places)
        if missing > 0:
            self._places.frombytes(bytes(8 * missing))

    def put(self, position: int, file: int, offset: int) -> None:
        self.reach(position)
        self._places[position] = (file + 1) << 32 | offset

    def get(self, position: int) -> tuple[int, int] | None:
        place = self._places[position] if position < len(self._places) else 0
        return ((place >> 32) - 1, place & 0xFFFF_FFFF) if place else None

    def lost(self, rows: int) -> Iterator[int]:
        """The positions up to `rows` that no record is known of."""
        return (p for p in range(1, rows + 1) if not self._places[p])
