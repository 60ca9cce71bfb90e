"""An SQLite database of messages, streams and sessions; and messages out of one.

The tables are made for people: every field of a message is a column, times are ISO 8601 in UTC, data
and metadata are JSON text, which SQLite's own functions look into.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import orjson

from msgstore.model.clock import format_time
from msgstore.model.errors import RequestError, StoreUnavailable
from msgstore.model.message import NO_SESSION, PositionalMessage
from msgstore.model.results import SessionInfo
from msgstore.model.values import Json

APPLICATION_ID = 0x6D736773  # "msgs"
SCHEMA_VERSION = 1

_TABLES = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    name TEXT,
    labels TEXT NOT NULL CHECK (json_valid(labels)),
    started_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT,
    message_count INTEGER NOT NULL DEFAULT 0,
    command_count INTEGER NOT NULL DEFAULT 0,
    event_count INTEGER NOT NULL DEFAULT 0,
    last_activity TEXT
);
CREATE TABLE streams (
    stream_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    last_updated TEXT NOT NULL
);
CREATE TABLE messages (
    position INTEGER PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (stream_id),
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('command', 'event')),
    type TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    data TEXT NOT NULL,
    id TEXT NOT NULL,
    request_id TEXT,
    correlation_id TEXT,
    causation_id TEXT,
    timestamp TEXT,
    metadata TEXT,
    session_id TEXT REFERENCES sessions (session_id)
);
"""
_AFTERWARDS = """
INSERT INTO streams
    SELECT stream_id, max(revision), count(*), min(position), max(position),
           min(recorded_at), max(recorded_at)
    FROM messages GROUP BY stream_id ORDER BY min(position);
CREATE UNIQUE INDEX messages_by_stream ON messages (stream_id, revision);
CREATE UNIQUE INDEX messages_by_id ON messages (id);
CREATE INDEX messages_by_type ON messages (type);
CREATE INDEX messages_by_time ON messages (recorded_at);
CREATE INDEX messages_by_session ON messages (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX messages_by_correlation ON messages (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX messages_by_request ON messages (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX messages_by_causation ON messages (causation_id) WHERE causation_id IS NOT NULL;
CREATE VIEW commands AS SELECT * FROM messages WHERE kind = 'command';
CREATE VIEW events AS SELECT * FROM messages WHERE kind = 'event';
CREATE VIEW types AS
    SELECT type, kind, count(*) AS message_count,
           min(recorded_at) AS first_at, max(recorded_at) AS last_at
    FROM messages GROUP BY type, kind;
CREATE VIEW correlations AS
    SELECT correlation_id, count(*) AS message_count, count(DISTINCT stream_id) AS stream_count,
           min(position) AS first_position, max(position) AS last_position,
           min(recorded_at) AS first_at, max(recorded_at) AS last_at
    FROM messages WHERE correlation_id IS NOT NULL GROUP BY correlation_id;
"""
_INSERT = f"INSERT INTO messages VALUES ({', '.join('?' * 14)})"
_ROWS_AT_ONCE = 1000


class Database:
    """Fills the empty file at `path`; `sessions` gives those that may be told of, asked at the end.

    Told of are those that a message is stamped with, and `always`; all of them for None. What SQLite
    reports is raised as OSError.
    """

    def __init__(
        self,
        path: str,
        sessions: Callable[[], Iterable[SessionInfo]],
        always: Iterable[str] | None = (),
    ) -> None:
        self._sessions = sessions
        self._always = None if always is None else set(always)
        self._stamped: set[str] = set()
        self._rows: list[tuple[Any, ...]] = []
        self._connection = sqlite3.connect(path, isolation_level=None)
        # Nobody sees the file before it is whole: what SQLite does to keep it so costs for nothing.
        self._run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + _TABLES)

    def add(self, stored: PositionalMessage) -> None:
        self._rows.append(_row_of(stored))
        if stored.session_id != NO_SESSION:
            self._stamped.add(stored.session_id)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def end(self) -> None:
        """On return the database is whole, and closed."""
        self._flush()
        with _as_os_error():
            self._connection.executemany(
                f"INSERT INTO sessions VALUES ({', '.join('?' * 10)})",
                (_session_row(info) for info in self._sessions() if self._is_told(info)),
            )
            known = ((session_id,) for session_id in sorted(self._stamped))
            # Of a session that the store does not know any more the stamps are all that is told.
            self._connection.executemany(
                "INSERT OR IGNORE INTO sessions (session_id, labels, started_at) "
                "SELECT ?1, '{}', min(recorded_at) FROM messages WHERE session_id = ?1",
                known,
            )
        self._run("BEGIN;" + _AFTERWARDS + _COUNT_SESSIONS + "COMMIT;")  # after a commit of its own
        self.close()

    def close(self) -> None:
        self._connection.close()

    def _is_told(self, info: SessionInfo) -> bool:
        always = self._always
        return always is None or info.session_id in always or info.session_id in self._stamped

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        with _as_os_error():
            self._connection.executemany(_INSERT, rows)

    def _run(self, script: str) -> None:
        with _as_os_error():
            self._connection.executescript(script)


