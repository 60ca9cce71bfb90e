"""P7, P8, P9: reads by the library, warm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgpack

from benchmark import sqlite_peer
from benchmark.messages import IN_A_ROW
from benchmark.rows import Bench, Figure, at_most, row
from benchmark.stores import open_database
from benchmark.timing import in_turn, timed
from msgstore import FileMessageStore, MessageFilter

_SELECT = "SQLite, `select` and `json.loads`"
_UNPACKER = "a bare `msgpack.Unpacker` over the same bytes"
_INDEXED = "SQLite with an index, and `json.loads`"
_LOOKUPS = 100


@row(
    "P7",
    "library, one stream of 100,000 read as typed messages",
    f"{_SELECT}; {_UNPACKER}",
    at_most(0.6),
    at_most(3),
)
def one_stream(bench: Bench) -> Iterator[Figure]:
    length = bench.sizes.stream_length
    path = bench.cache.store(length, 1)
    database = open_database(bench.cache.database(length, 1))
    with FileMessageStore(path, create=False) as store:

        def read() -> None:
            assert sum(1 for _ in store.get_messages("orders-0")) == length

        def select() -> None:
            assert sqlite_peer.read_stream(database, "orders-0") == length

        sides = [lambda: timed(read), lambda: timed(select), lambda: timed(lambda: unpack(path))]
        rounds = in_turn(sides, bench.sizes.rounds, warm_up=bench.warm_up)
    database.close()
    here, selected, unpacked = (times.of(1e6 / length) for times in rounds)
    what = f"a message of a stream of {length:,}"
    yield Figure(what, "µs", here, at_most(0.6), _SELECT, selected)
    yield Figure(f"{what}, beside msgpack", "µs", here, at_most(3), _UNPACKER, unpacked)


def unpack(store: Path) -> None:
    """Walks all objects of all segments, as any program with msgpack can."""
    for path in sorted((store / "streams").rglob("*.msgpack")):
        with path.open("rb") as file:
            for _ in msgpack.Unpacker(file):
                pass


@row(
    "P8",
    "library, warm: all messages of a correlation id (five) in 1,000,000; and in 10,000,000",
    f"{_INDEXED}; the same in 1,000,000",
    at_most(1.0),
    at_most(1.5),
)
def by_correlation(bench: Bench) -> Iterator[Figure]:
    sizes = bench.sizes
    path = bench.cache.store(sizes.large, sizes.streams)
    database = open_database(bench.cache.database(sizes.large, sizes.streams))
    with FileMessageStore(path, create=False) as store:
        wanted = f"corr-{sizes.large // IN_A_ROW * 2 // 3}"
        assert len(look_up(store, wanted)) == IN_A_ROW
        assert len(sqlite_peer.by_correlation(database, wanted)) == IN_A_ROW
        times = lookups(store, wanted)
        sides = [
            lambda: timed(lambda: look_up(store, wanted), times),
            lambda: timed(lambda: sqlite_peer.by_correlation(database, wanted), _LOOKUPS),
        ]
        rounds = in_turn(sides, sizes.rounds, warm_up=bench.warm_up)
        here, there = (one.of(1e6) for one in rounds)
        what = f"five hits in {sizes.large:,}"
        yield Figure(what, "µs", here, at_most(1.0), _INDEXED, there)
        yield from in_huge(bench, store, wanted)
    database.close()


def in_huge(bench: Bench, large: FileMessageStore, wanted: str) -> Iterator[Figure]:
    """The same in a store ten times as large, if `scripts/scale` left one in the cache."""
    sizes = bench.sizes
    path = bench.cache.store_path(sizes.huge, sizes.streams)
    if not path.exists():
        bench.skip(
            f"the lookup in {sizes.huge:,}", f"no {path.name} is in the cache (scripts/scale)"
        )
        return
    with FileMessageStore(path, create=False) as huge:
        in_it = f"corr-{sizes.huge // IN_A_ROW * 2 // 3}"
        assert len(look_up(huge, in_it)) == IN_A_ROW
        sides = [
            lambda: timed(lambda: look_up(huge, in_it), lookups(huge, in_it)),
            lambda: timed(lambda: look_up(large, wanted), lookups(large, wanted)),
        ]
        rounds = in_turn(sides, sizes.rounds, warm_up=bench.warm_up)
        here, there = (one.of(1e6) for one in rounds)
    peer = f"the same in {sizes.large:,}"
    yield Figure(f"five hits in {sizes.huge:,}", "µs", here, at_most(1.5), peer, there)


def look_up(store: FileMessageStore, correlation_id: str) -> list[object]:
    return list(store.get_all_messages(MessageFilter(correlation_id=correlation_id)))


def lookups(store: FileMessageStore, wanted: str) -> int:
    """So many a block that it takes some tenth of a second, at least one."""
    return max(1, min(_LOOKUPS, int(0.1 / timed(lambda: look_up(store, wanted)))))


@row(
    "P9",
    "library, scan of 1,000,000 over 20,000 streams in order of position, with a `json_filter`",
    "SQLite, full scan and `json.loads`",
    at_most(1.0),
)
def scan(bench: Bench) -> Iterator[Figure]:
    sizes = bench.sizes
    path = bench.cache.store(sizes.large, sizes.streams)
    database = open_database(bench.cache.database(sizes.large, sizes.streams))
    wanted = sizes.large // 2
    filter = MessageFilter(json_filter={"total": wanted})
    with FileMessageStore(path, create=False) as store:

        def here_scan() -> None:
            assert sum(1 for _ in store.get_all_messages(filter)) == 1

        def there_scan() -> None:
            assert sqlite_peer.scan(database, "total", wanted) == 1

        sides = [lambda: timed(here_scan), lambda: timed(there_scan)]
        rounds = in_turn(sides, sizes.rounds, warm_up=False)
    database.close()
    here, there = (one.of(1e6 / sizes.large) for one in rounds)
    what = f"a message of a scan of {sizes.large:,}, {sizes.streams:,} streams"
    yield Figure(what, "µs", here, at_most(1.0), "SQLite, full scan and `json.loads`", there)
