"""P13: the most memory that a command has, over many messages and over none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.ingest import FEW_STREAMS
from benchmark.messages import IN_A_ROW
from benchmark.rows import Bench, Figure, at_most, row
from benchmark.stores import msgstore_command
from benchmark.timing import Times, peak_bytes
from benchmark.whole_commands import fresh

_MIB = 1 << 20
_MORE = at_most(64, "MiB")


@row(
    "P13",
    "peak memory of any command over 10,000,000 messages, above that on an empty store",
    "the same command on an empty store",
    _MORE,
)
def memory(bench: Bench) -> Iterator[Figure]:
    store, count = largest(bench)
    empty = bench.cache.empty_store()
    for name, words in list(commands(count).items())[: bench.sizes.commands]:
        here = peak_bytes(msgstore_command(store, *words))
        there = peak_bytes(msgstore_command(empty, *words), may_fail=True)
        yield difference(f"{name}, {count:,} messages", here, there)
    yield from saving(bench)
    bench.skip("`backup`, `restore`, `repair`", "they would write as much as is there")


def largest(bench: Bench) -> tuple[Path, int]:
    """The store of 10,000,000 where `scripts/scale` left one in the cache, or the next smaller."""
    sizes = bench.sizes
    huge = bench.cache.store_path(sizes.huge, sizes.streams)
    if huge.exists():
        return huge, sizes.huge
    bench.note(f"over {sizes.large:,} messages: no {huge.name} is in the cache (scripts/scale)")
    return bench.cache.store(sizes.large, sizes.streams), sizes.large


def commands(count: int) -> dict[str, list[str]]:
    """Every command that looks at a store, each in the ways that could need memory."""
    correlation = f"corr-{count // IN_A_ROW // 2}"
    return {
        "`read STREAM`": ["read", "orders-0"],
        "`read STREAM --last 5`": ["read", "orders-0", "--last", "5"],
        "`query`": ["query"],
        "`query -r -n 20`": ["query", "-r", "-n", "20"],
        "`query --last 20 -t`": ["query", "--last", "20", "-t", "OrderPlaced"],
        "`query --correlation-id`": ["query", "--correlation-id", correlation],
        "`query --json`": ["query", "--json", '{"orderId":"ord-1"}'],
        "`query --count -t`": ["query", "--count", "-t", "OrderPlaced"],
        "`tail`": ["tail"],
        "`stats`": ["stats"],
        "`stats --by type`": ["stats", "--by", "type"],
        "`stats --by stream`": ["stats", "--by", "stream"],
        "`stats --by hour`": ["stats", "--by", "hour"],
        "`sessions`": ["sessions"],
        "`streams`": ["streams"],
        "`show POSITION`": ["show", str(count // 2)],
        "`verify`": ["verify"],
    }


def saving(bench: Bench) -> Iterator[Figure]:
    """`save -` of many lines against none, each into a new store."""
    lines = bench.cache.lines(bench.sizes.lines, FEW_STREAMS)
    store = bench.scratch / "store"
    save = msgstore_command(store, "save", "-", "-q")
    fresh(store)
    there = peak_bytes(save)
    fresh(store)
    here = peak_bytes(save, stdin=lines)
    yield difference(f"`save -` of {bench.sizes.lines:,} lines", here, there)


def difference(what: str, here: int, there: int) -> Figure:
    in_mib = Times((here / _MIB,)), Times((there / _MIB,))
    peer = "the same, empty"
    more = (here - there) / _MIB
    return Figure(what, "MiB", in_mib[0], _MORE, peer, in_mib[1], given_value=more)
