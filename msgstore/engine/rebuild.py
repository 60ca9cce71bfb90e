"""Making the files of a store anew, in `repair.new/`, from what a survey found.

Surviving records keep their bytes, positions and revisions. Each becomes a commit of its own in the
new index: which messages were saved together only the old rows knew, and a row of its own is whole.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.journal import JOURNAL_BYTES_FIRST
from msgstore.engine.remains import SegmentFile, Stream
from msgstore.engine.renumber import SessionBook
from msgstore.engine.survey import Survey
from msgstore.format.catalog import (
    ALIGNMENT,
    CatalogEntry,
    encode_catalog_entry,
    encode_catalog_header,
)
from msgstore.format.frame import decode_frame, frame_crc
from msgstore.format.journal import Slot, encode_slot
from msgstore.format.names import (
    CATALOG,
    INDEX,
    JOURNAL,
    REPAIR_NEW,
    SEGMENT_BYTES_ROLL,
    SESSIONS,
    STORE_JSON,
    hash64,
    segment_path,
)
from msgstore.format.record import (
    SegmentHeader,
    decode_body,
    encode_segment_header,
    record_revision,
)
from msgstore.format.row import (
    FLAG_COMMAND,
    FLAG_SYNCED,
    ROW_BYTES,
    Row,
    decode_row,
    encode_index_header,
    encode_row,
    hash32,
    stored_crc,
)
from msgstore.model.errors import CorruptRecord

_BUFFER_BYTES = 1024 * 1024
_WINDOW_ROWS = 4096


class Marker(NamedTuple):
    """The record that takes the place of a lost message."""

    revision: int
    position: int
    record: bytes


class Placed(NamedTuple):
    """A record in its place: `header_bytes` of its segment's header if it is the first one there."""

    segment: int
    offset: int
    header_bytes: int
    record: bytes | memoryview


