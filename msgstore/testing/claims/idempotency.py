"""Idempotency: a save that is repeated is answered, not stored again."""

from __future__ import annotations

from typing import Any

import pytest

from msgstore import (
    NO_STREAM,
    DuplicateMessageId,
    LocalMessageStore,
    Message,
    SaveRequest,
    SaveResult,
)
from msgstore.testing.claims.base import (
    StoreClaims,
    event,
    numbers,
    only,
    refused,
)

# Data of the original, data of the repetition, whether they are the same content.
SAME_CONTENT: dict[str, tuple[Any, Any, bool]] = {
    "nothing and an empty object": (None, {}, True),
    "keys in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
    "a tuple and a list": ({"a": (1, 2)}, {"a": [1, 2]}, True),
    "1 and 1.0": ({"n": 1}, {"n": 1.0}, True),
    "1 and true": ({"n": 1}, {"n": True}, False),
    "0 and false": ([0], [False], False),
    "null and absent": ({"n": None}, {}, False),
    "text and number": ({"n": "1"}, {"n": 1}, False),
    "a list cut short": ([1, 2], [1], False),
    "deep within": ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, False),
}


class IdempotencyClaims(StoreClaims):
    """Every message has an id, and an id is stored once."""

    def test_a_repeated_save(self, store: LocalMessageStore) -> None:
        """Saving the same message again gives the place of the original, and stores nothing."""
        store.save_message("carts", event(0))
        first = store.save_message("orders", event(1, id="m-1"))
        store.save_message("orders", event(2))
        with self.reopen(store) as again:
            repeated = again.save_message("orders", event(1, id="m-1"))
            assert first == SaveResult("orders", 0, 0, 2, 2, 1, False)
            assert repeated == SaveResult("orders", 0, 0, 2, 2, 1, True)
            assert numbers(again.get_all_messages()) == [0, 1, 2]

    def test_a_retry_with_its_old_expectation(self, store: LocalMessageStore) -> None:
        """A retry is answered even though the stream is no longer where it was expected."""
        store.save_message("orders", event(1, id="m-1"), NO_STREAM)
        assert store.save_message("orders", event(1, id="m-1"), NO_STREAM).duplicate

    def test_a_made_up_id_counts_as_given(self, store: LocalMessageStore) -> None:
        """The id that the store made may be used to repeat the save."""
        store.save_message("orders", event(1))
        message = only(store.get_all_messages()).message
        assert store.save_message("orders", message).duplicate
        assert numbers(store.get_all_messages()) == [1]

    @pytest.mark.parametrize("case", SAME_CONTENT)
    def test_the_same_content(self, store: LocalMessageStore, case: str) -> None:
        """Content is compared as JSON has it; other content under a known id is refused."""
        original, repetition, is_same = SAME_CONTENT[case]
        store.save_message("orders", Message("X", original, id="m-1"))
        if is_same:
            assert store.save_message("orders", Message("X", repetition, id="m-1")).duplicate
        else:
            with refused(DuplicateMessageId, message_id="m-1"):
                store.save_message("orders", Message("X", repetition, id="m-1"))
        assert store.get_stats().total_messages == 1

    def test_only_type_and_data_are_content(self, store: LocalMessageStore) -> None:
        """A repetition may differ in its metadata and other ids; the original stays as it is."""
        store.save_message("orders", event(1, id="m-1", metadata={"try": 1}))
        again = event(1, id="m-1", metadata={"try": 2}, correlation_id="c-1")
        assert store.save_message("orders", again).duplicate
        assert only(store.get_all_messages()).message == event(1, id="m-1", metadata={"try": 1})

    def test_another_type(self, store: LocalMessageStore) -> None:
        """A known id with another type is refused."""
        store.save_message("orders", Message("A", id="m-1"))
        with refused(DuplicateMessageId, message_id="m-1"):
            store.save_message("orders", Message("B", id="m-1"))

    def test_another_stream(self, store: LocalMessageStore) -> None:
        """An id is taken in the whole store: the same message in another stream is refused."""
        store.save_message("orders", event(1, id="m-1"))
        with self.reopen(store) as again:
            with refused(DuplicateMessageId, message_id="m-1"):
                again.save_message("carts", event(1, id="m-1"))
            assert again.get_stream_info("carts") is None

    def test_a_repeated_batch(self, store: LocalMessageStore) -> None:
        """A batch that is wholly known is answered with the places of its originals."""
        batch = [event(1, id="m-1"), event(2, id="m-2")]
        store.save_message("orders", event(0))
        store.save_messages("orders", batch)
        assert store.save_messages("orders", batch) == SaveResult("orders", 1, 2, 2, 3, 2, True)
        assert numbers(store.get_all_messages()) == [0, 1, 2]

    def test_a_repetition_in_another_order(self, store: LocalMessageStore) -> None:
        """The answer to a repetition runs from the first to the last place of its originals."""
        store.save_messages("orders", [event(n, id=f"m-{n}") for n in range(3)])
        batch = [event(2, id="m-2"), event(0, id="m-0")]
        assert store.save_messages("orders", batch) == SaveResult("orders", 0, 2, 1, 3, 2, True)

    @pytest.mark.parametrize("other_id", ["m-2", None])
    def test_a_batch_known_in_part(self, store: LocalMessageStore, other_id: str | None) -> None:
        """A batch of which only a part is known is refused, and nothing is written."""
        store.save_message("orders", event(1, id="m-1"))
        with refused(DuplicateMessageId, message_id="m-1"):
            store.save_messages("orders", [event(2, id=other_id), event(1, id="m-1")])
        assert numbers(store.get_all_messages()) == [1]

    def test_an_id_twice_in_a_batch(self, store: LocalMessageStore) -> None:
        """A batch that holds an id twice is refused, whatever else it holds."""
        with refused(DuplicateMessageId, message_id="m-1"):
            store.save_messages("orders", [event(1, id="m-1"), event(1, id="m-1")])
        assert store.get_stats().total_messages == 0

    def test_independent_saves(self, store: LocalMessageStore) -> None:
        """Of independent saves some may be known and others new."""
        store.save_message("orders", event(1, id="m-1"))
        results = store.save_each(
            [
                SaveRequest.of("orders", [event(2, id="m-2")]),
                SaveRequest.of("orders", [event(1, id="m-1")]),
                SaveRequest.of("orders", [event(2, id="m-2")]),
                SaveRequest.of("orders", [event(3)]),
            ]
        )
        assert results == [
            SaveResult("orders", 1, 1, 2, 2, 1, False),
            SaveResult("orders", 0, 0, 1, 1, 1, True),
            SaveResult("orders", 1, 1, 2, 2, 1, True),
            SaveResult("orders", 2, 2, 3, 3, 1, False),
        ]
        assert numbers(store.get_all_messages()) == [1, 2, 3]

    def test_independent_saves_that_collide(self, store: LocalMessageStore) -> None:
        """An id taken by an earlier save of the same commit is taken."""
        requests = [
            SaveRequest.of("orders", [event(1, id="m-1")]),
            SaveRequest.of("carts", [event(1, id="m-1")]),
        ]
        with refused(DuplicateMessageId, message_id="m-1", request_index=1):
            store.save_each(requests)
        assert store.get_stats().total_messages == 0

    def test_a_refused_id_stays_free(self, store: LocalMessageStore) -> None:
        """An id in a save that was refused is not taken by it."""
        with refused(DuplicateMessageId):
            store.save_messages("orders", [event(1, id="m-1"), event(2, id="m-1")])
        assert not store.save_message("carts", event(3, id="m-1")).duplicate
