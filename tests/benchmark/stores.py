"""Stores, databases and files of JSON Lines that are built once and measured many times."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from benchmark import sqlite_peer
from benchmark.messages import IN_A_ROW, messages, write_lines
from msgstore import FileMessageStore, Message, SaveRequest

COMMIT_MESSAGES = 1_000
OPEN_MESSAGES = 50_000
"""A writer is closed after so many."""
SESSIONS = 3
"""Every store is recorded in so many sessions, so that there is something to list."""
CHUNK_MESSAGES = 10_000
"""What the SQLite side saves in one transaction while a database is built."""


def msgstore_command(store: Path, *words: str) -> list[str]:
    """A command line of the console script that is installed beside this interpreter."""
    return [str(Path(sys.executable).with_name("msgstore")), "--store", str(store), *words]


def to_message(line: dict[str, Any]) -> Message:
    return Message(
        line["type"],
        line["data"],
        correlation_id=line["correlationId"],
        request_id=line["requestId"],
    )


def requests(count: int, streams: int, first: int, in_a_row: int) -> Iterator[list[SaveRequest]]:
    """The messages as commits of a thousand, what is next to each other in a stream as one save."""
    lines = messages(count, streams, first, in_a_row)
    while chunk := list(islice(lines, COMMIT_MESSAGES)):
        yield [
            SaveRequest.of(stream, map(to_message, of_stream))
            for stream, of_stream in groupby(chunk, lambda line: str(line["streamId"]))
        ]


def build_store(
    path: Path,
    count: int,
    streams: int,
    in_a_row: int = IN_A_ROW,
    tell: Callable[[int], None] = lambda done: None,
) -> None:
    """Records so many messages in a new store that is durable (`always`) for all who come later.

    Only this writer leaves the syncs to the operating system. It is opened anew now and then, so
    that its memory is that of a part, however many messages and streams there are.
    """
    with FileMessageStore(path) as store:  # what the first save creates it with stays
        store.end_session(store.create_session("created"))
    for number, part in enumerate(parts(0, count, -(-count // SESSIONS)), 1):
        with FileMessageStore(path) as store:
            session_id = store.create_session(f"part-{number}")
        for piece in parts(part.start, part.stop, OPEN_MESSAGES):
            with FileMessageStore(path, durability="os") as store:
                store.use_session(session_id)
                for commit in requests(len(piece), streams, piece.start, in_a_row):
                    store.save_each(commit)
                store.flush()
            tell(piece.stop)
        with FileMessageStore(path) as store:
            store.end_session(session_id)


def parts(start: int, stop: int, size: int) -> Iterator[range]:
    return (range(first, min(first + size, stop)) for first in range(start, stop, size))


def build_empty_store(path: Path) -> None:
    with FileMessageStore(path) as store:
        store.end_session(store.create_session("created"))


def build_database(path: Path, count: int, streams: int) -> None:
    database = sqlite_peer.connect(path, "NORMAL")
    for part in parts(0, count, CHUNK_MESSAGES):
        sqlite_peer.save_many(database, messages(len(part), streams, part.start))
    database.execute("pragma wal_checkpoint(truncate)")
    database.close()


class Cache:
    """A folder of what was built; what is in it under its final name is whole."""

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda words: None) -> None:
        self.folder = folder
        self._say = say
        folder.mkdir(parents=True, exist_ok=True)

    def store(self, count: int, streams: int, in_a_row: int = IN_A_ROW) -> Path:
        path = self.store_path(count, streams, in_a_row)
        return self._once(path, lambda part: build_store(part, count, streams, in_a_row))

    def store_path(self, count: int, streams: int, in_a_row: int = IN_A_ROW) -> Path:
        by = "" if in_a_row == IN_A_ROW else f"-by-{in_a_row}"
        return self.folder / f"store-{count}-in-{min(streams, count)}{by}"

    def empty_store(self) -> Path:
        return self._once(self.folder / "store-empty", build_empty_store)

    def database(self, count: int, streams: int) -> Path:
        path = self.folder / f"sqlite-{count}-in-{streams}.db"
        return self._once(path, lambda part: build_database(part, count, streams))

    def lines(self, count: int, streams: int) -> Path:
        path = self.folder / f"lines-{count}-in-{streams}.ndjson"
        return self._once(path, lambda part: write_lines(part, count, streams))

    def _once(self, path: Path, build: Callable[[Path], None]) -> Path:
        if not path.exists():
            part = path.with_name(f"{path.name}.part{os.getpid()}")
            self._say(f"building {path.name}")
            start = time.monotonic()
            try:
                build(part)
                part.rename(path)
            finally:
                remove(part)
            self._say(f"built {path.name} in {time.monotonic() - start:.0f} s")
        return path


def open_database(path: Path) -> sqlite3.Connection:
    return sqlite_peer.connect(path)


def remove(path: Path) -> None:
    """Takes away a store, or a database with what SQLite keeps beside it, or nothing."""
    if path.is_dir():
        shutil.rmtree(path)
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        file.unlink(missing_ok=True)


def size_of(path: Path) -> tuple[int, int, int]:
    """Apparent bytes, allocated bytes, and files and folders of a store, or of a database."""
    apparent = allocated = inodes = 0
    paths = _walk(path) if path.is_dir() else iter((path,))
    for one in paths:
        status = os.lstat(one)
        apparent += status.st_size
        allocated += status.st_blocks * 512
        inodes += 1
    return apparent, allocated, inodes


def _walk(folder: Path) -> Iterator[str]:
    yield str(folder)
    for root, folders, files in os.walk(folder):
        yield from (os.path.join(root, name) for name in (*folders, *files))
