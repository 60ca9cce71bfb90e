"""A writer and a reader over a crashing disk, small enough to crash thousands of times."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from msgstore.engine import create, journal, recorder
from msgstore.engine.encoding import encode_requests, messages_of
from msgstore.engine.opened import OpenedStore
from msgstore.engine.query import select
from msgstore.engine.reader import Reader
from msgstore.engine.writer import Writer, WriterSettings
from msgstore.format.names import LOCK
from msgstore.model.filter import EVERYTHING
from msgstore.model.message import Message
from msgstore.model.saving import Known, SaveRequest, plan_saves
from msgstore.testing.crashing_disk import CrashingDisk, CrashingLock, Keep, keep_all, keep_nothing

Item = tuple[str, str]
"""A stream and a value."""

CHECKPOINT_BYTES = 6000

_ticks = itertools.count(1_700_000_000_000_000)


@contextmanager
def small_journal() -> Iterator[None]:
    """Checkpoints after a few commits instead of thousands."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (recorder, journal):
            patch.setattr(module, "JOURNAL_BYTES_CHECKPOINT", CHECKPOINT_BYTES)
        for module in (journal, create):
            patch.setattr(module, "JOURNAL_BYTES_FIRST", 16384)
        yield


def open_writer(disk: CrashingDisk, durability: str) -> Writer:
    return Writer(
        OpenedStore(disk),
        CrashingLock(disk, LOCK),
        WriterSettings(durability, True, lambda: next(_ticks)),
    )


def save(store: Writer, items: list[Item]) -> None:
    """One commit of one message per item."""
    requests = [SaveRequest.of(stream, [Message("Test", {"v": value})]) for stream, value in items]
    encoded = encode_requests(requests, None)
    with store.exclusive():
        known = Known(store.revision_of, lambda _: None, store.rows + 1)
        plan = plan_saves(requests, known, independent=True)
        store.commit(messages_of(plan.new, encoded), 0)


def read_all(disk: CrashingDisk, durability: str) -> list[Item]:
    """All messages as a fresh process reads them, by position and by stream, which must agree."""

    opened = OpenedStore(disk)

    def recover() -> None:
        settings = WriterSettings(durability, True, lambda: next(_ticks))
        with Writer(opened, CrashingLock(disk, LOCK), settings).exclusive():
            pass

    snapshot = Reader(opened, recover).snapshot()
    if snapshot is None:
        return []
    found = [
        (stored.stream_id, stored.message.data["v"])
        for stored in select(snapshot, EVERYTHING, backwards=False)
    ]
    for stream in {stream for stream, _ in found}:
        own = [m.message.data["v"] for m in snapshot.read_stream(stream, 0, None, backwards=False)]
        assert own == [value for other, value in found if other == stream]
    assert snapshot.stats().total_messages == len(found)
    assert len(list(snapshot.streams())) == len({stream for stream, _ in found})
    return found


def workload(chance: random.Random, commits: int) -> list[list[Item]]:
    """Commits of one to three messages to three streams, of sizes around a sector."""
    return [
        [
            (f"s{chance.randrange(3)}", f"{number}-{part}-" + "x" * chance.choice([5, 60, 700]))
            for part in range(chance.choice([1, 1, 2, 3]))
        ]
        for number in range(commits)
    ]


def keepers(chance: random.Random) -> list[Keep]:
    """What a power loss keeps of what was not synced: nothing, all, half, little, most."""
    return [
        keep_nothing,
        keep_all,
        *(lambda piece, p=p: chance.random() < p for p in (0.5, 0.5, 0.15, 0.85)),
    ]
