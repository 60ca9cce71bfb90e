"""Saving: revisions, positions, expectations, all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from msgstore import (
    ANY,
    NO_STREAM,
    STREAM_EXISTS,
    Exactly,
    InvalidArgument,
    InvalidMessage,
    LocalMessageStore,
    Message,
    MessageTooLarge,
    SaveRequest,
    SaveResult,
    WrongExpectedRevision,
)
from msgstore.testing.claims.base import (
    StoreClaims,
    assert_empty,
    event,
    events,
    numbers,
    positions,
    refused,
    revisions,
)

# How many messages the stream holds, what is expected, whether the save goes through.
EXPECTATIONS: dict[str, tuple[int, Any, bool]] = {
    "None on an empty stream": (0, None, True),
    "None on a stream": (2, None, True),
    "ANY on an empty stream": (0, ANY, True),
    "ANY on a stream": (2, ANY, True),
    "NO_STREAM on an empty stream": (0, NO_STREAM, True),
    "NO_STREAM on a stream": (1, NO_STREAM, False),
    "-1 on an empty stream": (0, -1, True),
    "-1 on a stream": (2, -1, False),
    "STREAM_EXISTS on an empty stream": (0, STREAM_EXISTS, False),
    "STREAM_EXISTS on a stream": (1, STREAM_EXISTS, True),
    "0 on an empty stream": (0, 0, False),
    "0 at revision 0": (1, 0, True),
    "0 at revision 1": (2, 0, False),
    "1 at revision 1": (2, 1, True),
    "2 at revision 1": (2, 2, False),
    "Exactly(1) at revision 1": (2, Exactly(1), True),
    "Exactly(0) at revision 1": (2, Exactly(0), False),
    "2**70 at revision 1": (2, 1_180_591_620_717_411_303_424, False),
}

BAD_EXPECTATIONS: dict[str, Any] = {
    "-2": -2,
    "True": True,
    "1.0": 1.0,
    "text": "none",
    "a list": [],
}


class SavingClaims(StoreClaims):
    """A save goes through as a whole or not at all, and says where its messages stand."""

    def test_a_first_save(self, store: LocalMessageStore) -> None:
        """The first message of a store is at revision 0 and position 1."""
        result = store.save_message("orders", event(1))
        assert result == SaveResult("orders", 0, 0, 1, 1, 1, False)

    def test_revisions_are_per_stream(self, store: LocalMessageStore) -> None:
        """Revisions count within a stream, positions over the whole store without gaps."""
        saved = [store.save_message(s, event(1)) for s in ("orders", "carts", "orders", "carts")]
        assert [result.last_revision for result in saved] == [0, 0, 1, 1]
        assert [result.last_position for result in saved] == [1, 2, 3, 4]

    def test_a_batch(self, store: LocalMessageStore) -> None:
        """Several messages of one call have contiguous revisions and positions and one timestamp."""
        store.save_message("orders", event(1))
        assert store.save_messages("orders", events(2, 3, 4)) == SaveResult("orders", 1, 3, 2, 4, 3)
        batch = list(store.get_messages("orders", 1))
        assert (revisions(batch), positions(batch), numbers(batch)) == (
            [1, 2, 3],
            [2, 3, 4],
            [2, 3, 4],
        )
        assert len({stored.timestamp for stored in batch}) == 1

    def test_a_batch_goes_on_after_reopening(self, store: LocalMessageStore) -> None:
        """Who opens the store later goes on where it was left."""
        store.save_messages("orders", events(1, 2))
        with self.reopen(store) as again:
            assert again.save_message("orders", event(3), 1) == SaveResult("orders", 2, 2, 3, 3, 1)
            assert numbers(again.get_all_messages()) == [1, 2, 3]

    def test_any_iterable_is_a_batch(self, store: LocalMessageStore) -> None:
        """The messages of a batch may come from a generator."""
        assert store.save_messages("orders", (event(n) for n in range(3))).count == 3

    def test_an_empty_batch(self, store: LocalMessageStore) -> None:
        """An empty list saves nothing, creates nothing, and is no error."""
        assert store.save_messages("orders", []) == SaveResult("orders", -1, -1, 0, 0, 0, False)
        assert store.get_stream_info("orders") is None
        assert_empty(store)

    def test_an_empty_batch_on_a_stream(self, store: LocalMessageStore) -> None:
        """The result of an empty batch names the stream's present revision."""
        store.save_messages("orders", events(1, 2))
        assert store.save_messages("orders", []) == SaveResult("orders", 1, 1, 0, 0, 0, False)

    def test_a_batch_with_a_stranger(self, store: LocalMessageStore) -> None:
        """A batch that holds something else than messages is refused as a whole."""
        strange: list[Any] = [event(1), {"type": "X"}]
        with refused(InvalidMessage):
            store.save_messages("orders", strange)
        assert_empty(store)

    def test_one_message_is_no_batch(self, store: LocalMessageStore) -> None:
        """`save_messages` refuses a message that stands alone instead of in a list."""
        alone: Any = event(1)
        with refused(InvalidMessage):
            store.save_messages("orders", alone)

    def test_time_never_decreases(self, store: LocalMessageStore) -> None:
        """The timestamps of the envelope never decrease with the position."""
        for number in range(20):
            store.save_message(f"stream-{number % 3}", event(number))
        times = [stored.timestamp for stored in store.get_all_messages()]
        assert times == sorted(times)

    @pytest.mark.parametrize("case", EXPECTATIONS)
    def test_an_expectation(self, store: LocalMessageStore, case: str) -> None:
        """A save goes through if the stream is where it is expected, else nothing is written."""
        count, expected, goes_through = EXPECTATIONS[case]
        store.save_messages("orders", events(*range(count)))
        if goes_through:
            assert store.save_message("orders", event(9), expected).last_revision == count
        else:
            with refused(WrongExpectedRevision, stream_id="orders", actual=count - 1):
                store.save_message("orders", event(9), expected)
            assert numbers(store.get_all_messages()) == list(range(count))

    def test_the_sentence_of_a_mismatch(self, store: LocalMessageStore) -> None:
        """The error of a mismatch says what was expected and what is."""
        store.save_message("orders", event(1))
        with pytest.raises(WrongExpectedRevision) as caught:
            store.save_message("orders", event(2), NO_STREAM)
        assert str(caught.value) == "Expected revision -1 but stream is at revision 0"
        assert caught.value.expected == -1

    def test_a_mismatch_makes_no_stream(self, store: LocalMessageStore) -> None:
        """A refused save does not bring its stream into being."""
        with refused(WrongExpectedRevision, stream_id="orders", expected=0, actual=-1):
            store.save_messages("orders", events(1, 2), 0)
        assert store.get_stream_info("orders") is None
        assert_empty(store)

    def test_the_store_goes_on_after_a_mismatch(self, store: LocalMessageStore) -> None:
        """A refused save uses up no revision and no position."""
        with refused(WrongExpectedRevision):
            store.save_message("orders", event(1), 5)
        assert store.save_message("orders", event(1)) == SaveResult("orders", 0, 0, 1, 1, 1)

    def test_the_expectation_of_a_batch(self, store: LocalMessageStore) -> None:
        """A batch is expected to begin after a revision; its own messages do not count."""
        store.save_messages("orders", events(1, 2), NO_STREAM)
        assert store.save_messages("orders", events(3, 4), 1).last_revision == 3

    @pytest.mark.parametrize("case", BAD_EXPECTATIONS)
    def test_a_bad_expectation(self, store: LocalMessageStore, case: str) -> None:
        """What is no revision is refused as an expectation."""
        with refused(InvalidArgument, argument="expected_revision"):
            store.save_message("orders", event(1), BAD_EXPECTATIONS[case])
        assert_empty(store)


