"""The messages of one stream: where they end, where a revision stands, and reading both ways.

A record in a segment counts only if its index row points back to it; see docs/format.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.ends import StreamEnds
from msgstore.engine.index import Index
from msgstore.engine.log import as_damage
from msgstore.format.frame import frame_length, frame_problem, last_frame_length
from msgstore.format.names import SEGMENT_BYTES_ROLL, segment_path
from msgstore.format.record import (
    HEAD,
    RECORD_ELEMENTS,
    RecordHead,
    SegmentHeader,
    decode_head,
    decode_segment_header,
)
from msgstore.format.row import Row
from msgstore.model.errors import CorruptRecord
from msgstore.model.values import MESSAGE_BYTES_MAX

_TAIL_BYTES = 4096
_WINDOW_BYTES = 256 * 1024
_PROBE_BYTES = 64 * 1024
_HEADER_BYTES_MAX = 2048
RECORD_BYTES_MAX = MESSAGE_BYTES_MAX + 4096
_RECORD_START = bytes((0xDC, 0, RECORD_ELEMENTS, 0xCE))


class StreamHead(NamedTuple):
    """The last visible message of a stream: `end` is where the next record goes."""

    stream_id: str
    revision: int
    position: int
    segment: int
    end: int
    row: Row


class _Found(NamedTuple):
    offset: int
    head: RecordHead
    row: Row


class Segments:
    """Reads segments; what it finds is checked against the index."""

    def __init__(self, disk: Disk, index: Index, ends: StreamEnds, store_uuid: bytes) -> None:
        self._disk = disk
        self._index = index
        self._ends = ends
        self._store_uuid = store_uuid

    # ------------------------------------------------------------ the end of a stream

    def head(self, stream_id: str, rows: int) -> StreamHead | None:
        """The stream's last message among the first `rows`, or None.

        Raises CorruptRecord, also where the index knows of more than the segments hold.
        """
        found = self._last_in_segments(stream_id, rows)
        if found is None:
            stream, position = self._ends.reference_of(stream_id, rows), 0
        else:
            stream, position = found.row.stream, found.position
        if stream is not None and self._ends.last_position(stream, rows) > position:
            lost = self._index.first_of(stream, position, rows)
            assert lost is not None, "there is a row behind that position"
            raise self._missing(stream_id, lost)
        return found

    def _last_in_segments(self, stream_id: str, rows: int) -> StreamHead | None:
        first_size = self._disk.size(segment_path(stream_id, 0))
        if first_size < 0:
            return None
        last = 0 if first_size < SEGMENT_BYTES_ROLL else self._last_segment(stream_id)
        for segment in range(last, -1, -1):
            size = first_size
            if segment:
                size = self._disk.size(segment_path(stream_id, segment))
            found = self._last_record(stream_id, segment, size, rows)
            if found is not None:
                self.check_header(stream_id, segment)
                end = found.offset + found.head.length
                revision, position = found.head.revision, found.head.position
                return StreamHead(stream_id, revision, position, segment, end, found.row)
        return None

    def _missing(self, stream_id: str, lost: tuple[int, Row]) -> CorruptRecord:
        """The error for a record that a row tells of, and that is not where it should be."""
        position, row = lost
        path = segment_path(stream_id, row.segment)
        size = self._disk.size(path)
        reason = "the record is damaged"
        if size < row.offset + row.length:
            reason = "the segment is missing" if size < 0 else "the segment ends too early"
        return CorruptRecord(
            path,
            row.offset,
            reason,
            stream_id=stream_id,
            revision=row.revision,
            position=position,
        )

    def _last_segment(self, stream_id: str) -> int:
        """The last segment of a stream whose first is full: by doubling, then by bisection."""
        full, step = 0, 1
        while self._is_full(stream_id, full + step):
            full, step = full + step, step * 2
        beyond = full + step
        while beyond - full > 1:
            middle = (full + beyond) // 2
            if self._is_full(stream_id, middle):
                full = middle
            else:
                beyond = middle
        return beyond if self._disk.size(segment_path(stream_id, beyond)) >= 0 else full

    def _is_full(self, stream_id: str, segment: int) -> bool:
        return self._disk.size(segment_path(stream_id, segment)) >= SEGMENT_BYTES_ROLL

    def _last_record(self, stream_id: str, segment: int, size: int, rows: int) -> _Found | None:
        """Steps back over what is not visible yet; where that fails, walks from the front."""
        if size < 0:  # a power loss may have kept a segment of no commit, and not the one before it
            return self._last_record_from_front(stream_id, segment, 0, rows)
        path = segment_path(stream_id, segment)
        end = size
        tail_start = max(0, end - _TAIL_BYTES)
        tail = self._disk.read(path, tail_start, end - tail_start)
        while True:
            length = last_frame_length(tail[: end - tail_start])
            if length is None or length > min(end, RECORD_BYTES_MAX):
                break
            start = end - length
            if start < tail_start:
                tail_start = max(0, min(start, end - _TAIL_BYTES))
                tail = self._disk.read(path, tail_start, end - tail_start)
            frame = memoryview(tail)[start - tail_start : end - tail_start]
            head = None if frame_problem(frame) else decode_head(frame)
            if head is None or head.length != length:
                break
            if head.position <= rows:
                row = self.row_pointing_at(segment, start, head)
                if row is None:
                    break
                return _Found(start, head, row)
            end = start
        return self._last_record_from_front(stream_id, segment, size, rows)

    def _last_record_from_front(
        self, stream_id: str, segment: int, size: int, rows: int
    ) -> _Found | None:
        """The last record before the first place that is none, or not visible.

        What stands from there on was in no commit, or is being written; or else it is damaged, and
        then a row accounts for it, which may be damaged too.
        """
        last = None
        for offset, frame in self._walk_own(stream_id, segment, size):
            if offset:  # the first frame is the segment's header
                head = decode_head(frame)
                if head is not None and head.position > rows:
                    return last
                row = head and self.row_pointing_at(segment, offset, head)
                if head is None or row is None:
                    break
                last = _Found(offset, head, row)
        stream = last.row.stream if last else self._ends.reference_of(stream_id, rows)
        if stream is not None:
            after = last.head.position if last else 0
            lost = self._index.first_of(stream, after, rows, lambda row: row.segment == segment)
            if lost is not None:
                raise self._missing(stream_id, lost)
        return last

    def _walk_own(
        self, stream_id: str, segment: int, size: int
    ) -> Iterator[tuple[int, memoryview]]:
        """The whole frames at the front of a segment; none where its header is not its own."""
        with suppress(CorruptRecord):
            self.check_header(stream_id, segment)
            yield from self._walk(segment_path(stream_id, segment), 0, size)

    def row_pointing_at(self, segment: int, offset: int, head: RecordHead) -> Row | None:
        """The index row of this record, if it points back to this very place."""
        row = self._index.read(head.position)
        if row is None:
            return None
        there = (row.segment, row.offset, row.length, row.record_crc, row.revision)
        here = (segment, offset, head.length, head.crc, head.revision)
        return row if there == here else None

    def check_header(self, stream_id: str, segment: int) -> SegmentHeader:
        """The segment's header. Raises CorruptRecord unless it names this store and this stream."""
        path = segment_path(stream_id, segment)
        try:
            buffer = self._disk.read(path, 0, _HEADER_BYTES_MAX)
        except FileNotFoundError:
            raise CorruptRecord(path, 0, "the segment is missing", stream_id=stream_id) from None
        problem = frame_problem(buffer)
        with as_damage(path, 0, stream_id=stream_id):
            header = None if problem else decode_segment_header(buffer[: frame_length(buffer)])
        if header is None:
            reason = f"the header is damaged ({problem})" if problem else "the header is not one"
            raise CorruptRecord(path, 0, reason, stream_id=stream_id)
        if (header.store_uuid, header.stream_id, header.segment_number) != (
            self._store_uuid,
            stream_id,
            segment,
        ):
            raise CorruptRecord(path, 0, "the segment belongs elsewhere", stream_id=stream_id)
        return header

    # ------------------------------------------------------------ where a revision is

    def placed(self, error: CorruptRecord, head: StreamHead) -> CorruptRecord:
        """The same damage with the position of the message that should be there."""
        found = None
        if error.revision is not None:  # else it is of a segment's header: of no message alone
            with suppress(CorruptRecord):  # its row is damaged as well, or one before it
                found = self._index.first_of(
                    head.row.stream, 0, head.position, lambda row: row.revision == error.revision
                )
        return CorruptRecord(
            error.path,
            error.offset,
            error.problem,
            stream_id=head.stream_id,
            revision=error.revision,
            position=found and found[0],
        )

    def segment_of(self, head: StreamHead, revision: int) -> int:
        """The segment that holds a revision: by bisection over the headers."""
        low, high = 0, head.segment
        while low < high:
            middle = (low + high + 1) // 2
            if self.check_header(head.stream_id, middle).first_revision <= revision:
                low = middle
            else:
                high = middle - 1
        return low

    def offset_of(self, head: StreamHead, segment: int, end: int, revision: int) -> int:
        """Where a revision's record starts: bisection over byte offsets, then a short walk."""
        path = segment_path(head.stream_id, segment)
        header_frame = self._disk.read(path, 0, _HEADER_BYTES_MAX)
        low = frame_length(header_frame)
        if revision == 0:
            return low
        high = end
        while high - low > _PROBE_BYTES:
            middle = (low + high) // 2
            found = self._next_record(path, segment, head.row.stream, middle, high)
            if found is None or found.head.revision > revision:
                high = middle
            else:
                low = found.offset
        return self._walk_to(head.stream_id, path, low, end, revision)

    def _next_record(
        self, path: str, segment: int, stream: int, start: int, end: int
    ) -> _Found | None:
        """The first record that starts in a stretch of a segment, from any offset on."""
        while start < end:
            window = self._disk.read(path, start, _PROBE_BYTES)
            at = window.find(_RECORD_START)
            while at >= 0:
                if start + at >= end:
                    return None
                head = decode_head(window, at)
                row = head and self.row_pointing_at(segment, start + at, head)
                if head and row and row.stream == stream:
                    return _Found(start + at, head, row)
                at = window.find(_RECORD_START, at + 1)
            if len(window) <= HEAD.size:
                return None
            start += len(window) - HEAD.size  # a head across the border is looked at again
        return None

    def _walk_to(self, stream_id: str, path: str, start: int, end: int, revision: int) -> int:
        """Hops from length to length; what is hopped over is not read."""
        window, window_start = b"", start
        while start + HEAD.size <= end:
            at = start - window_start
            if at + HEAD.size > len(window):
                window, window_start, at = self._disk.read(path, start, _PROBE_BYTES), start, 0
            head = decode_head(window, at)
            if head is None or not HEAD.size < head.length <= RECORD_BYTES_MAX:
                break
            if head.revision == revision:
                return start
            if head.revision > revision:
                break
            start += head.length
        reason = "the record does not lead to the next one"
        raise CorruptRecord(path, start, reason, stream_id=stream_id, revision=revision)

    def _walk(self, path: str, start: int, end: int) -> Iterator[tuple[int, memoryview]]:
        """Offset and bytes of each frame from one border up to `end`, or the first that is not whole."""
        window_bytes = _WINDOW_BYTES
        while start < end:
            window = memoryview(self._disk.read(path, start, min(window_bytes, end - start)))
            at = 0
            problem: str | None = None
            while at < len(window) and (problem := frame_problem(window, at)) is None:
                length = frame_length(window, at)
                yield start + at, window[at : at + length]
                at += length
            start += at
            if at:
                window_bytes = _WINDOW_BYTES
            elif problem == "cut" and len(window) == window_bytes < RECORD_BYTES_MAX:
                window_bytes = min(RECORD_BYTES_MAX, max(2 * _WINDOW_BYTES, frame_length(window)))
            else:
                return


assert RECORD_ELEMENTS == 16, "the record's first bytes are searched for"
