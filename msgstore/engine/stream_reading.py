"""Reading one stream, both ways: batches of messages as they stand in its segments.

What is beyond doubt is decoded many records at a time (`format/batch.py`); what is not, one by one,
and so every damaged record is told as what it is, behind all that stand before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgstore.disk.files import Disk
from msgstore.engine.segments import RECORD_BYTES_MAX, Segments, StreamHead
from msgstore.format.batch import BATCH_BYTES, RAW_REVISION, read_batch, restore_batch
from msgstore.format.frame import TAIL, frame_length, frame_problem, last_frame_length
from msgstore.format.names import segment_path
from msgstore.format.record import HEAD, decode_record, is_record, record_revision
from msgstore.model.errors import CorruptRecord
from msgstore.model.message import PositionalMessage

_WINDOW_BYTES_FIRST = 64 * 1024
_WINDOW_BYTES = 256 * 1024
_MISPLACED = "the stream's records are not where they belong"
_TOO_EARLY = "the segment ends too early"

Batch = list[PositionalMessage]


class StreamReading:
    """Reads a stream between two revisions of it, inclusive.

    `check_still_there` is asked before each further window: the files may have been replaced.
    """

    def __init__(
        self,
        disk: Disk,
        segments: Segments,
        head: StreamHead,
        check_still_there: Callable[[], None],
    ) -> None:
        self._disk = disk
        self._segments = segments
        self._head = head
        self._check_still_there = check_still_there

    def read(self, first: int, last: int, *, backwards: bool) -> Iterator[Batch]:
        """The messages in order. Raises CorruptRecord for what is damaged, missing or out of order."""
        try:
            yield from (self._backwards if backwards else self._forwards)(first, last)
        except CorruptRecord as error:
            raise self._segments.placed(error, self._head) from None

    def _forwards(self, first: int, last: int) -> Iterator[Batch]:
        expected = first
        first_segment = self._segments.segment_of(self._head, first)
        for segment in range(first_segment, self._head.segment + 1):
            path, end = self._extent(segment)
            start = 0
            if segment == first_segment:
                start = self._segments.offset_of(self._head, segment, end, first)
            for batch in self._forwards_in(path, start, end, expected):
                wanted = batch[: last - expected + 1]
                yield wanted
                expected += len(wanted)
                if expected > last:
                    return
            if segment < self._head.segment and expected < self._first_revision(segment + 1):
                raise self._damaged(path, end, _TOO_EARLY, expected)
        raise lost(self._head.stream_id, expected)

    def _forwards_in(self, path: str, start: int, end: int, expected: int) -> Iterator[Batch]:
        window_bytes = _WINDOW_BYTES_FIRST
        while start < end:
            window = self._disk.read(path, start, min(window_bytes, end - start))
            at = 0
            problem: str | None = None
            while at < len(window):
                batch, behind = self._batch(window, at, len(window), expected, 1)
                if not batch:
                    if problem := frame_problem(window, at):
                        break
                    behind = at + frame_length(window, at)
                    batch = self._one(window[at:behind], path, start + at, expected)
                if batch:
                    yield batch
                expected += len(batch)
                at = behind
            start += at
            if at:
                window_bytes = _WINDOW_BYTES
            elif problem == "cut" and len(window) == window_bytes < RECORD_BYTES_MAX:
                window_bytes = min(RECORD_BYTES_MAX, max(2 * window_bytes, frame_length(window)))
            else:
                raise self._damaged(path, start, problem or "cut", expected)
            self._check_still_there()

    def _backwards(self, first: int, last: int) -> Iterator[Batch]:
        expected = last
        last_segment = self._segments.segment_of(self._head, last)
        for segment in range(last_segment, -1, -1):
            path, end = self._extent(segment)
            if segment == last_segment and last < self._head.revision:
                start = self._segments.offset_of(self._head, segment, end, last)
                end = start + frame_length(self._disk.read(path, start, HEAD.size))
            for batch in self._backwards_in(path, end, expected):
                wanted = batch[: expected - first + 1]
                yield wanted
                expected -= len(wanted)
                if expected < first:
                    return
            if expected >= self._first_revision(segment):
                raise self._damaged(path, end, _TOO_EARLY, expected)
        raise lost(self._head.stream_id, expected)

    def _backwards_in(self, path: str, end: int, expected: int) -> Iterator[Batch]:
        window_bytes = _WINDOW_BYTES_FIRST
        while end > 0:
            start = max(0, end - window_bytes)
            window = self._disk.read(path, start, end - start)
            at = len(window)
            while length := last_frame_length(window[max(0, at - TAIL.size) : at]):
                if length > at:
                    break
                low = _hop_back(window, at)
                batch, behind = self._batch(window, low, at, expected, -1)
                if not batch or behind != at:
                    low = at - length
                    if problem := frame_problem(window[low:at]):
                        raise self._damaged(path, start + low, problem, expected)
                    batch = self._one(window[low:at], path, start + low, expected)
                if batch:
                    yield batch
                expected -= len(batch)
                at = low
            if at < len(window):
                window_bytes = _WINDOW_BYTES
            elif length is None or length > min(end, RECORD_BYTES_MAX) or length <= len(window):
                raise self._damaged(path, end, "no record ends here", expected)
            else:
                window_bytes = length
            end = start + at
            self._check_still_there()

    def _batch(
        self, window: bytes, start: int, end: int, expected: int, step: int
    ) -> tuple[Batch, int]:
        """The next messages and where they end, if all is as it should be; in order of `step`."""
        records, ends = read_batch(window, start, end)
        revisions = [record[RAW_REVISION] for record in records[::step]]
        if revisions != list(range(expected, expected + step * len(revisions), step)):
            return [], start
        batch = restore_batch(records[::step], self._head.stream_id)
        return batch, ends[-1] if batch else start

    def _one(self, frame: bytes, path: str, offset: int, expected: int) -> Batch:
        """The message of a whole frame; none for the header of a segment. Raises CorruptRecord."""
        if not is_record(frame):
            return []
        if record_revision(frame) != expected:
            raise self._damaged(path, offset, _MISPLACED, expected)
        try:
            return [decode_record(frame, self._head.stream_id)]
        except ValueError as error:
            raise self._damaged(path, offset, str(error), expected) from None

    def _first_revision(self, segment: int) -> int:
        return self._segments.check_header(self._head.stream_id, segment).first_revision

    def _extent(self, segment: int) -> tuple[str, int]:
        """Path and end of a segment that is the stream's own; that of `head` was seen to be."""
        path = segment_path(self._head.stream_id, segment)
        if segment == self._head.segment:
            return path, self._head.end
        self._segments.check_header(self._head.stream_id, segment)
        return path, self._disk.size(path)

    def _damaged(self, path: str, offset: int, problem: str, revision: int) -> CorruptRecord:
        stream_id = self._head.stream_id
        return CorruptRecord(path, offset, problem, stream_id=stream_id, revision=revision)


def _hop_back(window: bytes, end: int) -> int:
    """From length to length, as far back as a batch goes; nothing is checked on the way."""
    at = end
    while length := last_frame_length(window[max(0, at - TAIL.size) : at]):
        if length > at or end - (at - length) > BATCH_BYTES:
            break
        at -= length
    return at


def lost(stream_id: str, revision: int) -> CorruptRecord:
    """The error for a revision that should be there."""
    path = segment_path(stream_id, 0)
    return CorruptRecord(path, 0, _MISPLACED, stream_id=stream_id, revision=revision)