class NewFile:
    """A file in `repair.new/`, written from its front to its end."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = f"{REPAIR_NEW}/{path}"
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0
        self.end = 0

    def append(self, data: bytes | memoryview) -> None:
        self._parts.append(data)
        self._waiting += len(data)
        self.end += len(data)
        if self._waiting >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        data, self._parts = b"".join(self._parts), []
        self._disk.write(self._path, self.end - len(data), data)
        self._waiting = 0


def first_unsound(stream: Stream, lost: int | None) -> int | None:
    """The number of the segment from which on a stream must be written anew, or None.

    `lost` is its first lost revision. A segment takes no more records once it is full, so what
    follows a segment that changes its size may have to move.
    """
    revision = 0
    for expected, file in enumerate(stream.files):
        is_last = expected == len(stream.files) - 1
        is_full = file.end >= SEGMENT_BYTES_ROLL
        if not file.is_sound or file.has_strays or file.number != expected:
            return expected
        if file.first_revision != revision or not (is_last or is_full):
            return expected
        revision = file.last_revision + 1
        if lost is not None and lost < revision + (not is_full):
            return expected
    return None if lost is None else len(stream.files)


@dataclass(slots=True, eq=False, repr=False)
class Rebuilder:
    """Writes the files; `made` are their paths, `aside` those of files that are to go."""

    disk: Disk
    survey: Survey
    markers: Mapping[str, list[Marker]]
    """By stream, in the order of their revisions."""
    made: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    _kept: dict[str, list[SegmentFile]] = field(default_factory=dict)
    """By stream, the segments that stay as they are."""
    _anew: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By stream, the survivors in streams of which not all segments stay."""
    _references: dict[str, int] = field(default_factory=dict)
    _numbers: Mapping[str, int] = field(default_factory=dict)
    _types: dict[str, int] = field(default_factory=dict)

    def write_all(self, store_json: bytes | None) -> None:
        """On return all files that must be made anew stand in `repair.new/`, not synced."""
        book = SessionBook(self.survey, self._marked_sessions())
        self._numbers = book.numbers
        self._plan()
        catalog_end = self._write_catalog()
        self._write_rows()
        counts = self._fill_totals()
        sessions = book.encode(counts)
        if sessions != self._bytes_of(SESSIONS):
            self._put(SESSIONS, sessions)
        self._write_journal(len(sessions), catalog_end)
        if store_json is not None and store_json != self._bytes_of(STORE_JSON):
            self._put(STORE_JSON, store_json)
        # A name that is no Unicode can stand in no mark, and is no segment's: such a file stays.
        self.aside = [path for path in (*self.aside, *self.survey.leftovers) if _is_unicode(path)]

    def _plan(self) -> None:
        """Which segments stay as they are; all others go aside, and their messages into new ones."""
        staying = set()
        anew = []
        for stream_id in self.survey.streams.keys() | self.markers.keys():
            stream = self.survey.streams.get(stream_id) or Stream(stream_id)
            markers = self.markers.get(stream_id)
            unsound = first_unsound(stream, markers[0].revision if markers else None)
            self._kept[stream_id] = stream.files[:unsound]
            staying |= {file.path for file in stream.files[:unsound]}
            if unsound is not None:
                anew.append(stream_id)
        self._anew = self.survey.positions(anew)
        self.aside += [file.path for file in self.survey.files if file.path not in staying]

    def _bytes_of(self, path: str) -> bytes | None:
        size = self.disk.size(path)
        return None if size < 0 else self.disk.read(path, 0, size)

    def _put(self, path: str, data: bytes) -> None:
        file = NewFile(self.disk, path)
        file.append(data)
        file.flush()
        self.made.append(path)

    def _marked_sessions(self) -> Iterator[tuple[str, int, int]]:
        """Session, position and time of each marker that names a session."""
        for markers in self.markers.values():
            for marker in markers:
                position, time_us, _, _, session_id, *_ = decode_frame(marker.record)
                if session_id is not None:
                    yield session_id, position, time_us

    # ------------------------------------------------------------ catalog

    def _write_catalog(self) -> int:
        """Streams in the order of their first position. Returns the size of the catalog."""
        file = NewFile(self.disk, CATALOG)
        file.append(encode_catalog_header(self.survey.store_uuid))
        for ordinal, (position, stream_id) in enumerate(sorted(self._first_positions())):
            self._references[stream_id] = file.end // ALIGNMENT
            file.append(encode_catalog_entry(CatalogEntry(ordinal, position, stream_id)))
        file.flush()
        self.made.append(CATALOG)
        return file.end

    def _first_positions(self) -> Iterator[tuple[int, str]]:
        streams = self.survey.streams
        for stream_id in streams.keys() | self.markers.keys():
            first = [marker.position for marker in self.markers.get(stream_id, ())[:1]]
            if stream_id in streams:
                first.append(streams[stream_id].first_position)
            yield min(first), stream_id

    # ------------------------------------------------------------ segments

    def _placed(self, stream_id: str) -> Iterator[Placed]:
        """Every message of a stream where it will stand; writes the segments that change."""
        kept = self._kept[stream_id]
        for file in kept:
            header_bytes = file.header_bytes
            for one in self.survey.survivors(file):
                yield Placed(file.number, one.offset, header_bytes, one.frame)
                header_bytes = 0
        if stream_id in self._anew:
            first_revision = kept[-1].last_revision + 1 if kept else 0
            yield from self._write_segments(stream_id, len(kept), first_revision)

    def _write_segments(
        self, stream_id: str, segment: int, first_revision: int
    ) -> Iterator[Placed]:
        file = self._new_segment(stream_id, segment)
        for revision, record in self._records(stream_id, first_revision):
            header_bytes = 0
            if file.end >= SEGMENT_BYTES_ROLL:
                file.flush()
                segment += 1
                file = self._new_segment(stream_id, segment)
            if file.end == 0:
                header = encode_segment_header(
                    SegmentHeader(self.survey.store_uuid, stream_id, segment, revision)
                )
                file.append(header)
                header_bytes = len(header)
            yield Placed(segment, file.end, header_bytes, record)
            file.append(record)
        file.flush()

    def _records(self, stream_id: str, first_revision: int) -> Iterator[tuple[int, bytes]]:
        """Survivors and markers of a stream from a revision on, in order."""
        records = (self.survey.record(position) for position in self._anew[stream_id])
        survivors = ((record_revision(record), record) for record in records)
        markers = self.markers.get(stream_id, [])
        marked = ((marker.revision, marker.record) for marker in markers)
        for revision, record in merge(survivors, marked, key=itemgetter(0)):
            if revision >= first_revision:
                yield revision, record

    def _new_segment(self, stream_id: str, segment: int) -> NewFile:
        path = segment_path(stream_id, segment)
        self.made.append(path)
        return NewFile(self.disk, path)

    # ------------------------------------------------------------ index

    def _write_rows(self) -> None:
        """Each row to its place; what adds up from row to row is filled in afterwards."""
        path = f"{REPAIR_NEW}/{INDEX}"
        self.disk.write(path, 0, encode_index_header(self.survey.store_uuid))
        self.made.append(INDEX)
        for stream_id, reference in self._references.items():
            run: list[bytes] = []
            first = 0
            for placed in self._placed(stream_id):
                position, row = self._row(placed, reference)
                if run and (position != first + len(run) or len(run) >= _WINDOW_ROWS):
                    self.disk.write(path, first * ROW_BYTES, b"".join(run))
                    run = []
                first = first if run else position
                run.append(encode_row(position, row))
            if run:
                self.disk.write(path, first * ROW_BYTES, b"".join(run))

    def _row(self, placed: Placed, reference: int) -> tuple[int, Row]:
        """The row of a record; its totals are what this record adds to them."""
        position, time_us, revision, is_command, session_id, *body = decode_frame(placed.record)
        message = decode_body(body)
        row = Row(
            flags=FLAG_SYNCED | (FLAG_COMMAND if is_command else 0),
            segment=placed.segment,
            stream=reference,
            offset=placed.offset,
            length=len(placed.record),
            record_crc=frame_crc(placed.record),
            revision=revision,
            sequence=position & 0xFFFF_FFFF,
            ordinal=0,
            batch_rows=1,
            session=0 if session_id is None else self._numbers[session_id],
            streams=int(revision == 0),
            message_id=hash32(message.id),
            correlation_id=hash32(message.correlation_id),
            request_id=hash32(message.request_id),
            causation_id=hash32(message.causation_id),
            time_us=time_us,
            type=self._type_hash(message.type),
            commands=int(bool(is_command)),
            segment_bytes=len(placed.record) + placed.header_bytes,
        )
        return position, row

    def _type_hash(self, name: str) -> int:
        found = self._types.get(name)
        if found is None:
            found = self._types[name] = hash64(name)
        return found

    def _fill_totals(self) -> dict[int, tuple[int, int, int]]:
        """Adds up the totals from row to row, and the counts of each session."""
        path = f"{REPAIR_NEW}/{INDEX}"
        streams = commands = segment_bytes = 0
        messages: Counter[int] = Counter()
        commanded: Counter[int] = Counter()
        last: dict[int, int] = {}
        for start in range(1, self.survey.rows + 1, _WINDOW_ROWS):
            window = self.disk.read(path, start * ROW_BYTES, _WINDOW_ROWS * ROW_BYTES)
            filled = []
            for index in range(min(_WINDOW_ROWS, self.survey.rows + 1 - start)):
                position = start + index
                row = decode_row(position, window, index * ROW_BYTES)
                if row is None:
                    raise CorruptRecord(path, position * ROW_BYTES, "the new row is missing")
                streams += row.streams
                commands += row.commands
                segment_bytes += row.segment_bytes
                messages[row.session] += 1
                commanded[row.session] += row.commands
                last[row.session] = position
                totals = {"streams": streams, "commands": commands, "segment_bytes": segment_bytes}
                filled.append(encode_row(position, row._replace(**totals)))
            self.disk.write(path, start * ROW_BYTES, b"".join(filled))
        return {n: (messages[n], commanded[n], last[n]) for n in messages}

    # ------------------------------------------------------------ journal

    def _write_journal(self, sessions_end: int, catalog_end: int) -> None:
        """A journal of one empty generation, based on the new files."""
        rows = self.survey.rows
        row = self.disk.read(f"{REPAIR_NEW}/{INDEX}", rows * ROW_BYTES, ROW_BYTES)
        slot = Slot(
            generation=self.survey.generation + 1,
            salt=int.from_bytes(os.urandom(8), "little"),
            rows=rows,
            sequence=self.survey.sequence,
            row_crc=stored_crc(row) if rows else 0,
            entry_crc=0,
            sessions_end=sessions_end,
            catalog_end=catalog_end,
            store_uuid=self.survey.store_uuid,
        )
        journal = bytearray(JOURNAL_BYTES_FIRST)
        encoded = encode_slot(slot)
        journal[slot.offset : slot.offset + len(encoded)] = encoded
        self._put(JOURNAL, bytes(journal))


def _is_unicode(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
