"""P3a, P3b, P12: a file of JSON Lines goes in; how long that takes, and what it comes to on disk."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmark import sqlite_peer
from benchmark.rows import Bench, Figure, Target, at_most, row
from benchmark.stores import msgstore_command, open_database, size_of
from benchmark.timing import Times, in_turn, run
from benchmark.whole_commands import fresh, jq, sqlite_utils
from msgstore import FileMessageStore

FEW_STREAMS = 100
_BY_HAND = "the same lines put into SQLite by hand, one transaction"
_WHAT = "`save -` of {:,} lines, {:,} streams"


def save_lines(store: Path, lines: Path) -> float:
    return run(msgstore_command(store, "save", "-", "-q"), stdin=lines).wall_s


def load_lines(database: Path, lines: Path) -> float:
    return run([sys.executable, sqlite_peer.__file__, str(lines), str(database)]).wall_s


def ingest(bench: Bench, streams: int, target: Target, *, others: bool) -> Iterator[Figure]:
    sizes = bench.sizes
    lines = bench.cache.lines(sizes.lines, streams)
    with new_places(bench.scratch) as place:
        sides: dict[str, Callable[[], float]] = {
            "": lambda: save_lines(place("store"), lines),
            _BY_HAND: lambda: load_lines(place("peer.db"), lines),
        }
        if others:
            sides |= other_sides(bench, lines, place)
        taken = dict(
            zip(sides, in_turn(list(sides.values()), sizes.rounds, warm_up=False), strict=True)
        )
        check_counts(place.last("store"), place.last("peer.db"), sizes.lines)
    what = _WHAT.format(sizes.lines, streams)
    here = taken.pop("")
    for name, there in taken.items():
        yield Figure(what, "s", here, target if name == _BY_HAND else None, name, there)


def other_sides(bench: Bench, lines: Path, place: Places) -> dict[str, Callable[[], float]]:
    sides: dict[str, Callable[[], float]] = {}
    if tool := sqlite_utils(bench):

        def insert() -> float:
            command = [tool, "insert", str(place("other.db")), "m", "-", "--nl"]
            return run(command, stdin=lines).wall_s

        sides["`sqlite-utils insert --nl`, no index"] = insert
    if found := jq(bench):
        sides["`jq -c .`, a copy"] = lambda: run([found, "-c", "."], stdin=lines).wall_s
    return sides


class Places:
    """Where nothing was before. What the last rounds left there stays until the end of all.

    For minutes after files were deleted an ext4 without a journal passes their inodes by, one by one,
    whenever it makes a file: 20,000 of them then take three times as long. No user deletes as many
    just before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: Counter[str] = Counter()

    def __call__(self, name: str) -> Path:
        """A new place; what was written before is on the disk, and not our work."""
        self._taken[name] += 1
        os.sync()
        return self.last(name)

    def last(self, name: str) -> Path:
        return self._folder / f"{self._taken[name]}-{name}"


@contextmanager
def new_places(scratch: Path) -> Iterator[Places]:
    folder = fresh(scratch / "ingest")
    folder.mkdir()
    try:
        yield Places(folder)
    finally:
        shutil.rmtree(folder)


def check_counts(store: Path, database: Path, count: int) -> None:
    """Both hold all of it, or they did not do the same."""
    with FileMessageStore(store, create=False) as opened:
        assert opened.get_stats().total_messages == count
    with closing(open_database(database)) as opened_database:
        assert sqlite_peer.count(opened_database) == count


@row("P3a", "`save -` of 200,000 messages to 100 streams", _BY_HAND, at_most(0.40))
def few_streams(bench: Bench) -> Iterator[Figure]:
    yield from ingest(bench, FEW_STREAMS, at_most(0.40), others=True)


@row("P3b", "`save -` of 200,000 messages to 20,000 streams", _BY_HAND, at_most(0.60))
def many_streams(bench: Bench) -> Iterator[Figure]:
    yield from ingest(bench, bench.sizes.streams, at_most(0.60), others=False)


@row(
    "P12",
    "bytes on disk ÷ bytes of the JSON Lines that went in",
    "SQLite with three indexes",
    at_most(1.2),
)
def on_disk(bench: Bench) -> Iterator[Figure]:
    for streams in (FEW_STREAMS, bench.sizes.streams):
        lines = bench.cache.lines(bench.sizes.lines, streams)
        store, database = bench.scratch / "store", bench.scratch / "peer.db"
        save_lines(fresh(store), lines)
        load_lines(fresh(database), lines)
        check_counts(store, database, bench.sizes.lines)
        went_in = lines.stat().st_size
        here, allocated, _ = (size / went_in for size in size_of(store))
        there, _, _ = (size / went_in for size in size_of(database))
        unit = "B/B"
        what = f"{bench.sizes.lines:,} messages, {streams:,} streams"
        peer = "SQLite with three indexes"
        target = at_most(1.2, unit)
        yield Figure(f"{what}, apparent", unit, Times((here,)), target, peer, Times((there,)))
        yield Figure(f"{what}, allocated", unit, Times((allocated,)))
