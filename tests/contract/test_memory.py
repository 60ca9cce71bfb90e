"""The contract over MemoryMessageStore, and what it promises besides."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from msgstore import (
    InvalidMessage,
    MemoryMessageStore,
    Message,
    PositionalMessage,
    StoreClosed,
    open_store,
)
from msgstore.testing import StoreContract
from msgstore.testing.claims.base import event, events, numbers
from msgstore.testing.claims.follow import PATIENCE_S, Follower

NOON_US = 1_795_435_200_000_000
"""2026-11-23 12:00 UTC."""
HOUR_US = 3_600_000_000


class TestMemoryMessageStore(StoreContract):
    """Every claim of the contract."""

    def make_store(self, tmp_path: Path) -> MemoryMessageStore:
        return MemoryMessageStore()


class Clock:
    """Shows `now_us` until it is set."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryMessageStore:
    return MemoryMessageStore(clock=clock)


def times(store: MemoryMessageStore) -> list[str]:
    return [f"{stored.timestamp:%H:%M}" for stored in store.get_all_messages()]


def test_a_clock_that_goes_back(store: MemoryMessageStore, clock: Clock) -> None:
    """When the clock is set back, messages keep the time of the last one until it has caught up."""
    for hours in (0, 2, 1, -5, 3):
        clock.now_us = NOON_US + hours * HOUR_US
        store.save_message("orders", event(1))
    assert times(store) == ["12:00", "14:00", "14:00", "14:00", "15:00"]


def test_a_session_of_a_clock_that_goes_back(store: MemoryMessageStore, clock: Clock) -> None:
    """A session begins no earlier than the message before it, and ends no earlier than it began."""
    store.save_message("orders", event(1))
    clock.now_us = NOON_US - HOUR_US
    session_id = store.create_session()
    clock.now_us = NOON_US - 2 * HOUR_US
    store.end_session(session_id)
    info = store.get_session_info(session_id)
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert (info.started_at, info.ended_at, info.last_activity) == (noon, noon, noon)


def test_a_time_before_1970(clock: Clock) -> None:
    """A clock may stand before 1970."""
    clock.now_us = -HOUR_US
    store = MemoryMessageStore(clock=clock)
    store.save_message("orders", event(1))
    assert times(store) == ["23:00"]


def test_counting_by_hours_and_days(store: MemoryMessageStore, clock: Clock) -> None:
    """Hours and days come in their order, and are those of the zone asked for."""
    for hours in (0, 0, 1, 13):
        clock.now_us = NOON_US + hours * HOUR_US
        store.save_message("orders", event(1))
    assert list(store.count_by("hour").items()) == [
        ("2026-11-23T12:00", 2),
        ("2026-11-23T13:00", 1),
        ("2026-11-24T01:00", 1),
    ]
    assert store.count_by("day") == {"2026-11-23": 3, "2026-11-24": 1}
    west = timezone(timedelta(hours=-13))
    assert store.count_by("day", zone=west) == {"2026-11-22": 2, "2026-11-23": 2}


def test_a_read_sees_the_store_as_it_was(store: MemoryMessageStore) -> None:
    """A read sees what was there when its first message was asked for."""
    store.save_message("orders", event(1))
    begun, not_begun = store.get_all_messages(), store.get_all_messages()
    next(begun)
    store.save_message("orders", event(2))
    assert numbers(begun) == []
    assert numbers(not_begun) == [1, 2]


def test_a_follower_of_an_emptied_store(store: MemoryMessageStore) -> None:
    """After a reset a follower goes on with the new first message."""
    store.save_messages("orders", events(1, 2, 3))
    follower = store.follow(timeout=PATIENCE_S)
    assert numbers(next(follower) for _ in range(3)) == [1, 2, 3]
    store.reset()
    store.save_message("orders", event(4))
    assert numbers([next(follower)]) == [4]


@pytest.mark.parametrize("call", ["reset", "close"])
def test_a_follower_is_woken(store: MemoryMessageStore, call: str) -> None:
    """A follower that waits is woken by `reset`, and by `close`, which ends it with an error."""
    ended: list[str] = []

    def read() -> Iterator[PositionalMessage]:
        try:
            yield from store.follow()
        except StoreClosed:
            ended.append("closed")

    follower = Follower(read())
    store.save_message("orders", event(1))
    follower.wait_for(1)
    getattr(store, call)()
    if call == "reset":
        store.save_message("orders", event(2))
        assert numbers(follower.wait_for(2)) == [1, 2]
        store.close()
    follower.join()
    assert ended == ["closed"]


def test_data_changed_into_something_else(store: MemoryMessageStore) -> None:
    """Data that was changed after its message was made, to what cannot be stored, is refused."""
    data: dict[str, object] = {}
    message = Message("X", data)
    data["when"] = datetime(2026, 1, 1)
    with pytest.raises(InvalidMessage):
        store.save_messages("orders", [event(1), message])
    assert store.get_stats().total_messages == 0


def test_memory_bytes_are_fair() -> None:
    """`memory_bytes` is within a third of what Python allocates for the messages."""
    batch = [Message("OrderPlaced", {"orderId": f"o-{n}", "total": n}) for n in range(5000)]
    store = MemoryMessageStore()
    tracemalloc.start()
    try:
        for number, message in enumerate(batch):
            store.save_message(f"stream-{number % 50}", message)
        allocated, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    claimed = store.get_stats().memory_bytes or 0
    assert allocated * 2 / 3 < claimed < allocated * 4 / 3


def test_a_store_by_url() -> None:
    """`memory:` opens a new store each time."""
    with open_store("memory:") as one, open_store("MEMORY:") as other:
        one.save_message("orders", event(1))
        assert isinstance(one, MemoryMessageStore)
        assert other.count_messages() == 0
