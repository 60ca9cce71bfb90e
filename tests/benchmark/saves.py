"""P4, P5, P6: saves by the library, one by one and by the hundred."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from benchmark import sqlite_peer
from benchmark.messages import messages
from benchmark.rows import Bench, Figure, Target, at_most, row
from benchmark.stores import to_message
from benchmark.timing import Side, in_turn, timed
from msgstore import FileMessageStore

STREAMS = 100
BATCH = 100


def blocks_of_saves(bench: Bench, save: Callable[[dict[str, Any]], object]) -> Side:
    """A block after a block of single saves, each of messages that were not saved before."""
    numbers = count()
    size = bench.sizes.saves

    def block() -> float:
        first = next(numbers) * size
        lines = iter(list(messages(size, STREAMS, first)))
        return timed(lambda: save(next(lines)), size)

    return block


def one_by_one(
    bench: Bench, durability: Any, synchronous: sqlite_peer.Synchronous, target: Target
) -> Iterator[Figure]:
    database = sqlite_peer.connect(bench.scratch / "peer.db", synchronous)
    with FileMessageStore(bench.scratch / "store", durability=durability) as store:
        sides = {
            "": blocks_of_saves(
                bench, lambda line: store.save_message(line["streamId"], to_message(line))
            ),
            f"SQLite, WAL, `synchronous={synchronous}`": blocks_of_saves(
                bench, lambda line: sqlite_peer.save_one(database, line)
            ),
        }
        if durability == "always":
            sides |= other_sides(bench)
        rounds = in_turn(list(sides.values()), bench.sizes.short_rounds, warm_up=bench.warm_up)
        taken = dict(zip(sides, (times.of(1e6) for times in rounds), strict=True))
        saved = store.get_stats().total_messages
    assert saved == sqlite_peer.count(database)
    database.close()
    here = taken.pop("")
    for number, (name, there) in enumerate(taken.items()):
        what = f"a save, `{durability}`"
        yield Figure(what, "µs", here, None if number else target, name, there)


@row(
    "P4",
    "library, a message a save, durable on return (`always`)",
    "SQLite, WAL, `synchronous=FULL`",
    at_most(0.6),
)
def durable(bench: Bench) -> Iterator[Figure]:
    yield from one_by_one(bench, "always", "FULL", at_most(0.6))


@row(
    "P5",
    "library, a message a save, left to the system (`os`)",
    "SQLite, WAL, `synchronous=NORMAL`",
    at_most(0.4),
)
def buffered(bench: Bench) -> Iterator[Figure]:
    yield from one_by_one(bench, "os", "NORMAL", at_most(0.4))


@row(
    "P6",
    "library, batches of 100, durable, per message",
    "SQLite, WAL, `synchronous=FULL`, `executemany`",
    at_most(0.3),
)
def batches(bench: Bench) -> Iterator[Figure]:
    yield from batches_of(bench, "to one stream", 1, save_to_one_stream)
    yield from batches_of(bench, "to 20 streams, a transaction", STREAMS, save_in_transaction)


def save_to_one_stream(store: FileMessageStore, lines: list[dict[str, Any]]) -> None:
    store.save_messages(lines[0]["streamId"], [to_message(line) for line in lines])


def save_in_transaction(store: FileMessageStore, lines: list[dict[str, Any]]) -> None:
    with store.transaction() as transaction:
        for line in lines:
            transaction.save_message(line["streamId"], to_message(line))


def batches_of(
    bench: Bench,
    what: str,
    streams: int,
    save: Callable[[FileMessageStore, list[dict[str, Any]]], None],
) -> Iterator[Figure]:
    folder = bench.scratch / what.split()[1]
    folder.mkdir()
    database = sqlite_peer.connect(folder / "peer.db")
    with FileMessageStore(folder / "store", durability="always") as store:
        sides = [
            blocks_of_batches(bench, streams, lambda lines: save(store, lines)),
            blocks_of_batches(bench, streams, lambda lines: sqlite_peer.save_many(database, lines)),
        ]
        here, there = in_turn(sides, bench.sizes.short_rounds, warm_up=bench.warm_up)
        assert store.get_stats().total_messages == sqlite_peer.count(database)
    database.close()
    peer = "SQLite, WAL, `synchronous=FULL`, `executemany`"
    scaled = here.of(1e6 / BATCH), there.of(1e6 / BATCH)
    yield Figure(f"batches of 100 {what}", "µs", scaled[0], at_most(0.3), peer, scaled[1])


def blocks_of_batches(
    bench: Bench, streams: int, save: Callable[[list[dict[str, Any]]], object]
) -> Side:
    numbers = count()
    batches_each = max(1, bench.sizes.saves // 10)

    def block() -> float:
        first = next(numbers) * batches_each * BATCH
        lines = (list(messages(BATCH, streams, first + i * BATCH)) for i in range(batches_each))
        ready = iter(list(lines))
        return timed(lambda: save(next(ready)), batches_each)

    return block


# ---------------------------------------------------------------- others, for comparison


def other_sides(bench: Bench) -> dict[str, Side]:
    """Other ways to put one message on the disk; the first is the least that any of them needs."""
    sides = {"a bare `pwrite` and `fdatasync`": blocks_of_saves(bench, bare(bench.scratch / "raw"))}
    for name, package, make in (
        ("LMDB, a put a transaction", "lmdb", lmdb),
        ("the `eventsourcing` library's SQLite recorder", "eventsourcing", eventsourcing),
    ):
        try:
            sides[name] = blocks_of_saves(bench, make(bench.scratch / package))
        except ImportError:
            bench.skip(f"`{package}`", "it is not installed")
    return sides


def bare(path: Path) -> Callable[[dict[str, Any]], object]:
    """Writes into a file that is there in full already, in 512 bytes a message."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(file, bytes(4 << 20), 0)
    os.fsync(file)
    offsets = count()
    sync = getattr(os, "fdatasync", os.fsync)

    def save(line: dict[str, Any]) -> None:
        os.pwrite(file, orjson.dumps(line).ljust(512), next(offsets) * 512 % (4 << 20))
        sync(file)

    return save


def lmdb(path: Path) -> Callable[[dict[str, Any]], object]:
    import lmdb as library

    store = library.open(str(path), map_size=4 << 30)
    positions = count(1)

    def save(line: dict[str, Any]) -> None:
        with store.begin(write=True) as transaction:
            transaction.put(next(positions).to_bytes(8, "big"), orjson.dumps(line), append=True)

    return save


def eventsourcing(path: Path) -> Callable[[dict[str, Any]], object]:
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(path)))
    recorder.create_table()
    versions = count()
    stream = UUID(int=1)

    def save(line: dict[str, Any]) -> None:
        state = orjson.dumps(line["data"])
        recorder.insert_events([StoredEvent(stream, next(versions), line["type"], state)])

    return save
