"""Facts about streams and the whole store, and emptying it."""

from __future__ import annotations

import pytest

from msgstore import (
    LocalMessageStore,
    Message,
    SaveResult,
    SessionNotFound,
    StoreStats,
    WrongExpectedRevision,
)
from msgstore.testing.claims.base import (
    StoreClaims,
    assert_empty,
    event,
    events,
    numbers,
    refused,
)


class StatsClaims(StoreClaims):
    """Totals are exact at any moment."""

    def test_an_unknown_stream_has_no_info(self, store: LocalMessageStore) -> None:
        """There is nothing to tell about an unknown stream."""
        assert store.get_stream_info("orders") is None

    def test_facts_of_a_stream(self, store: LocalMessageStore) -> None:
        """A stream has its last revision, its count, its first and last positions and times."""
        store.save_messages("orders", events(1, 2))
        store.save_message("carts", event(3))
        store.save_message("orders", event(4))
        with self.reopen(store) as again:
            info = again.get_stream_info("orders")
            stored = list(again.get_messages("orders"))
        assert info is not None
        assert (info.stream_id, info.revision, info.message_count) == ("orders", 2, 3)
        assert (info.first_position, info.last_position) == (1, 4)
        assert info.created_at == stored[0].timestamp
        assert info.last_updated == stored[-1].timestamp

    def test_streams_in_order(self, store: LocalMessageStore) -> None:
        """`get_streams` gives every stream in the order in which they were created."""
        for stream_id in ("orders", "carts", "orders", "äpfel", "carts", "bills"):
            store.save_message(stream_id, event(1))
        with self.reopen(store) as again:
            streams = list(again.get_streams())
            assert [info.stream_id for info in streams] == ["orders", "carts", "äpfel", "bills"]
            assert [info.message_count for info in streams] == [2, 2, 1, 1]
            assert streams == [again.get_stream_info(info.stream_id) for info in streams]

    def test_stats_of_an_empty_store(self, store: LocalMessageStore) -> None:
        """An empty store counts zeros and has no times."""
        stats = store.get_stats()
        assert stats == StoreStats(0, 0, 0, 0, 0, None, None, stats.disk_bytes, stats.memory_bytes)

    def test_stats(self, store: LocalMessageStore) -> None:
        """Messages, commands, events and streams are counted, with the first and the last time."""
        store.save_messages("orders", events(1, 2))
        store.save_messages("commands", [Message("A"), Message("B"), Message("C")])
        store.save_message("orders", Message("D", request_id="r-1"))
        with self.reopen(store) as again:
            stats = again.get_stats()
            times = [stored.timestamp for stored in again.get_all_messages()]
        assert (stats.total_messages, stats.total_commands, stats.total_events) == (6, 4, 2)
        assert (stats.total_streams, stats.total_sessions) == (2, 0)
        assert (stats.oldest_message, stats.newest_message) == (times[0], times[-1])

    def test_bytes(self, store: LocalMessageStore) -> None:
        """A store says how many bytes it takes, on disk or in memory, and grows with its messages."""
        sizes = []
        for number in range(3):
            store.save_message("orders", Message("X", {"text": "x" * 10_000, "n": number}))
            stats = store.get_stats()
            sizes.append(stats.disk_bytes if stats.memory_bytes is None else stats.memory_bytes)
        assert all(size is not None for size in sizes)
        small, _, large = (size or 0 for size in sizes)
        assert large - small >= 20_000

    def test_refused_saves_count_nothing(self, store: LocalMessageStore) -> None:
        """What was refused, repeated or empty counts nowhere."""
        store.save_message("orders", event(1, id="m-1"))
        store.save_message("orders", event(1, id="m-1"))
        store.save_messages("carts", [])
        with refused(WrongExpectedRevision):
            store.save_message("bills", event(2), 3)
        stats = store.get_stats()
        assert (stats.total_messages, stats.total_streams) == (1, 1)


class ResetClaims(StoreClaims):
    """`reset` empties a local store."""

    def test_an_emptied_store(self, local_store: LocalMessageStore) -> None:
        """After `reset` there are no messages, streams, sessions, current or active session."""
        session_id = local_store.create_session()
        local_store.activate_session(session_id)
        local_store.save_messages("orders", events(1, 2))
        local_store.reset()
        with self.reopen(local_store) as again:
            assert_empty(again)
            assert again.get_sessions() == []
            assert (again.current_session, again.active_session()) == (None, None)
            assert again.get_stats().total_sessions == 0
            assert (list(again.get_messages("orders")), again.get_message(1)) == ([], None)
            with refused(SessionNotFound, session_id=session_id):
                again.get_session_info(session_id)

    def test_positions_begin_again(self, local_store: LocalMessageStore) -> None:
        """After `reset` revisions and positions begin again, and ids are free."""
        local_store.save_message("carts", event(0))
        local_store.save_message("orders", event(1, id="m-1"))
        local_store.reset()
        saved = local_store.save_message("orders", event(2, id="m-1"), -1)
        assert saved == SaveResult("orders", 0, 0, 1, 1, 1, False)
        with self.reopen(local_store) as again:
            assert numbers(again.get_all_messages()) == [2]

    @pytest.mark.parametrize("times", [1, 2])
    def test_emptying_an_empty_store(self, local_store: LocalMessageStore, times: int) -> None:
        """Emptying an empty store is no error."""
        for _ in range(times):
            local_store.reset()
        assert_empty(local_store)
