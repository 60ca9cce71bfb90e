"""The words of a survey: what is left of streams, their files and their messages."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from msgstore.format.record import RecordHead

OFFSETS = 1 << 32
"""Records stand before this byte of a file: a segment is far shorter."""


class Gap(NamedTuple):
    """Revisions of a stream, inclusive, whose messages are lost: they stood between two positions."""

    first_revision: int
    last_revision: int
    after: int
    before: int


@dataclass(slots=True, eq=False, repr=False)
class SegmentFile:
    """One file of `streams/` as it was found.

    It is sound if it stands where it belongs, and nothing but surviving messages of its stream
    stand before its `end`, each the next one of the stream.
    """

    path: str
    stream_id: str | None
    """As its header says, else its name; None where neither tells."""
    number: int
    is_home: bool
    """Whether its header says that it belongs where it stands."""
    is_sound: bool
    header_bytes: int
    """0 where it has no whole header."""
    end: int
    first_revision: int = -1
    last_revision: int = -1
    has_strays: bool = False
    """Whole records in it are no messages; the next save would write over them."""
    has_messages: bool = False

    def take(self, offset: int, head: RecordHead, stream_id: str) -> None:
        """One more record in it, in the order of offsets, is a message."""
        follows = self.first_revision < 0 or head.revision == self.last_revision + 1
        if offset != self.end or stream_id != self.stream_id or not follows:
            self.is_sound = False
        self.end = offset + head.length
        self.first_revision = head.revision if self.first_revision < 0 else self.first_revision
        self.last_revision = head.revision


@dataclass(slots=True, eq=False, repr=False)
class Stream:
    """The survivors of one stream; `files` are where they stand, in the order of their numbers."""

    stream_id: str
    files: list[SegmentFile] = field(default_factory=list)
    last_revision: int = -1
    first_position: int = 0
    last_position: int = 0
    gaps: list[Gap] = field(default_factory=list)

    def take(self, position: int, revision: int) -> None:
        """One more survivor, in the order of positions and revisions."""
        if revision > self.last_revision + 1:
            self.gaps.append(
                Gap(self.last_revision + 1, revision - 1, self.last_position, position)
            )
        self.last_revision = revision
        self.first_position = self.first_position or position
        self.last_position = position


class Survivor(NamedTuple):
    """A surviving message: its record, and where that stands in its file."""

    offset: int
    head: RecordHead
    frame: memoryview


class Place(NamedTuple):
    """Where a record stands and which message it is; file and stream by their numbers."""

    file: int
    offset: int
    stream: int
    revision: int


class Places:
    """The place of each position's record, or that it is lost: 16 bytes a position."""

    def __init__(self) -> None:
        self._places = array("Q", [0])
        self._streams = array("I", [0])
        self._revisions = array("I", [0])

    def __len__(self) -> int:
        """The last position that there is room for."""
        return len(self._places) - 1

    def reach(self, rows: int) -> None:
        """Makes room for positions up to `rows`."""
        missing = rows - len(self)
        if missing > 0:
            for column in (self._places, self._streams, self._revisions):
                column.frombytes(bytes(column.itemsize * missing))

    def put(self, position: int, place: Place) -> None:
        self.reach(position)
        self._places[position] = (place.file + 1) << 32 | place.offset
        self._streams[position] = place.stream
        self._revisions[position] = place.revision

    def get(self, position: int) -> Place | None:
        place = self._places[position] if position < len(self._places) else 0
        if not place:
            return None
        streams, revisions = self._streams, self._revisions
        return Place((place >> 32) - 1, place % OFFSETS, streams[position], revisions[position])

    def drop(self, position: int) -> None:
        """The position is lost after all."""
        self._places[position] = 0

    def all(self) -> Iterator[tuple[int, Place]]:
        """Every position that is not lost, and its place."""
        columns = zip(self._places, self._streams, self._revisions, strict=True)
        for position, (place, stream, revision) in enumerate(columns):
            if place:
                yield position, Place((place >> 32) - 1, place % OFFSETS, stream, revision)

    def lost(self, rows: int) -> Iterator[int]:
        """The positions up to `rows` that no record is known of."""
        return (p for p in range(1, rows + 1) if not self._places[p])
