"""Following: what is there, then what arrives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

from msgstore import LocalMessageStore, Message, MessageFilter, PositionalMessage
from msgstore.testing.claims.base import StoreClaims, event, events, numbers, positions

PATIENCE_S = 60
"""How long a test waits for what should happen at once: only a failing test takes so long."""


class Follower:
    """Reads from `messages` on a thread of its own until they end."""

    def __init__(self, messages: Iterator[PositionalMessage]) -> None:
        self.seen: list[PositionalMessage] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(messages,), daemon=True)
        self._thread.start()

    def _run(self, messages: Iterator[PositionalMessage]) -> None:
        for stored in messages:
            with self._changed:
                self.seen.append(stored)
                self._changed.notify_all()

    def wait_for(self, count: int) -> list[PositionalMessage]:
        """What has been seen once it is `count` messages."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= count, PATIENCE_S)
            return list(self.seen)

    def join(self) -> list[PositionalMessage]:
        """All that has been seen, once the messages have ended."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the follower does not end"
        return self.seen


class FollowClaims(StoreClaims):
    """`follow` yields every match once, in order of position."""

    def test_no_time_to_wait(self, store: LocalMessageStore) -> None:
        """With a timeout of 0 it gives what is there and ends."""
        assert list(store.follow(timeout=0)) == []
        store.save_messages("orders", events(1, 2))
        assert numbers(store.follow(timeout=0)) == [1, 2]

    def test_a_short_wait(self, store: LocalMessageStore) -> None:
        """It ends when nothing arrives within the timeout, a fraction of a second too."""
        store.save_messages("orders", events(1, 2))
        assert numbers(store.follow(timeout=0.05)) == [1, 2]
        assert list(store.follow(from_position=3, timeout=0.05)) == []

    def test_from_a_position(self, store: LocalMessageStore) -> None:
        """It begins at `from_position`, inclusive; 0 and None begin at the first message."""
        store.save_messages("orders", events(1, 2, 3))
        assert positions(store.follow(from_position=2, timeout=0)) == [2, 3]
        assert positions(store.follow(from_position=0, timeout=0)) == [1, 2, 3]
        assert positions(store.follow(from_position=None, timeout=0)) == [1, 2, 3]
        assert positions(store.follow(from_position=4, timeout=0)) == []

    def test_only_what_matches(self, store: LocalMessageStore) -> None:
        """It yields what the filter lets through; the later of two beginnings counts."""
        store.save_messages("orders", [Message("AB"[n % 2], {"n": n}) for n in range(6)])
        assert numbers(store.follow(MessageFilter(message_names="B"), timeout=0)) == [1, 3, 5]
        later = MessageFilter(message_names="B", from_position=5)
        assert numbers(store.follow(later, 1, timeout=0)) == [5]
        assert numbers(store.follow(MessageFilter(from_position=1), 5, timeout=0)) == [4, 5]

    def test_what_arrives(self, store: LocalMessageStore) -> None:
        """A follower that waits is given what another thread saves, as it is saved."""
        store.save_message("orders", event(1))
        follower = Follower(islice(store.follow(), 4))
        assert numbers(follower.wait_for(1)) == [1]
        store.save_message("orders", event(2))
        assert numbers(follower.wait_for(2)) == [1, 2]
        store.save_messages("carts", events(3, 4))
        assert numbers(follower.join()) == [1, 2, 3, 4]

    def test_an_empty_store(self, store: LocalMessageStore) -> None:
        """An empty store can be followed from before its first message."""
        follower = Follower(islice(store.follow(), 1))
        store.save_message("orders", event(1))
        assert numbers(follower.join()) == [1]

    def test_a_position_that_is_yet_to_come(self, store: LocalMessageStore) -> None:
        """Messages before `from_position` are passed over though they arrive later."""
        follower = Follower(islice(store.follow(from_position=3), 1))
        for number in (1, 2, 3):
            store.save_message("orders", event(number))
        assert numbers(follower.join()) == [3]

    def test_a_filter_on_what_arrives(self, store: LocalMessageStore) -> None:
        """What arrives is filtered too, by its data as by its stream."""
        wanted = MessageFilter(stream_pattern="order*", where="n>=2")
        follower = Follower(islice(store.follow(wanted), 2))
        for number in (1, 2, 3):
            store.save_message("carts", event(number))
            store.save_message("orders", event(number))
        assert numbers(follower.join()) == [2, 3]

    def test_other_messages_do_not_keep_it_waiting(self, store: LocalMessageStore) -> None:
        """The timeout counts from the last match: what does not match does not prolong it."""
        # Slow to decide, so that there are new messages whenever the follower looks.
        wanted = MessageFilter(where="text~^x*x*y")
        follower = Follower(store.follow(wanted, timeout=0.2))
        message = Message("X", {"text": "x" * 500})
        ended = threading.Event()

        def save() -> None:
            while not ended.is_set():
                store.save_message("orders", message)

        saver = threading.Thread(target=save, daemon=True)
        saver.start()
        try:
            assert follower.join() == []
        finally:
            ended.set()
            saver.join(PATIENCE_S)

    def test_none_missed_none_twice(self, store: LocalMessageStore) -> None:
        """Followers see each message of several savers once, in order, whenever they begin."""
        store.save_messages("orders", events(*range(20)))
        total = 20 + 3 * 40

        def save(saver: int) -> None:
            for number in range(20):
                store.save_messages(f"stream-{saver}", events(number, number))

        savers = [threading.Thread(target=save, args=(n,), daemon=True) for n in range(3)]
        followers = [Follower(islice(store.follow(), total))]
        for saver in savers:
            saver.start()
            followers.append(Follower(islice(store.follow(), total)))
        for saver in savers:
            saver.join(PATIENCE_S)
        for follower in followers:
            assert positions(follower.join()) == list(range(1, total + 1))

    def test_left_in_the_middle(self, store: LocalMessageStore) -> None:
        """A follower that is left does not get in the way of saving."""
        store.save_messages("orders", events(1, 2))
        follower = store.follow()
        next(follower)
        store.save_message("orders", event(3))
        assert numbers(islice(follower, 2)) == [2, 3]