class SaveEachClaims(StoreClaims):
    """`save_each`: independent saves that share a commit."""

    def test_saves_of_one_commit(self, store: LocalMessageStore) -> None:
        """Each save is judged in order and sees those before it; there is a result for each."""
        results = store.save_each(
            [
                SaveRequest.of("orders", events(1, 2), NO_STREAM),
                SaveRequest.of("carts", events(3)),
                SaveRequest.of("orders", events(4), 1),
            ]
        )
        assert results == [
            SaveResult("orders", 0, 1, 1, 2, 2),
            SaveResult("carts", 0, 0, 3, 3, 1),
            SaveResult("orders", 2, 2, 4, 4, 1),
        ]
        with self.reopen(store) as again:
            assert numbers(again.get_all_messages()) == [1, 2, 3, 4]

    def test_no_saves(self, store: LocalMessageStore) -> None:
        """No saves are no error."""
        assert store.save_each([]) == []
        assert_empty(store)

    def test_one_refused(self, store: LocalMessageStore) -> None:
        """If one save is refused nothing is written, and the error says which it was."""
        requests = [
            SaveRequest.of("orders", events(1)),
            SaveRequest.of("carts", events(2)),
            SaveRequest.of("orders", events(3), NO_STREAM),
        ]
        with refused(WrongExpectedRevision, request_index=2, stream_id="orders", actual=0):
            store.save_each(requests)
        assert_empty(store)

    def test_one_too_large(self, store: LocalMessageStore) -> None:
        """A save that is refused for its size is named too."""
        requests = [
            SaveRequest.of("orders", events(1)),
            SaveRequest.of("carts", [event(2), Message("X", "x" * 16_777_216)]),
        ]
        with refused(MessageTooLarge, request_index=1):
            store.save_each(requests)
        assert_empty(store)

    def test_an_empty_save_among_others(self, store: LocalMessageStore) -> None:
        """A save without messages has its place in the results."""
        requests = [SaveRequest.of("orders", []), SaveRequest.of("orders", events(1))]
        assert store.save_each(requests) == [
            SaveResult("orders", -1, -1, 0, 0, 0),
            SaveResult("orders", 0, 0, 1, 1, 1),
        ]

    def test_the_same_request_twice(self, store: LocalMessageStore) -> None:
        """A message without an id is a new one each time it is saved."""
        request = SaveRequest.of("orders", [Message("X")])
        assert [result.duplicate for result in store.save_each([request, request])] == [False] * 2
        first, second = store.get_all_messages()
        assert first.message.id != second.message.id
