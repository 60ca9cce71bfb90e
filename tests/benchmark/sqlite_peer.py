"""What a competent engineer would write by hand instead of msgstore: a table, three indexes, SQL.

As a script it is the peer of `msgstore save -`: `sqlite_peer.py LINES DATABASE` puts JSON Lines into
a new database in one transaction. It imports nothing of the project, so that it starts as quickly.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

Synchronous = Literal["FULL", "NORMAL"]

BUSY_TIMEOUT_S = 30.0
TABLE = """
create table if not exists m (
    position integer primary key autoincrement,
    stream text, revision int, kind text, type text, corr text, req text, session text, ts text,
    data text,
    unique (stream, revision)
)
"""
INDEXES = {"ic": "corr", "ir": "req", "it": "type"}
INSERT = (
    "insert into m (stream, revision, kind, type, corr, req, session, ts, data)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
LAST_REVISION = "select max(revision) from m where stream = ?"
_DATA = 9
"""The column of the payload in `select *`."""


def connect(path: Path, synchronous: Synchronous = "FULL") -> sqlite3.Connection:
    """In WAL mode; FULL is on the disk when a commit returns, NORMAL at the next checkpoint."""
    database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    database.execute("pragma journal_mode = WAL")
    database.execute(f"pragma synchronous = {synchronous}")
    database.execute(TABLE)
    for name, column in INDEXES.items():
        database.execute(f"create index if not exists {name} on m ({column})")
    return database


def save_one(database: sqlite3.Connection, message: dict[str, Any]) -> None:
    database.execute("begin immediate")
    database.execute(INSERT, _row(message, _next_revision(database, message["streamId"])))
    database.execute("commit")


def save_many(database: sqlite3.Connection, messages: Iterable[dict[str, Any]]) -> None:
    """All in one transaction, whatever streams they go to."""
    database.execute("begin immediate")
    next_revisions: dict[str, int] = {}
    rows = []
    for message in messages:
        stream = message["streamId"]
        if stream not in next_revisions:
            next_revisions[stream] = _next_revision(database, stream)
        rows.append(_row(message, next_revisions[stream]))
        next_revisions[stream] += 1
    database.executemany(INSERT, rows)
    database.execute("commit")


def read_stream(database: sqlite3.Connection, stream: str) -> int:
    """Reads a stream in order and decodes each payload; returns how many there were."""
    count = 0
    for row in database.execute("select * from m where stream = ? order by revision", (stream,)):
        json.loads(row[_DATA])
        count += 1
    return count


def by_correlation(database: sqlite3.Connection, correlation_id: str) -> list[Any]:
    found = database.execute("select * from m where corr = ? order by position", (correlation_id,))
    return [json.loads(row[_DATA]) for row in found.fetchall()]


def scan(database: sqlite3.Connection, key: str, value: Any) -> int:
    """Reads all in order of position, decodes each payload; returns how many have the value."""
    count = 0
    for row in database.execute("select * from m order by position"):
        if json.loads(row[_DATA]).get(key) == value:
            count += 1
    return count


def count(database: sqlite3.Connection) -> int:
    total: int = database.execute("select count(*) from m").fetchone()[0]
    return total


def load_lines(lines: Path, path: Path) -> None:
    database = connect(path)
    with lines.open(encoding="utf-8") as file:
        save_many(database, map(json.loads, file))
    database.close()


def _next_revision(database: sqlite3.Connection, stream: str) -> int:
    last = database.execute(LAST_REVISION, (stream,)).fetchone()[0]
    return 0 if last is None else last + 1


def _row(message: dict[str, Any], revision: int) -> tuple[Any, ...]:
    return (
        message["streamId"],
        revision,
        "event",
        message["type"],
        message.get("correlationId"),
        message.get("requestId"),
        "no-session",
        "2026-11-23T00:00:00Z",
        json.dumps(message["data"]),
    )


if __name__ == "__main__":
    load_lines(Path(sys.argv[1]), Path(sys.argv[2]))
