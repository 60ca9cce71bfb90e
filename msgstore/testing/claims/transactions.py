"""Transactions: saves to several streams as one commit."""

from __future__ import annotations

import pytest

from msgstore import (
    NO_STREAM,
    DuplicateMessageId,
    InvalidMessage,
    LocalMessageStore,
    Message,
    RequestError,
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
)


class TransactionClaims(StoreClaims):
    """`transaction()` commits all its saves when the block ends, or none."""

    def test_saves_to_several_streams(self, store: LocalMessageStore) -> None:
        """All saves of a transaction are stored in order, with one timestamp; results say where."""
        with store.transaction() as transaction:
            transaction.save_messages("orders", events(1, 2), NO_STREAM)
            transaction.save_message("carts", event(3))
        assert transaction.results == [
            SaveResult("orders", 0, 1, 1, 2, 2),
            SaveResult("carts", 0, 0, 3, 3, 1),
        ]
        with self.reopen(store) as again:
            stored = list(again.get_all_messages())
        assert (numbers(stored), positions(stored)) == ([1, 2, 3], [1, 2, 3])
        assert len({message.timestamp for message in stored}) == 1

    def test_nothing_before_the_end(self, store: LocalMessageStore) -> None:
        """Nothing is stored, and there are no results, before the block ends."""
        with store.transaction() as transaction:
            transaction.save_message("orders", event(1))
            assert transaction.results == []
            assert_empty(store)
        assert numbers(store.get_all_messages()) == [1]

    def test_a_save_sees_those_before_it(self, store: LocalMessageStore) -> None:
        """A save's expectation counts the saves before it in the transaction."""
        with store.transaction() as transaction:
            transaction.save_message("orders", event(1), NO_STREAM)
            transaction.save_message("orders", event(2), 0)
            transaction.save_message("orders", event(3), 1)
        assert numbers(store.get_messages("orders")) == [1, 2, 3]

    def test_one_expectation_fails(self, store: LocalMessageStore) -> None:
        """If one expectation does not hold nothing is written, and the error says which it was."""
        with (
            refused(WrongExpectedRevision, stream_id="carts", actual=-1, request_index=1),
            store.transaction() as transaction,
        ):
            transaction.save_message("orders", event(1))
            transaction.save_message("carts", event(2), 7)
            transaction.save_message("orders", event(3))
        assert_empty(store)

    def test_an_error_in_the_block(self, store: LocalMessageStore) -> None:
        """An error in the block discards the saves and goes on to the caller."""
        transaction = store.transaction()

        def save_and_fail() -> None:
            with transaction:
                transaction.save_message("orders", event(1))
                raise KeyError("no such customer")

        with pytest.raises(KeyError):
            save_and_fail()
        assert transaction.results == []
        assert_empty(store)

    def test_a_bad_save_in_the_block(self, store: LocalMessageStore) -> None:
        """A save that can never go through is refused at once."""
        with store.transaction() as transaction:
            with refused(InvalidMessage, path="stream_id"):
                transaction.save_message("", event(1))
            transaction.save_message("orders", event(2))
        assert numbers(store.get_all_messages()) == [2]

    def test_an_empty_transaction(self, store: LocalMessageStore) -> None:
        """A transaction without saves writes nothing and is no error."""
        with store.transaction() as transaction:
            pass
        assert transaction.results == []
        assert_empty(store)

    def test_an_empty_save(self, store: LocalMessageStore) -> None:
        """A save without messages has its place in the results, and creates nothing."""
        with store.transaction() as transaction:
            transaction.save_messages("carts", [])
            transaction.save_message("orders", event(1))
        assert transaction.results == [
            SaveResult("carts", -1, -1, 0, 0, 0),
            SaveResult("orders", 0, 0, 1, 1, 1),
        ]
        assert [info.stream_id for info in store.get_streams()] == ["orders"]

    def test_kinds(self, store: LocalMessageStore) -> None:
        """Each save of a transaction may say what kind its messages are."""
        with store.transaction() as transaction:
            transaction.save_message("orders", Message("A"), None, "command")
            transaction.save_messages("orders", [Message("B")], None, "event")
        assert [str(m.message_type) for m in store.get_all_messages()] == ["command", "event"]

    def test_a_transaction_ends_once(self, store: LocalMessageStore) -> None:
        """A transaction takes no saves after its block."""
        with store.transaction() as transaction:
            transaction.save_message("orders", event(1))
        with refused(RequestError):
            transaction.save_message("orders", event(2))
        assert numbers(store.get_all_messages()) == [1]

    def test_a_repeated_transaction(self, store: LocalMessageStore) -> None:
        """A transaction that is wholly known is answered with the places of its originals."""
        for _ in range(2):
            with store.transaction() as transaction:
                transaction.save_message("orders", event(1, id="m-1"))
                transaction.save_message("carts", event(2, id="m-2"))
        assert transaction.results == [
            SaveResult("orders", 0, 0, 1, 1, 1, True),
            SaveResult("carts", 0, 0, 2, 2, 1, True),
        ]
        assert numbers(store.get_all_messages()) == [1, 2]

    def test_a_transaction_known_in_part(self, store: LocalMessageStore) -> None:
        """A transaction of which only a part is known is refused as a whole."""
        store.save_message("orders", event(1, id="m-1"))
        known, new = event(1, id="m-1"), event(2)
        for first, second in ((known, new), (new, known)):
            with (
                refused(DuplicateMessageId, message_id="m-1", request_index=1),
                store.transaction() as transaction,
            ):
                transaction.save_message("orders", first)
                transaction.save_message("orders", second)
        assert numbers(store.get_all_messages()) == [1]

    def test_an_id_twice_in_a_transaction(self, store: LocalMessageStore) -> None:
        """A transaction that holds an id twice is refused."""
        with (
            refused(DuplicateMessageId, message_id="m-1", request_index=1),
            store.transaction() as transaction,
        ):
            transaction.save_message("orders", event(1, id="m-1"))
            transaction.save_message("orders", event(1, id="m-1"))
        assert_empty(store)
