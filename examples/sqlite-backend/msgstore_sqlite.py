"""A LocalMessageStore in one file of SQLite: an example of what a backend has to supply.

`plan_saves` decides every save; `BaseStore` has the many ways of calling, `LocalSessions` the block
`with store.session()`. What is left is here: one transaction for each commit, and the readings.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from msgstore import (
    NO_SESSION,
    Message,
    MessageFilter,
    MessageTooLarge,
    MessageType,
    PositionalMessage,
    SaveRequest,
    SaveResult,
    SessionEnded,
    SessionInfo,
    SessionNotFound,
    StoreClosed,
    StoreNotFound,
    StoreStats,
    StoreUnavailable,
    StreamInfo,
)
from msgstore.backends.base import BaseStore, LocalSessions, at_most, check_session_details
from msgstore.model.arguments import (
    Direction,
    check_count,
    check_direction,
    check_filter,
    check_revision,
    check_timeout,
)
from msgstore.model.clock import format_uuid, new_session_id, system_clock_us, to_datetime, uuid7
from msgstore.model.inference import infer_message_type
from msgstore.model.saving import Known, NewSave, plan_saves
from msgstore.model.values import check_text

_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    position INTEGER PRIMARY KEY, stream TEXT NOT NULL, revision INTEGER NOT NULL,
    kind TEXT NOT NULL, time_us INTEGER NOT NULL, session TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL, UNIQUE (stream, revision));
CREATE INDEX IF NOT EXISTS by_session ON messages (session);
CREATE TABLE IF NOT EXISTS sessions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT, labels TEXT NOT NULL,
    started_us INTEGER NOT NULL, ended_us INTEGER, status TEXT, active INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS epochs (number INTEGER);
"""
_COLUMNS = "position, stream, revision, kind, time_us, session, id, body"
_BODY_BYTES_MAX = 16 * 1024 * 1024
_PAGE = 256
_GLANCE_S = 0.01


def open_sqlite(url: str, **options: Any) -> SqliteMessageStore:
    """What the entry point names: `sqlite:PATH`. Options that mean nothing here are passed over."""
    return SqliteMessageStore(unquote(url.partition(":")[2]), create=options.get("create", True))


