"""From decided saves to physical writes. Nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from zlib import crc32

from msgstore.format.catalog import ALIGNMENT, CatalogEntry, encode_catalog_entry
from msgstore.format.journal import Write
from msgstore.format.names import CATALOG, INDEX, SEGMENT_BYTES_ROLL, segment_path
from msgstore.format.record import Encoded, SegmentHeader, encode_segment_header, seal_record
from msgstore.format.row import FLAG_COMMAND, FLAG_SYNCED, ROW_BYTES, Row, pack_row, seal_row

# Plain classes with slots: every process that saves pays for what makes these, and dataclasses write
# and compile their methods at import.


class StreamCursor:
    """Where the next record of a stream goes: at `end` of `segment`, with `revision` + 1."""

    __slots__ = ("end", "revision", "segment", "stream")

    def __init__(self, revision: int, stream: int, segment: int, end: int) -> None:
        self.revision = revision
        self.stream = stream
        self.segment = segment
        self.end = end


class Totals:
    """What the last row of the index says of the whole store."""

    __slots__ = ("commands", "rows", "segment_bytes", "streams", "time_us")

    def __init__(
        self,
        rows: int,
        time_us: int = 0,
        commands: int = 0,
        streams: int = 0,
        segment_bytes: int = 0,
    ) -> None:
        self.rows = rows
        self.time_us = time_us
        self.commands = commands
        self.streams = streams
        self.segment_bytes = segment_bytes


def totals_at(position: int, row: Row) -> Totals:
    """What the row at `position` says of the store up to it."""
    return Totals(position, row.time_us, row.commands, row.streams, row.segment_bytes)


class _Run:
    """Bytes that go one after the other into one segment."""

    __slots__ = ("offset", "parts", "path")

    def __init__(self, path: str, offset: int) -> None:
        self.path = path
        self.offset = offset
        self.parts: list[bytes] = []


class CommitContext(NamedTuple):
    """What a commit builds on."""

    store_uuid: bytes
    sequence: int
    time_us: int
    session: int
    """Number of the session, 0 for none."""
    synced: bool
    catalog_end: int


class Built(NamedTuple):
    """The outcome: writes in the order in which they must reach the files, rows last."""

    writes: list[Write]
    rows: int
    cursors: dict[str, StreamCursor]
    totals: Totals
    catalog_end: int


def build_commit(
    messages: Sequence[Encoded],
    cursor_of: Callable[[str], StreamCursor | None],
    totals: Totals,
    context: CommitContext,
) -> Built:
    """The messages in the order of their positions; `cursor_of` gives a stream's place, if it has one."""
    builder = _Builder(cursor_of, totals, context)
    builder.add(messages)
    return builder.built()


class _Builder:
    def __init__(
        self,
        cursor_of: Callable[[str], StreamCursor | None],
        totals: Totals,
        context: CommitContext,
    ) -> None:
        self._cursor_of = cursor_of
        self._context = context
        self._first_row = totals.rows + 1
        self._totals = Totals(
            totals.rows, context.time_us, totals.commands, totals.streams, totals.segment_bytes
        )
        self._cursors: dict[str, StreamCursor] = {}
        self._runs: list[_Run] = []
        self._catalog: list[bytes] = []
        self._catalog_end = context.catalog_end
        self._rows: list[bytes] = []

    def add(self, messages: Sequence[Encoded]) -> None:
        """The one loop that every saved message goes through: what it needs stands in locals."""
        totals, batch_rows, rows = self._totals, len(messages), self._rows
        _, sequence, time_us, session, synced, _ = self._context
        sequence &= 0xFFFF_FFFF
        synced_flag = FLAG_SYNCED if synced else 0
        position, commands, segment_bytes = totals.rows, totals.commands, totals.segment_bytes
        places: dict[str, tuple[StreamCursor, list[bytes]]] = {}
        for ordinal, message in enumerate(messages):
            stream_id, body, is_command, type_hash, ids = message
            place = places.get(stream_id)
            if place is None or place[0].end >= SEGMENT_BYTES_ROLL:
                totals.segment_bytes, totals.rows = segment_bytes, position
                place = places[stream_id] = self._place(stream_id)
                segment_bytes = totals.segment_bytes
            cursor, parts = place
            position += 1
            commands += is_command
            cursor.revision = revision = cursor.revision + 1
            seal, rest, length, crc = seal_record(body, position, time_us, revision, is_command)
            parts += (seal, rest)
            segment_bytes += length
            row = pack_row(
                FLAG_COMMAND | synced_flag if is_command else synced_flag,
                cursor.segment,
                cursor.stream,
                cursor.end,
                length,
                crc,
                revision,
                sequence,
                ordinal,
                batch_rows,
                session,
                totals.streams,
                *ids,
                time_us,
                type_hash,
                commands,
                segment_bytes,
            )
            rows += (seal_row(crc32(row, position & 0xFFFF_FFFF)), row)
            cursor.end += length
        totals.rows, totals.commands, totals.segment_bytes = position, commands, segment_bytes

    def _place(self, stream_id: str) -> tuple[StreamCursor, list[bytes]]:
        """Where the next record of the stream goes; begins a segment where one is due."""
        cursor = self._cursors.get(stream_id)
        if cursor is None:
            known = self._cursor_of(stream_id)
            cursor = self._new_stream(stream_id) if known is None else _copy(known)
            self._cursors[stream_id] = cursor
        if cursor.end >= SEGMENT_BYTES_ROLL:
            cursor.segment, cursor.end = cursor.segment + 1, 0
        run = _Run(segment_path(stream_id, cursor.segment), cursor.end)
        self._runs.append(run)
        if cursor.end == 0:
            header = encode_segment_header(
                SegmentHeader(
                    self._context.store_uuid, stream_id, cursor.segment, cursor.revision + 1
                )
            )
            run.parts.append(header)
            cursor.end = len(header)
            self._totals.segment_bytes += len(header)
        return cursor, run.parts

    def _new_stream(self, stream_id: str) -> StreamCursor:
        entry = encode_catalog_entry(
            CatalogEntry(self._totals.streams, self._totals.rows + 1, stream_id)
        )
        cursor = StreamCursor(-1, self._catalog_end // ALIGNMENT, 0, 0)
        self._catalog.append(entry)
        self._catalog_end += len(entry)
        self._totals.streams += 1
        return cursor

    def built(self) -> Built:
        writes = [Write(run.path, run.offset, b"".join(run.parts)) for run in self._runs]
        if self._catalog:
            writes.append(Write(CATALOG, self._context.catalog_end, b"".join(self._catalog)))
        writes.append(Write(INDEX, self._first_row * ROW_BYTES, b"".join(self._rows)))
        rows = self._totals.rows + 1 - self._first_row
        return Built(writes, rows, self._cursors, self._totals, self._catalog_end)


def _copy(cursor: StreamCursor) -> StreamCursor:
    return StreamCursor(cursor.revision, cursor.stream, cursor.segment, cursor.end)
