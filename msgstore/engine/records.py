"""From index rows to messages: each record is fetched, checked against its row, and unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.catalog import Catalog
from msgstore.engine.segments import RECORD_BYTES_MAX
from msgstore.format.frame import frame_crc, frame_problem
from msgstore.format.names import segment_path
from msgstore.format.record import HEAD, RECORD_ELEMENTS, decode_head, decode_record, is_meant
from msgstore.format.row import Row
from msgstore.model.errors import CorruptRecord
from msgstore.model.message import PositionalMessage

Located = tuple[int, Row]
"""A position and its row."""

_GAP_BYTES_MAX = 4096
_READ_BYTES_MAX = 1024 * 1024
_LONG_BYTES = 64 * 1024


class Stretch(NamedTuple):
    """Records that stand one behind the other in a segment, each found to be what its row says."""

    path: str
    stream_id: str
    data: memoryview
    located: list[Located]

    @property
    def first(self) -> Row:
        return self.located[0][1]


class Records:
    """Messages by their rows."""

    def __init__(self, disk: Disk, catalog: Catalog) -> None:
        self._disk = disk
        self._catalog = catalog

    def fetch(self, position: int, row: Row) -> PositionalMessage:
        """One message. Raises CorruptRecord."""
        return self.fetch_of(self._catalog.stream_id(row.stream), position, row)

    def fetch_of(self, stream_id: str, position: int, row: Row) -> PositionalMessage:
        """One message of a stream that is known. Raises CorruptRecord."""
        path = segment_path(stream_id, row.segment)
        try:
            self._look_first(path, position, row, stream_id)
            frame = self._read(path, row.offset, row.length)
        except CorruptRecord as error:
            raise located(error, position, row, stream_id) from None
        return self._decode(frame, position, row, stream_id)

    def fetch_many(self, located: Sequence[Located]) -> Iterator[PositionalMessage]:
        """Messages in the order given; those that stand together are read together."""
        if len({_place_of(one) for one in located}) == len(located):
            for position, row in located:
                yield self.fetch(position, row)
            return
        frames: dict[int, tuple[memoryview, str]] = {}
        for stretch in _stretches(located, _GAP_BYTES_MAX):
            self._read_stretch(stretch, frames)
        for position, row in located:
            frame, stream_id = frames.pop(position)
            yield self._decode(frame, position, row, stream_id)

    def stretches(self, located: Sequence[Located]) -> Iterator[Stretch]:
        """The records as they stand in the segments, by place. Raises CorruptRecord."""
        for stretch in _stretches(located, gap_bytes_max=0):
            first = stretch[0][1]
            path, stream_id = self._place(stretch[0])
            data = self._read_all(path, stretch, stream_id)
            for position, row in stretch:
                start = row.offset - first.offset
                check_record(data[start : start + row.length], position, row, stream_id)
            yield Stretch(path, stream_id, data, stretch)

    def _read_stretch(
        self, stretch: list[Located], frames: dict[int, tuple[memoryview, str]]
    ) -> None:
        first = stretch[0][1]
        path, stream_id = self._place(stretch[0])
        if len(stretch) == 1:
            self._look_first(path, *stretch[0], stream_id)
        buffer = self._read_all(path, stretch, stream_id)
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

    def _place(self, one: Located) -> tuple[str, str]:
        position, row = one
        try:
            stream_id = self._catalog.stream_id(row.stream)
        except CorruptRecord as error:
            raise located(error, position, row) from None
        return segment_path(stream_id, row.segment), stream_id

    def _read_all(self, path: str, stretch: list[Located], stream_id: str) -> memoryview:
        """The bytes from the first record of a stretch to the end of the last."""
        first, last = stretch[0][1], stretch[-1][1]
        try:
            return self._read(path, first.offset, last.offset + last.length - first.offset)
        except CorruptRecord as error:
            raise located(error, *stretch[0], stream_id) from None

    def _read(self, path: str, offset: int, size: int) -> memoryview:
        try:
            return memoryview(self._disk.read(path, offset, size))
        except FileNotFoundError:
            raise CorruptRecord(path, offset, "the segment is missing") from None

    def _decode(
        self, frame: memoryview, position: int, row: Row, stream_id: str
    ) -> PositionalMessage:
        check_record(frame, position, row, stream_id)
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


def located(
    error: CorruptRecord, position: int, row: Row, stream_id: str | None = None
) -> CorruptRecord:
    """The same damage, with all that is known of the message it befell."""
    return CorruptRecord(
        error.path,
        error.offset,
        error.problem,
        stream_id=stream_id or error.stream_id,
        revision=row.revision,
        position=position,
    )


def check_record(frame: memoryview, position: int, row: Row, stream_id: str) -> None:
    """Raises CorruptRecord unless the frame is the record that the row means."""
    if is_meant(frame, position, row.length, row.record_crc, row.revision):
        return
    problem = frame_problem(frame, 0, RECORD_ELEMENTS)
    if problem is None and len(frame) != row.length:
        problem = "the length is not the one in the index"
    if problem is None and frame_crc(frame) != row.record_crc:
        problem = "the index means another record"
    head = None if problem else decode_head(frame)
    if head is None or (head.position, head.revision) != (position, row.revision):
        raise damaged(position, row, stream_id, problem or "the record is another one")


def _place_of(located: Located) -> tuple[int, int]:
    return located[1].stream, located[1].segment


def _stretches(located: Sequence[Located], gap_bytes_max: int) -> Iterator[list[Located]]:
    """Rows by place, parted where a read would fetch much that nobody asked for."""
    by_place = sorted(located, key=lambda one: (*_place_of(one), one[1].offset))
    for _, group in groupby(by_place, key=_place_of):
        stretch: list[Located] = []
        end = 0
        for one in group:
            row = one[1]
            if stretch and (
                row.offset - end > gap_bytes_max
                or row.offset + row.length - stretch[0][1].offset > _READ_BYTES_MAX
            ):
                yield stretch
                stretch = []
            stretch.append(one)
            end = row.offset + row.length
        yield stretch
