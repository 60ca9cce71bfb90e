"""Reading one stream behind damage: whatever is whole comes, and whatever is not is told.

Rows lead to records, so a damaged record costs itself alone. A record whose row is damaged is found
from its neighbours, by the lengths at both ends of every frame.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgstore.engine.records import Located
from msgstore.engine.segments import RECORD_BYTES_MAX
from msgstore.engine.snapshot import Snapshot
from msgstore.format.frame import (
    HEAD,
    TAIL,
    frame_length,
    frame_problem,
    last_frame_length,
)
from msgstore.format.names import INDEX, segment_path
from msgstore.format.record import (
    RECORD_ELEMENTS,
    RecordHead,
    decode_head,
    decode_record,
    encode_segment_header,
)
from msgstore.format.row import ROW_BYTES, STREAM_WORD, column_32, decode_row
from msgstore.model.errors import CorruptRecord, OnDamage
from msgstore.model.message import PositionalMessage

_WINDOW_ROWS = 4096


def read_undamaged(
    snapshot: Snapshot,
    stream_id: str,
    first: int,
    last: int | None,
    backwards: bool,
    on_damage: OnDamage,
) -> Iterator[PositionalMessage]:
    """As `Snapshot.read_stream`, but tells `on_damage` what it must leave out, and goes on."""
    try:
        for stored in snapshot.read_stream(stream_id, first, last, backwards=backwards):
            yield stored
            if backwards:
                last = stored.revision - 1
            else:
                first = stored.revision + 1
        return
    except CorruptRecord as error:
        met = error
    told = 0

    def tell(error: CorruptRecord) -> None:
        nonlocal told
        told += 1
        on_damage(error)

    bounds = range(first, sys.maxsize if last is None else last + 1)
    with snapshot.source.reading():
        yield from _Salvage(snapshot, stream_id, bounds, tell).read(backwards)
    if not told and met.path != INDEX:
        on_damage(met)  # all messages came, but a header say is damaged: not passed over in silence


class _Found(NamedTuple):
    """A whole record, found without its row."""

    segment: int
    end: int
    head: RecordHead
    frame: bytes


class _Salvage:
    """One stream's messages with revisions in `wanted`, by their rows."""

    def __init__(self, snapshot: Snapshot, stream_id: str, wanted: range, tell: OnDamage) -> None:
        self._snapshot = snapshot
        self._source = snapshot.source
        self._disk = snapshot.source.disk
        self._stream_id = stream_id
        self._wanted = wanted
        self._tell = tell

    def read(self, backwards: bool) -> Iterator[PositionalMessage]:
        """Between each row and the next stands what has lost its row."""
        reference = self._reference()
        if reference is None:
            return
        before: Located | None = None
        for one in self._rows(reference, backwards):
            lower, upper = (one, before) if backwards else (before, one)
            yield from self._between(lower, upper, backwards)
            if one[1].revision in self._wanted:
                yield from self._fetch(one)
            before = one
            if self._is_past(one[1].revision, backwards):
                return
        lower, upper = (None, before) if backwards else (before, None)
        yield from self._between(lower, upper, backwards)

    def _is_past(self, revision: int, backwards: bool) -> bool:
        return revision <= self._wanted.start if backwards else revision >= self._wanted.stop - 1

    def _fetch(self, one: Located) -> Iterator[PositionalMessage]:
        try:
            stored = self._source.records.fetch_of(self._stream_id, *one)
        except CorruptRecord as error:
            self._source.check_still_there()
            self._tell(error)
        else:
            yield stored

    # ------------------------------------------------------------ rows

    def _reference(self) -> int | None:
        """What rows call the stream: as the catalog says, or as the row of its first record does."""
        try:
            return self._source.reference_of(self._stream_id, self._snapshot.rows)
        except CorruptRecord as error:
            first = self._record_at(0, self._header_bytes(0))
            row = first and self._source.index.read(first.head.position)
            if not first or not row or row.record_crc != first.head.crc:
                self._tell(error)
                return None
            return row.stream

    def _rows(self, reference: int, backwards: bool) -> Iterator[Located]:
        """The whole rows of the stream, in order."""
        rows = self._snapshot.rows
        starts = range(1, rows + 1, _WINDOW_ROWS)
        for start in reversed(starts) if backwards else starts:
            window = self._source.index.window(start, min(_WINDOW_ROWS, rows + 1 - start))
            self._source.check_still_there()
            streams = column_32(window, STREAM_WORD).tolist()
            found = [at for at, stream in enumerate(streams) if stream == reference]
            for at in reversed(found) if backwards else found:
                row = decode_row(start + at, window, at * ROW_BYTES)
                if row is not None:
                    yield start + at, row

    # ------------------------------------------------------------ records without rows

    def _between(
        self, lower: Located | None, upper: Located | None, backwards: bool
    ) -> Iterator[PositionalMessage]:
        """The records between two that have rows; None is the stream's beginning or its end."""
        first = lower[1].revision + 1 if lower else 0
        end = upper[1].revision if upper else sys.maxsize
        if first >= end or first >= self._wanted.stop or end <= self._wanted.start:
            return
        found = {one.head.revision: one for one in self._forwards(lower, first, end)}
        missing: Sequence[int]
        if upper is not None:
            found |= {one.head.revision: one for one in self._back_from(upper, first + len(found))}
            missing = range(first, end)
            if len(missing) > upper[0] - (lower[0] if lower else 0) - 1:
                # More revisions than positions: the row is forged, and its number no measure.
                self._tell(self._misnumbered(upper))
                missing = sorted(found)
        else:
            end = first + len(found)
            missing = range(first, end + self._has_lost_more(lower, found.get(end - 1)))
        for revision in reversed(missing) if backwards else missing:
            if revision not in self._wanted:
                continue
            if revision in found:
                yield decode_record(found[revision].frame, self._stream_id)
            else:
                self._tell(self._lost(revision, lower))

    def _lost(self, revision: int, lower: Located | None) -> CorruptRecord:
        segment = lower[1].segment if lower else 0
        return CorruptRecord(
            segment_path(self._stream_id, segment),
            lower[1].offset + lower[1].length if lower else 0,
            "the index row is damaged, and the record is not found without it",
            stream_id=self._stream_id,
            revision=revision,
        )

    def _misnumbered(self, one: Located) -> CorruptRecord:
        reason = "the index row has a revision that the stream cannot have come to"
        offset = one[0] * ROW_BYTES
        return CorruptRecord(INDEX, offset, reason, stream_id=self._stream_id, position=one[0])

    def _forwards(self, lower: Located | None, first: int, end: int) -> Iterator[_Found]:
        """Record after record, as long as each is whole and the next of the stream."""
        segment, offset, position = 0, self._header_bytes(0), 0
        if lower is not None:
            segment, position = lower[1].segment, lower[0]
            offset = lower[1].offset + lower[1].length
        for revision in range(first, end):
            path = segment_path(self._stream_id, segment)
            if offset == self._disk.size(path):
                segment += 1
                offset = self._header_bytes(segment)
            found = self._record_at(segment, offset)
            if found is None or not self._is_next(found.head, revision, position):
                return
            yield found
            offset, position = found.end, found.head.position

    def _back_from(self, upper: Located, first: int) -> Iterator[_Found]:
        """Record before record, likewise."""
        segment, end = upper[1].segment, upper[1].offset
        for revision in range(upper[1].revision - 1, first - 1, -1):
            if segment and end == self._header_bytes(segment):
                segment -= 1
                end = self._disk.size(segment_path(self._stream_id, segment))
            path = segment_path(self._stream_id, segment)
            tail = self._read(path, end - TAIL.size, TAIL.size) if end > TAIL.size else b""
            length = last_frame_length(tail) or 0
            found = self._record_at(segment, end - length) if 0 < length < end else None
            if found is None or found.end != end or not self._is_next(found.head, revision, 0):
                return
            yield found
            end -= length

    def _is_next(self, head: RecordHead, revision: int, after: int) -> bool:
        """Whether it is that revision, and its row is damaged: another row would have led to it."""
        return (
            head.revision == revision
            and after < head.position <= self._snapshot.rows
            and self._source.index.read(head.position) is None
        )

    def _has_lost_more(self, lower: Located | None, last: _Found | None) -> bool:
        """Whether behind the last record that is found there was one more, as far as this can be told.

        Bytes stand there, and some row behind it is damaged. Without a damaged row they are of a save
        that never stood, or that is being made.
        """
        segment, end, position = 0, self._header_bytes(0), 0
        if last is not None:
            segment, end, position = last.segment, last.end, last.head.position
        elif lower is not None:
            segment, position = lower[1].segment, lower[0]
            end = lower[1].offset + lower[1].length
        if self._disk.size(segment_path(self._stream_id, segment)) <= end:
            return False
        index, rows = self._source.index, self._snapshot.rows
        return any(index.read(p) is None for p in range(position + 1, rows + 1))

    def _header_bytes(self, segment: int) -> int:
        """The length of a segment's header; 0 where it is damaged, and no record is found there."""
        try:
            header = self._source.segments.check_header(self._stream_id, segment)
        except CorruptRecord:
            return 0
        return len(encode_segment_header(header))

    def _record_at(self, segment: int, offset: int) -> _Found | None:
        """The whole record that starts there."""
        path = segment_path(self._stream_id, segment)
        start = self._read(path, offset, HEAD.size)
        if len(start) < HEAD.size or frame_length(start) > RECORD_BYTES_MAX:
            return None
        frame = self._read(path, offset, frame_length(start))
        if frame_problem(frame, 0, RECORD_ELEMENTS):
            return None
        head = decode_head(frame)
        return None if head is None else _Found(segment, offset + len(frame), head, frame)

    def _read(self, path: str, offset: int, size: int) -> bytes:
        try:
            return self._disk.read(path, offset, size)
        except FileNotFoundError:
            return b""
