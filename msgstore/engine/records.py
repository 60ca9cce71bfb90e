"""From index rows to messages: each record is fetched, checked against its row, and unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from msgstore.disk.files import Disk
from msgstore.engine.catalog import Catalog
from msgstore.engine.segments import RECORD_BYTES_MAX
from msgstore.format.frame import frame_crc, frame_problem
from msgstore.format.names import segment_path
from msgstore.format.record import HEAD, RECORD_ELEMENTS, decode_head, decode_record
from msgstore.format.row import Row
from msgstore.model.errors import CorruptRecord
from msgstore.model.message import PositionalMessage

Located = tuple[int, Row]
"""A position and its row."""

_GAP_BYTES_MAX = 4096
_READ_BYTES_MAX = 1024 * 1024
_LONG_BYTES = 64 * 1024


class Records:
    """Messages by their rows."""

    def __init__(self, disk: Disk, catalog: Catalog) -> None:
        self._disk = disk
        self._catalog = catalog

    def fetch(self, position: int, row: Row) -> PositionalMessage:
        """One message. Raises CorruptRecord."""
        path, stream_id = self._place(row)
        self._look_first(path, position, row, stream_id)
        return self._decode(self._read(path, row.offset, row.length), position, row, stream_id)

    def fetch_many(self, located: Sequence[Located]) -> Iterator[PositionalMessage]:
        """Messages in the order given; those that stand together are read together."""
        if len(located) == 1:
            yield self.fetch(*located[0])
            return
        frames: dict[int, tuple[memoryview, str]] = {}
        by_place = sorted(located, key=lambda one: (one[1].stream, one[1].segment, one[1].offset))
        for _, group in groupby(by_place, key=lambda one: (one[1].stream, one[1].segment)):
            for stretch in _stretches(group):
                self._read_stretch(stretch, frames)
        for position, row in located:
            frame, stream_id = frames.pop(position)
            yield self._decode(frame, position, row, stream_id)

    def _read_stretch(
        self, stretch: list[Located], frames: dict[int, tuple[memoryview, str]]
    ) -> None:
        first, last = stretch[0][1], stretch[-1][1]
        path, stream_id = self._place(first)
        if len(stretch) == 1:
            self._look_first(path, *stretch[0], stream_id)
        end = last.offset + last.length
        buffer = self._read(path, first.offset, end - first.offset)
        for position, row in stretch:
            start = row.offset - first.offset
            frames[position] = (buffer[start : start + row.length], stream_id)

    def _look_first(self, path: str, position: int, row: Row, stream_id: str) -> None:
        """A long record is only read if it is the row's: many rows may point at one. Raises CorruptRecord."""
        if row.length <= _LONG_BYTES:
            return
        head = decode_head(self._read(path, row.offset, HEAD.size))
        there = head and (head.length, head.crc, head.position, head.revision)
        if row.length > RECORD_BYTES_MAX or there != (
            row.length,
            row.record_crc,
            position,
            row.revision,
        ):
            raise damaged(position, row, stream_id, "the index means another record")

    def _place(self, row: Row) -> tuple[str, str]:
        stream_id = self._catalog.stream_id(row.stream)
        return segment_path(stream_id, row.segment), stream_id

    def _read(self, path: str, offset: int, size: int) -> memoryview:
        try:
            return memoryview(self._disk.read(path, offset, size))
        except FileNotFoundError:
            raise CorruptRecord(path, offset, "the segment is missing") from None

    def _decode(
        self, frame: memoryview, position: int, row: Row, stream_id: str
    ) -> PositionalMessage:
        problem = frame_problem(frame, 0, RECORD_ELEMENTS)
        if problem is None and len(frame) != row.length:
            problem = "the length is not the one in the index"
        if problem is None and frame_crc(frame) != row.record_crc:
            problem = "the index means another record"
        head = None if problem else decode_head(frame)
        if head is None or (head.position, head.revision) != (position, row.revision):
            problem = problem or "the record is another one"
            raise damaged(position, row, stream_id, problem)
        try:
            return decode_record(frame, stream_id)
        except ValueError as error:
            raise damaged(position, row, stream_id, str(error)) from None


def damaged(position: int, row: Row, stream_id: str, problem: str) -> CorruptRecord:
    """The error for the record that a row names."""
    return CorruptRecord(
        segment_path(stream_id, row.segment),
        row.offset,
        problem,
        stream_id=stream_id,
        revision=row.revision,
        position=position,
    )


def _stretches(group: Iterator[Located]) -> Iterator[list[Located]]:
    """Rows of one segment, parted where a read would fetch much that nobody asked for."""
    stretch: list[Located] = []
    end = 0
    for one in group:
        row = one[1]
        if stretch and (
            row.offset - end > _GAP_BYTES_MAX
            or row.offset + row.length - stretch[0][1].offset > _READ_BYTES_MAX
        ):
            yield stretch
            stretch = []
        stretch.append(one)
        end = row.offset + row.length
    if stretch:
        yield stretch