_COUNT_SESSIONS = """
UPDATE sessions SET
    message_count = counts.messages, command_count = counts.commands,
    event_count = counts.messages - counts.commands, last_activity = counts.last
FROM (
    SELECT session_id AS id, count(*) AS messages, sum(kind = 'command') AS commands,
           max(recorded_at) AS last
    FROM messages WHERE session_id IS NOT NULL GROUP BY session_id
) AS counts WHERE session_id = counts.id;
"""


class _as_os_error:
    """What SQLite reports of a disk is told as the system itself tells it."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise OSError(5, str(error)) from None


def _row_of(stored: PositionalMessage) -> tuple[Any, ...]:
    message = stored.message
    return (
        stored.position,
        stored.stream_id,
        stored.revision,
        stored.message_type.value,
        message.type,
        _six_digits(format_time(stored.timestamp)),
        _text(message.data),
        message.id,
        message.request_id,
        message.correlation_id,
        message.causation_id,
        None if message.timestamp is None else _six_digits(format_time(message.timestamp)),
        None if message.metadata is None else _text(message.metadata),
        None if stored.session_id == NO_SESSION else stored.session_id,
    )


def _session_row(info: SessionInfo) -> tuple[Any, ...]:
    return (
        info.session_id,
        info.name,
        _text(dict(info.labels)),
        _six_digits(format_time(info.started_at)),
        None if info.ended_at is None else _six_digits(format_time(info.ended_at)),
        info.status,
        *(0, 0, 0, None),
    )


def _six_digits(time: str) -> str:
    """Texts of one length, so that their order is that of time."""
    return time if len(time) == 27 else time[:-1] + "000Z"


def _text(value: Json) -> str:
    return orjson.dumps(value).decode()


# ---------------------------------------------------------------- reading


class NotADatabase(RequestError):
    """The file is no database of messages, or a damaged one."""

    advice = "read what `msgstore export --format sqlite` made"


_COLUMNS = (
    *("position", "stream_id", "revision", "kind", "type", "data", "id"),
    *("request_id", "correlation_id", "causation_id", "timestamp", "metadata"),
)
_FIELDS = ("id", "requestId", "correlationId", "causationId", "timestamp")
_OPERATIONS_A_ROW_MAX = 1_000_000
"""A row by its key takes a few dozen; a view that somebody made in place of the table may never end."""


def read_rows(
    path: str, load: Callable[[bytes], Json], text_bytes_max: int
) -> Iterator[tuple[int, int, Json]]:
    """Position, size in bytes, and the message in the shape that `query` prints, of each row in order.

    Raises NotADatabase, StoreUnavailable, and what `load` raises.
    """
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)
        with closing(connection):
            _guard(connection, text_bytes_max)
            for row in _rows(connection):
                size_bytes = sum(len(value) for value in row if isinstance(value, str | bytes))
                yield row[0], size_bytes, _message_of(row, load)
    except sqlite3.OperationalError as error:
        if "unable to open" in str(error):
            raise StoreUnavailable(path, str(error)) from None
        raise NotADatabase(f"{path}: {error}") from None
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise NotADatabase(f"{path}: {error}") from None


def _guard(connection: sqlite3.Connection, text_bytes_max: int) -> None:
    """A database may be somebody else's work: nothing in it is run, and no value is larger than allowed."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, text_bytes_max)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    # A virtual table, which runs code of its own, has no page.
    question = "SELECT type, rootpage > 0 FROM sqlite_master WHERE name = 'messages'"
    if connection.execute(question).fetchall() != [("table", 1)]:
        raise NotADatabase("it has no table 'messages'")
    columns = connection.execute("PRAGMA table_xinfo(messages)").fetchall()
    names = {name for _, name, *_, hidden in columns if not hidden}
    if missing := [name for name in _COLUMNS if name not in names]:
        raise NotADatabase(f"its table 'messages' has no column {missing[0]!r}")
    cursor = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM messages ORDER BY position")
    left = [_OPERATIONS_A_ROW_MAX]

    def is_enough() -> bool:
        left[0] -= 1000
        return left[0] < 0

    connection.set_progress_handler(is_enough, 1000)
    for row in cursor:
        yield row
        left[0] = _OPERATIONS_A_ROW_MAX


def _message_of(row: tuple[Any, ...], load: Callable[[bytes], Json]) -> Json:
    position, stream_id, revision, kind, type_, data, *ids, metadata = row
    message = {"type": type_, "data": _read(data, "data", load)}
    message |= {n: v for n, v in zip(_FIELDS, ids, strict=True) if v is not None}
    if metadata is not None:
        message["metadata"] = _read(metadata, "metadata", load)
    return {
        "streamId": stream_id,
        "message": message,
        "messageType": kind,
        "revision": revision,
        "position": position,
    }


def _read(text: Any, column: str, load: Callable[[bytes], Json]) -> Json:
    if not isinstance(text, str):
        raise NotADatabase(f"its column {column!r} holds no JSON text")
    return load(text.encode())