class SqliteMessageStore(LocalSessions, BaseStore):
    def __init__(self, path: str, *, create: bool = True) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._current: str | None = None
        self._is_closed = False
        mode = "rwc" if create else "rw"
        try:
            self._database = sqlite3.connect(
                f"file:{path}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=30,
                check_same_thread=False,
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            if create:
                raise StoreUnavailable(path, str(error)) from None
            raise StoreNotFound(path) from None

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            if self._is_closed:
                raise StoreClosed(self.path, "the store is closed")
            try:
                return self._database.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:  # locked for too long, or the disk is full
                raise StoreUnavailable(self.path, str(error)) from None

    # ------------------------------------------------------------ saving

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        for index, request in enumerate(requests):
            for message in request.messages:
                _check_size(message, index)
        with self._lock:
            self._ask("BEGIN IMMEDIATE")
            try:
                known = Known(self._revision_of, self._find, self._last("position") + 1)
                plan = plan_saves(requests, known, independent=independent)
                if plan.new and self._current is not None:
                    self._session(self._current, is_open=True)
                time_us = max(system_clock_us(), self._last("time_us"))
                for save in plan.new:
                    self._write(save, time_us)
                self._ask("COMMIT")
            except BaseException:  # an interrupt too: all of it or nothing
                self._ask("ROLLBACK")
                raise
        return plan.results

    def _write(self, save: NewSave, time_us: int) -> None:
        stream_id = save.request.stream_id
        for ordinal, message in enumerate(save.request.messages):
            kind = infer_message_type(stream_id, message.request_id, save.request.message_type)
            self._ask(
                f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                save.first_position + ordinal,
                stream_id,
                save.first_revision + ordinal,
                kind.value,
                time_us,
                self._current or NO_SESSION,
                message.id or format_uuid(uuid7()),
                json.dumps(message.to_json(), ensure_ascii=False),
            )

    def _revision_of(self, stream_id: str) -> int:
        ((revision,),) = self._ask("SELECT max(revision) FROM messages WHERE stream = ?", stream_id)
        return -1 if revision is None else int(revision)

    def _find(self, message_id: str) -> PositionalMessage | None:
        rows = self._ask(f"SELECT {_COLUMNS} FROM messages WHERE id = ?", message_id)
        return _stored(rows[0]) if rows else None

    def _last(self, column: str) -> int:
        ((value,),) = self._ask(f"SELECT max({column}) FROM messages")
        return int(value or 0)

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        self._ask("SELECT 1")
        wanted = MessageFilter(stream_id=check_text(stream_id, "stream_id"))
        first = check_revision(from_revision, "from_revision") or 0
        last = check_revision(to_revision, "to_revision")
        check_count(count)
        messages = self._read(wanted, check_direction(direction))
        in_range = (
            m for m in messages if m.revision >= first and (last is None or m.revision <= last)
        )
        return at_most(count, in_range)

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        self._ask("SELECT 1")
        wanted = check_filter(filter)
        check_count(count)
        return at_most(count, self._read(wanted, check_direction(direction)))

    def _read(self, wanted: MessageFilter, direction: Direction) -> Iterator[PositionalMessage]:
        """Matches up to the position that is the last when the first message is asked for."""
        first, last = 1, self._last("position")
        backwards = direction == "backwards"
        while first <= last:
            rows = self._page(wanted.stream_id, first, last, backwards)
            yield from filter(wanted.matches, map(_stored, rows))
            if len(rows) < _PAGE:
                return
            first, last = (first, rows[-1][0] - 1) if backwards else (rows[-1][0] + 1, last)

    def _page(self, stream_id: str | None, first: int, last: int, backwards: bool) -> list[Any]:
        of_stream = "" if stream_id is None else "AND stream = ?"
        values = (first, last) if stream_id is None else (first, last, stream_id)
        return self._ask(
            f"SELECT {_COLUMNS} FROM messages WHERE position BETWEEN ? AND ? {of_stream} "
            f"ORDER BY position {'DESC' if backwards else 'ASC'} LIMIT {_PAGE}",
            *values,
        )

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[PositionalMessage]:
        """Looks every 10 ms. After a `reset` it goes on with the new first message."""
        self._ask("SELECT 1")
        wanted = check_filter(filter)
        first = check_count(from_position, "from_position") or 1
        return self._follow(wanted, first, check_timeout(timeout))

    def _follow(
        self, wanted: MessageFilter, first: int, timeout_s: float | None
    ) -> Iterator[PositionalMessage]:
        epoch, arrived_s = self._epoch(), time.monotonic()
        while True:
            is_last_look = timeout_s is not None and time.monotonic() - arrived_s >= timeout_s
            if self._epoch() != epoch:
                epoch, first = self._epoch(), 1
            has_arrived, last = False, self._last("position")
            while first <= last:
                rows = self._page(None, first, last, False)
                for stored in map(_stored, rows):
                    if wanted.matches(stored):
                        has_arrived, arrived_s = True, time.monotonic()
                        yield stored
                first = rows[-1][0] + 1 if rows else last + 1
            if is_last_look and not has_arrived:
                return
            time.sleep(_GLANCE_S)

    def _epoch(self) -> int:
        return len(self._ask("SELECT number FROM epochs"))

    def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        check_text(stream_id, "stream_id")
        return next(self._infos("WHERE stream = ?", stream_id), None)

    def get_streams(self) -> Iterator[StreamInfo]:
        return self._infos("")

    def _infos(self, where: str, *values: Any) -> Iterator[StreamInfo]:
        rows = self._ask(
            "SELECT stream, max(revision), count(*), min(position), max(position), min(time_us), "
            f"max(time_us) FROM messages {where} GROUP BY stream ORDER BY min(position)",
            *values,
        )
        return iter(
            [StreamInfo(*row[:5], to_datetime(row[5]), to_datetime(row[6])) for row in rows]
        )

    def get_stats(self) -> StoreStats:
        ((messages, commands, streams, oldest, newest),) = self._ask(
            "SELECT count(*), total(kind = 'command'), count(DISTINCT stream), min(time_us), "
            "max(time_us) FROM messages"
        )
        ((pages,),) = self._ask("PRAGMA page_count")
        ((page_bytes,),) = self._ask("PRAGMA page_size")
        return StoreStats(
            total_messages=messages,
            total_commands=int(commands),
            total_events=messages - int(commands),
            total_streams=streams,
            total_sessions=len(self._ask("SELECT id FROM sessions")),
            oldest_message=None if oldest is None else to_datetime(oldest),
            newest_message=None if newest is None else to_datetime(newest),
            disk_bytes=pages * page_bytes,
        )

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self._current

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        name, labels = check_session_details(name, labels)
        with self._lock:
            now_us = max(system_clock_us(), self._last("time_us"))
            session_id = new_session_id(now_us)
            self._ask(
                "INSERT INTO sessions (id, name, labels, started_us) VALUES (?, ?, ?, ?)",
                *(session_id, name, json.dumps(labels), now_us),
            )
            self._current = session_id
        return session_id

    def use_session(self, session_id: str | None) -> None:
        self._ask("SELECT 1")
        if session_id is not None:
            self._session(session_id, is_open=True)
        self._current = session_id

    def end_session(self, session_id: str, status: str | None = None) -> None:
        if status is not None:
            check_text(status, "status")
        with self._lock:
            started_us = self._session(session_id, is_open=True)[3]
            ended_us = max(system_clock_us(), started_us, self._last("time_us"))
            self._ask(
                "UPDATE sessions SET ended_us = ?, status = ?, active = 0 WHERE id = ?",
                *(ended_us, status, session_id),
            )
            if self._current == session_id:
                self._current = None

    def active_session(self) -> str | None:
        rows = self._ask("SELECT id FROM sessions WHERE active")
        return rows[0][0] if rows else None

    def activate_session(self, session_id: str) -> None:
        self._session(session_id, is_open=True)
        self._ask("UPDATE sessions SET active = (id = ?)", session_id)

    def get_sessions(self) -> list[SessionInfo]:
        rows = self._ask("SELECT id FROM sessions ORDER BY number")
        return [self.get_session_info(session_id) for (session_id,) in rows]

    def get_session_info(self, session_id: str) -> SessionInfo:
        _, name, labels, started_us, ended_us, status = self._session(session_id)
        ((messages, commands, last_us),) = self._ask(
            "SELECT count(*), total(kind = 'command'), max(time_us) FROM messages WHERE session = ?",
            session_id,
        )
        return SessionInfo(
            session_id=session_id,
            name=name,
            labels=json.loads(labels),
            started_at=to_datetime(started_us),
            ended_at=None if ended_us is None else to_datetime(ended_us),
            status=status,
            message_count=messages,
            command_count=int(commands),
            event_count=messages - int(commands),
            last_activity=to_datetime(started_us if last_us is None else last_us),
        )

    def _require_session(self, session_id: str) -> None:
        self._session(session_id)

    def _session(self, session_id: str, *, is_open: bool = False) -> Any:
        rows = self._ask(
            "SELECT id, name, labels, started_us, ended_us, status FROM sessions WHERE id = ?",
            session_id,
        )
        if not rows:
            raise SessionNotFound(session_id)
        if is_open and rows[0][4] is not None:
            raise SessionEnded(session_id)
        return rows[0]

    # ------------------------------------------------------------ the object

    def reset(self) -> None:
        with self._lock:
            self._ask("BEGIN IMMEDIATE")
            self._ask("DELETE FROM messages")
            self._ask("DELETE FROM sessions")
            self._ask("INSERT INTO epochs VALUES (1)")
            self._ask("COMMIT")
            self._current = None

    def flush(self) -> None:
        self._ask("SELECT 1")  # a commit is on the disk when it returns

    def close(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._database.close()


def _check_size(message: Message, index: int) -> None:
    size_bytes = len(json.dumps(message.to_json(), ensure_ascii=False).encode())
    if size_bytes > _BODY_BYTES_MAX:
        error = MessageTooLarge("the message", size_bytes, _BODY_BYTES_MAX)
        error.request_index = index
        raise error


def _stored(row: Any) -> PositionalMessage:
    position, stream_id, revision, kind, time_us, session_id, message_id, body = row
    fields = json.loads(body) | {"id": message_id}
    return PositionalMessage(
        stream_id=stream_id,
        message=Message.from_json(fields),
        message_type=MessageType(kind),
        revision=revision,
        position=position,
        timestamp=to_datetime(time_us),
        session_id=session_id,
    )
