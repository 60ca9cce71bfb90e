"""Errors: four families, and a store that was closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from msgstore import (
    CorruptRecord,
    CorruptStore,
    DuplicateMessageId,
    InvalidArgument,
    InvalidFilter,
    InvalidMessage,
    LocalMessageStore,
    Message,
    MessageStore,
    MessageTooLarge,
    MsgStoreError,
    ReadOnlyStore,
    RequestError,
    SaveRequest,
    SessionEnded,
    SessionNotFound,
    StoreClosed,
    StoreLocked,
    StoreNotFound,
    StoreUnavailable,
    UnsupportedFormat,
    WriteFailed,
    WrongExpectedRevision,
)
from msgstore.testing.claims.base import StoreClaims, event, numbers

FAMILIES: dict[type[MsgStoreError], tuple[type[MsgStoreError], int]] = {
    InvalidMessage: (RequestError, 2),
    InvalidFilter: (RequestError, 2),
    InvalidArgument: (RequestError, 2),
    SessionNotFound: (RequestError, 2),
    SessionEnded: (RequestError, 2),
    DuplicateMessageId: (RequestError, 2),
    MessageTooLarge: (RequestError, 2),
    WrongExpectedRevision: (MsgStoreError, 4),
    StoreNotFound: (StoreUnavailable, 5),
    UnsupportedFormat: (StoreUnavailable, 5),
    ReadOnlyStore: (StoreUnavailable, 5),
    WriteFailed: (StoreUnavailable, 5),
    StoreClosed: (StoreUnavailable, 5),
    StoreLocked: (StoreUnavailable, 75),
    CorruptRecord: (CorruptStore, 3),
}

CALLS: dict[str, Callable[[LocalMessageStore], object]] = {
    "save_message": lambda s: s.save_message("orders", event(1)),
    "save_messages": lambda s: s.save_messages("orders", [event(1)]),
    "save_each": lambda s: s.save_each([SaveRequest.of("orders", [event(1)])]),
    "transaction": lambda s: _save_in_transaction(s),
    "get_messages": lambda s: s.get_messages("orders"),
    "get_all_messages": lambda s: s.get_all_messages(),
    "get_all_commands": lambda s: s.get_all_commands(),
    "get_all_events": lambda s: s.get_all_events(),
    "get_session_messages": lambda s: s.get_session_messages("no-session"),
    "get_message": lambda s: s.get_message(1),
    "count_messages": lambda s: s.count_messages(),
    "count_by": lambda s: s.count_by("type"),
    "get_stream_info": lambda s: s.get_stream_info("orders"),
    "get_streams": lambda s: s.get_streams(),
    "get_stats": lambda s: s.get_stats(),
    "get_sessions": lambda s: s.get_sessions(),
    "get_session_info": lambda s: s.get_session_info("session-1-abcdefgh"),
    "follow": lambda s: s.follow(timeout=0),
    "flush": lambda s: s.flush(),
}

LOCAL_CALLS: dict[str, Callable[[LocalMessageStore], object]] = {
    "create_session": lambda s: s.create_session(),
    "end_session": lambda s: s.end_session("session-1-abcdefgh"),
    "use_session": lambda s: s.use_session("session-1-abcdefgh"),
    "active_session": lambda s: s.active_session(),
    "activate_session": lambda s: s.activate_session("session-1-abcdefgh"),
    "reset": lambda s: s.reset(),
}


def _save_in_transaction(store: LocalMessageStore) -> None:
    with store.transaction() as transaction:
        transaction.save_message("orders", Message("X"))


class ErrorClaims(StoreClaims):
    """Every error is of a family, and a store that was closed says so."""

    @pytest.mark.parametrize("error", FAMILIES, ids=lambda error: str(error.__name__))
    def test_a_family(self, error: type[MsgStoreError]) -> None:
        """Each error belongs to one family, ends a command with its code, and gives advice."""
        family, exit_code = FAMILIES[error]
        assert issubclass(error, family)
        assert issubclass(error, MsgStoreError)
        assert error.exit_code == exit_code
        assert error.advice

    def test_a_store_keeps_the_protocol(self, store: LocalMessageStore) -> None:
        """A store has every method of its protocol."""
        assert isinstance(store, MessageStore)
        assert isinstance(store, LocalMessageStore) or not self.local

    @pytest.mark.parametrize("case", CALLS)
    def test_after_close(self, store: LocalMessageStore, case: str) -> None:
        """A store that was closed refuses every call, at the call."""
        store.save_message("orders", event(1))
        store.close()
        with pytest.raises(StoreClosed):
            CALLS[case](store)

    @pytest.mark.parametrize("case", LOCAL_CALLS)
    def test_after_close_of_a_local_store(self, local_store: LocalMessageStore, case: str) -> None:
        """A local store that was closed refuses its own calls too."""
        local_store.close()
        with pytest.raises(StoreClosed):
            LOCAL_CALLS[case](local_store)

    def test_closing_twice(self, store: LocalMessageStore) -> None:
        """Closing twice is no error."""
        store.close()
        store.close()

    def test_a_block_closes(self, store: LocalMessageStore) -> None:
        """A store is closed at the end of its `with` block."""
        with store as opened:
            opened.save_message("orders", event(1))
        with pytest.raises(StoreClosed):
            store.get_stats()

    def test_flushing(self, store: LocalMessageStore) -> None:
        """`flush` may be called at any time and changes nothing that can be read."""
        store.flush()
        store.save_message("orders", event(1))
        store.flush()
        assert numbers(store.get_all_messages()) == [1]
