"""A store to damage, ways to damage it, and what must come out of its repair."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from msgstore import FileMessageStore, Message
from msgstore.disk.files import RealDisk
from msgstore.engine import recorder
from msgstore.engine.catalog import Catalog
from msgstore.engine.index import Index
from msgstore.format.names import segment_path

ROW_BYTES = 96
MESSAGES = 26
STREAMS = {"a": [1, 3, 5, 7, 9, 11, 13, 15, 17, 19], "b": [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]}
"""Positions in streams a and b; 21 to 25 are a batch over c and d, 26 stands in `last`."""


@contextmanager
def checkpoints() -> Iterator[None]:
    """Every commit ends the journal's generation first, as if that had grown enough."""
    with patch.object(recorder, "ENTRIES_START", -(1 << 30)):
        yield


def make(path: Path) -> Path:
    """25 messages, none of which the journal holds any more once it is opened, and three sessions."""
    with checkpoints(), FileMessageStore(path) as store:
        with store.session("run"):
            for number in range(10):
                message = Message("Step", {"n": number}, correlation_id=f"c-{number}")
                store.save_message("a", message)
                store.save_message("b", Message("Step", {"n": number}, id=f"b-{number}"))
        active = store.create_session("active", {"host": "x"})
        store.activate_session(active)
        with store.transaction() as transaction:
            transaction.save_messages("c", [Message("Counted", {"n": n}) for n in range(3)])
            transaction.save_message("d", Message("Do", request_id="r-1"), message_type="command")
            transaction.save_message("d", Message("Done", "x" * 3000))
        store.use_session(None)
        store.create_session("still open")
    return path


def copy(made: Path, path: Path) -> Path:
    """A copy with a hint of its own, and with one more message, which stands in the journal too."""
    shutil.copytree(made, path)
    with FileMessageStore(path) as store:
        store.save_message("last", Message("Last"))
        assert store.verify().findings == ()
    return path


Content = dict[int, tuple[str, int, bytes]]
"""Stream, revision and the bytes of the record at each position."""


def contents(path: Path) -> Content:
    """Everything in a sound store, by way of its index."""
    with FileMessageStore(path, create=False) as store:
        rows = store.get_stats().total_messages
    disk = RealDisk(str(path))
    index, catalog = Index(disk), Catalog(disk)
    found = {}
    for position in range(1, rows + 1):
        row = index.row(position)
        stream_id = catalog.stream_id(row.stream)
        record = disk.read(segment_path(stream_id, row.segment), row.offset, row.length)
        found[position] = (stream_id, row.revision, record)
    disk.forget()
    return found


def files_of(path: Path) -> dict[str, bytes]:
    """Every file of a store but the lock."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != "write.lock"
    }


def segment(path: Path, stream: str) -> Path:
    return next(path.glob(f"streams/*/{stream}~*.msgpack"))


def record_at(path: Path, stream: str, revision: int) -> tuple[int, int]:
    """Offset and end of a record in the only segment of a stream."""
    content = segment(path, stream).read_bytes()
    starts = []
    at = content.find(b"\xdc\x00\x10\xce")
    while at >= 0:
        starts.append(at)
        at = content.find(b"\xdc\x00\x10\xce", at + 1)
    return starts[revision], [*starts, len(content)][revision + 1]


def flip(file: Path, offset: int, length: int = 1) -> None:
    content = bytearray(file.read_bytes())
    for at in range(offset, offset + length):
        content[at] ^= 0x41
    file.write_bytes(content)


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


def forget_hint(path: Path) -> None:
    """As if the machine had booted since."""
    lock = path / "write.lock"
    if lock.exists():
        lock.write_bytes(bytes(lock.stat().st_size))
