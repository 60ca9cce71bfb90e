"""A commit as bytes: from decided saves to the physical writes. Nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgstore.format.catalog import ALIGNMENT, CatalogEntry, encode_catalog_entry
from msgstore.format.frame import frame_crc
from msgstore.format.journal import Write
from msgstore.format.names import CATALOG, INDEX, SEGMENT_BYTES_ROLL, hash64, segment_path
from msgstore.format.record import SegmentHeader, encode_body, encode_record, encode_segment_header
from msgstore.format.row import FLAG_COMMAND, FLAG_SYNCED, ROW_BYTES, encode_row, hash32
from msgstore.model.clock import format_uuid, uuid7
from msgstore.model.inference import infer_message_type
from msgstore.model.message import Message, MessageType
from msgstore.model.saving import NewSave


class Encoded(NamedTuple):
    """What was made of a message before the lock was taken."""

    body: bytes
    message_id: str
    """The given id, or the one that was made for it."""


def encode_message(message: Message, session_id: str | None) -> Encoded:
    """Everything of a record that does not depend on its place. Raises MessageTooLarge."""
    message_id = format_uuid(uuid7()) if message.id is None else message.id
    return Encoded(encode_body(message, message_id, session_id), message_id)


@dataclass(slots=True, eq=False, repr=False)
class StreamCursor:
    """Where the next record of a stream goes: at `end` of `segment`, with `revision` + 1."""

    revision: int
    stream: int
    segment: int
    end: int
    last_position: int


@dataclass(slots=True, eq=False, repr=False)
class Totals:
    """What the last row of the index says of the whole store."""

    rows: int
    time_us: int = 0
    commands: int = 0
    streams: int = 0
    segment_bytes: int = 0


@dataclass(slots=True, eq=False, repr=False)
class _Run:
    """Bytes that go one after the other into one segment."""

    path: str
    offset: int
    parts: list[bytes] = field(default_factory=list)


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
    saves: Sequence[NewSave],
    encoded: Sequence[Sequence[Encoded]],
    cursor_of: Callable[[str], StreamCursor | None],
    totals: Totals,
    context: CommitContext,
) -> Built:
    """`encoded` holds the messages of each request; `cursor_of` gives a stream's place, if it has one."""
    builder = _Builder(cursor_of, totals, context, sum(len(s.request.messages) for s in saves))
    for save in saves:
        builder.add(save, encoded[save.request_index])
    return builder.built()


class _Builder:
    def __init__(
        self,
        cursor_of: Callable[[str], StreamCursor | None],
        totals: Totals,
        context: CommitContext,
        batch_rows: int,
    ) -> None:
        self._cursor_of = cursor_of
        self._context = context
        self._first_row = totals.rows + 1
        self._totals = Totals(
            totals.rows, context.time_us, totals.commands, totals.streams, totals.segment_bytes
        )
        self._batch_rows = batch_rows
        self._cursors: dict[str, StreamCursor] = {}
        self._runs: dict[str, _Run] = {}
        self._catalog: list[bytes] = []
        self._catalog_end = context.catalog_end
        self._rows: list[bytes] = []
        self._hash64: dict[str, int] = {}

    def add(self, save: NewSave, encoded: Sequence[Encoded]) -> None:
        request = save.request
        cursor = self._cursor(request.stream_id)
        assert save.first_revision == cursor.revision + 1
        assert save.first_position == self._totals.rows + 1
        for message, made in zip(request.messages, encoded, strict=True):
            kind = infer_message_type(request.stream_id, message.request_id, request.message_type)
            self._add_message(
                request.stream_id,
                cursor,
                message,
                made,
                kind is MessageType.COMMAND,
            )

    def _add_message(
        self,
        stream_id: str,
        cursor: StreamCursor,
        message: Message,
        encoded: Encoded,
        is_command: bool,
    ) -> None:
        totals, context = self._totals, self._context
        run = self._run(stream_id, cursor)
        cursor.revision += 1
        totals.rows += 1
        cursor.last_position = totals.rows
        totals.commands += is_command
        record = encode_record(
            encoded.body, totals.rows, context.time_us, cursor.revision, is_command
        )
        run.parts.append(record)
        totals.segment_bytes += len(record)
        self._rows.append(
            encode_row(
                totals.rows,
                (
                    (FLAG_COMMAND if is_command else 0) | (FLAG_SYNCED if context.synced else 0),
                    cursor.segment,
                    cursor.stream,
                    cursor.end,
                    len(record),
                    frame_crc(record),
                    cursor.revision,
                    context.sequence & 0xFFFF_FFFF,
                    len(self._rows),
                    self._batch_rows,
                    context.session,
                    totals.streams,
                    hash32(encoded.message_id),
                    hash32(message.correlation_id),
                    hash32(message.request_id),
                    hash32(message.causation_id),
                    context.time_us,
                    self._type_hash(message.type),
                    totals.commands,
                    totals.segment_bytes,
                ),
            )
        )
        cursor.end += len(record)

    def _type_hash(self, name: str) -> int:
        found = self._hash64.get(name)
        if found is None:
            found = self._hash64[name] = hash64(name)
        return found

    def _cursor(self, stream_id: str) -> StreamCursor:
        cursor = self._cursors.get(stream_id)
        if cursor is None:
            known = self._cursor_of(stream_id)
            cursor = self._new_stream(stream_id) if known is None else _copy(known)
            self._cursors[stream_id] = cursor
        return cursor

    def _new_stream(self, stream_id: str) -> StreamCursor:
        entry = encode_catalog_entry(
            CatalogEntry(self._totals.streams, self._totals.rows + 1, stream_id)
        )
        cursor = StreamCursor(-1, self._catalog_end // ALIGNMENT, 0, 0, 0)
        self._catalog.append(entry)
        self._catalog_end += len(entry)
        self._totals.streams += 1
        return cursor

    def _run(self, stream_id: str, cursor: StreamCursor) -> _Run:
        """The run that the next record of the stream goes into; begins a segment where one is due."""
        if cursor.end >= SEGMENT_BYTES_ROLL:
            cursor.segment, cursor.end = cursor.segment + 1, 0
        path = segment_path(stream_id, cursor.segment)
        run = self._runs.get(path)
        if run is None:
            run = self._runs[path] = _Run(path, cursor.end)
        if cursor.end == 0:
            header = encode_segment_header(
                SegmentHeader(
                    self._context.store_uuid, stream_id, cursor.segment, cursor.revision + 1
                )
            )
            run.parts.append(header)
            cursor.end = len(header)
            self._totals.segment_bytes += len(header)
        return run

    def built(self) -> Built:
        writes = [Write(run.path, run.offset, b"".join(run.parts)) for run in self._runs.values()]
        if self._catalog:
            writes.append(Write(CATALOG, self._context.catalog_end, b"".join(self._catalog)))
        writes.append(Write(INDEX, self._first_row * ROW_BYTES, b"".join(self._rows)))
        return Built(writes, len(self._rows), self._cursors, self._totals, self._catalog_end)


def _copy(cursor: StreamCursor) -> StreamCursor:
    return StreamCursor(
        cursor.revision, cursor.stream, cursor.segment, cursor.end, cursor.last_position
    )
