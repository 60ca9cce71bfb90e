"""What a store in memory holds: packed messages in rows, and what finds them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgpack

from msgstore.model.clock import Clock, format_uuid, to_datetime, to_us, uuid7
from msgstore.model.errors import (
    InvalidMessage,
    MessageTooLarge,
    MsgStoreError,
    SessionEnded,
    SessionNotFound,
)
from msgstore.model.inference import infer_message_type
from msgstore.model.message import (
    NO_SESSION,
    Message,
    MessageType,
    PositionalMessage,
    restore_message,
    restore_positional,
)
from msgstore.model.results import SessionInfo, StreamInfo
from msgstore.model.saving import NewSave, SaveRequest
from msgstore.model.values import MESSAGE_BYTES_MAX

# A row and what finds it, measured on 64-bit CPython 3.11: the tuple 112, its numbers 60, the id
# 85 and its place in a dictionary about 100, the header of the packed bytes 33, two list slots 16.
ROW_BYTES = 400


class Row(NamedTuple):
    """One stored message. Its content stays packed, so that nobody shares a dict with the store."""

    stream_id: str
    message_type: MessageType
    revision: int
    position: int
    time_us: int
    session_id: str
    message_id: str
    packed: bytes


@dataclass(slots=True)
class Session:
    session_id: str
    name: str | None
    labels: dict[str, str]
    started_us: int
    last_activity_us: int
    ended_us: int | None = None
    status: str | None = None
    message_count: int = 0
    command_count: int = 0


@dataclass(slots=True)
class Content:
    """All that `reset` throws away. Rows are only ever added, so a row count is a snapshot."""

    rows: list[Row] = field(default_factory=list)
    streams: dict[str, list[Row]] = field(default_factory=dict)
    ids: dict[str, Row] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    command_count: int = 0
    packed_bytes: int = 0
    last_time_us: int | None = None
    current: str | None = None
    active: str | None = None
    store_id: str = field(default_factory=lambda: format_uuid(uuid7()))

    def now(self, clock: Clock) -> int:
        """The time of a commit: never before that of the one before it."""
        now_us = clock()
        return now_us if self.last_time_us is None else max(now_us, self.last_time_us)

    def revision_of(self, stream_id: str) -> int:
        return len(self.streams.get(stream_id, ())) - 1

    def find(self, message_id: str) -> PositionalMessage | None:
        row = self.ids.get(message_id)
        return None if row is None else unpack(row)

    def session(self, session_id: str) -> Session:
        """Raises SessionNotFound."""
        if (session := self.sessions.get(session_id)) is None:
            raise SessionNotFound(session_id)
        return session

    def open_session(self, session_id: str) -> Session:
        """Raises SessionNotFound or SessionEnded."""
        session = self.session(session_id)
        if session.ended_us is not None:
            raise SessionEnded(session_id)
        return session

    def add(self, rows: Sequence[Row]) -> None:
        self.rows.extend(rows)
        for row in rows:
            self.streams.setdefault(row.stream_id, []).append(row)
            self.ids[row.message_id] = row
            self.packed_bytes += len(row.packed)
            is_command = row.message_type is MessageType.COMMAND
            self.command_count += is_command
            if session := self.sessions.get(row.session_id):
                session.message_count += 1
                session.command_count += is_command
                session.last_activity_us = row.time_us
        self.last_time_us = rows[-1].time_us


# ---------------------------------------------------------------- packed messages


def pack_requests(requests: Sequence[SaveRequest]) -> list[list[bytes]]:
    """The packed messages of each request. An error names its request."""
    packed = []
    for index, request in enumerate(requests):
        try:
            packed.append([_pack(message) for message in request.messages])
        except MsgStoreError as error:
            error.request_index = index
            raise
    return packed


def _pack(message: Message) -> bytes:
    """Everything but the id, which may still have to be made."""
    fields = (
        message.type,
        message.data,
        message.request_id,
        message.correlation_id,
        message.causation_id,
        None if message.timestamp is None else to_us(message.timestamp),
        message.metadata,
    )
    try:
        packed: bytes = msgpack.packb(fields)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidMessage("data", f"was changed after it was checked: {error}") from None
    if len(packed) > MESSAGE_BYTES_MAX:
        raise MessageTooLarge("the message", len(packed), MESSAGE_BYTES_MAX)
    return packed


def unpack(row: Row) -> PositionalMessage:
    type, data, request_id, correlation_id, causation_id, time_us, metadata = msgpack.unpackb(
        row.packed
    )
    message = restore_message(
        type,
        data,
        row.message_id,
        request_id,
        correlation_id,
        causation_id,
        None if time_us is None else to_datetime(time_us),
        metadata,
    )
    return restore_positional(
        row.stream_id,
        message,
        row.message_type,
        row.revision,
        row.position,
        to_datetime(row.time_us),
        row.session_id,
    )


def rows_of(
    save: NewSave, packed: Sequence[bytes], time_us: int, session_id: str | None
) -> Iterator[Row]:
    request = save.request
    for ordinal, message in enumerate(request.messages):
        yield Row(
            request.stream_id,
            infer_message_type(request.stream_id, message.request_id, request.message_type),
            save.first_revision + ordinal,
            save.first_position + ordinal,
            time_us,
            session_id or NO_SESSION,
            message.id or format_uuid(uuid7()),
            packed[ordinal],
        )


def stream_info(rows: Sequence[Row]) -> StreamInfo:
    first, last = rows[0], rows[-1]
    return StreamInfo(
        stream_id=first.stream_id,
        revision=last.revision,
        message_count=len(rows),
        first_position=first.position,
        last_position=last.position,
        created_at=to_datetime(first.time_us),
        last_updated=to_datetime(last.time_us),
    )


def session_info(session: Session) -> SessionInfo:
    return SessionInfo(
        session_id=session.session_id,
        name=session.name,
        labels=dict(session.labels),
        started_at=to_datetime(session.started_us),
        ended_at=None if session.ended_us is None else to_datetime(session.ended_us),
        status=session.status,
        message_count=session.message_count,
        command_count=session.command_count,
        event_count=session.message_count - session.command_count,
        last_activity=to_datetime(session.last_activity_us),
    )
