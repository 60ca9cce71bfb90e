"""Sessions: recorded runs, whose id is stamped on what is saved while they are current."""

from __future__ import annotations

import re
from typing import Any

import pytest

from msgstore import (
    InvalidMessage,
    LocalMessageStore,
    Message,
    MessageFilter,
    SaveRequest,
    SessionEnded,
    SessionNotFound,
)
from msgstore.testing.claims.base import StoreClaims, event, events, numbers, only, refused

UNKNOWN = "session-1795443901760-abcdefgh"

NEED_OPEN = ("use_session", "end_session", "activate_session")
NEED_KNOWN = (*NEED_OPEN, "get_session_info", "get_session_messages")

BAD_DETAILS: dict[str, tuple[str, dict[str, Any]]] = {
    "an empty name": ("name", {"name": ""}),
    "a name with a line feed": ("name", {"name": "a\nb"}),
    "a number for a name": ("name", {"name": 5}),
    "labels that map nothing": ("labels", {"labels": ["a"]}),
    "an empty label": ("labels", {"labels": {"": "x"}}),
    "a number for a label": ("labels", {"labels": {5: "x"}}),
    "a number for a value": ("labels.a", {"labels": {"a": 5}}),
    "a control character in a value": ("labels.a", {"labels": {"a": "\x1b"}}),
}


class SessionClaims(StoreClaims):
    """Sessions are started, used and ended; their counts are exact at any moment."""

    def test_a_session_id(self, local_store: LocalMessageStore) -> None:
        """A session's id is `session-<unix ms>-<8 random>`, and no two are the same."""
        ids = [local_store.create_session() for _ in range(20)]
        assert all(re.fullmatch(r"session-\d{13}-[0-9a-z]{8}", one) for one in ids)
        assert len(set(ids)) == 20

    def test_a_new_session_is_current(self, local_store: LocalMessageStore) -> None:
        """A session that was created is the current one, until it ends."""
        assert local_store.current_session is None
        first = local_store.create_session()
        assert local_store.current_session == first
        second = local_store.create_session()
        assert local_store.current_session == second
        local_store.end_session(second)
        assert local_store.current_session is None

    def test_the_stamp(self, local_store: LocalMessageStore) -> None:
        """The current session's id is stamped on what is saved; without one it is `no-session`."""
        local_store.save_message("orders", event(1))
        session_id = local_store.create_session()
        local_store.save_messages("orders", events(2, 3))
        local_store.save_each([SaveRequest.of("carts", events(4))])
        with local_store.transaction() as transaction:
            transaction.save_message("carts", event(5))
        local_store.end_session(session_id)
        local_store.save_message("orders", event(6))
        with self.reopen(local_store) as again:
            stamps = [stored.session_id for stored in again.get_all_messages()]
        assert stamps == ["no-session", *[session_id] * 4, "no-session"]

    def test_using_a_session(self, local_store: LocalMessageStore) -> None:
        """An open session can be made current again, and none can be."""
        first = local_store.create_session()
        local_store.create_session()
        local_store.use_session(first)
        assert local_store.current_session == first
        local_store.use_session(None)
        assert local_store.current_session is None

    def test_facts_of_an_open_session(self, local_store: LocalMessageStore) -> None:
        """An open session has its name, labels and start, no end and no status."""
        session_id = local_store.create_session("nightly", {"host": "a", "ä b": "c=d"})
        with self.reopen(local_store) as again:
            info = again.get_session_info(session_id)
        assert (info.session_id, info.name) == (session_id, "nightly")
        assert dict(info.labels) == {"host": "a", "ä b": "c=d"}
        assert (info.ended_at, info.status) == (None, None)
        assert (info.message_count, info.command_count, info.event_count) == (0, 0, 0)
        assert info.last_activity == info.started_at

    def test_facts_of_an_ended_session(self, local_store: LocalMessageStore) -> None:
        """An ended session has its end and its status, and keeps its counts."""
        session_id = local_store.create_session()
        local_store.save_messages("orders", events(1, 2))
        local_store.save_message("orders", Message("X"), None, "command")
        local_store.end_session(session_id, "aborted")
        local_store.save_message("orders", event(4))
        with self.reopen(local_store) as again:
            info = again.get_session_info(session_id)
            last = list(again.get_session_messages(session_id))[-1]
        assert (info.name, dict(info.labels), info.status) == (None, {}, "aborted")
        assert (info.message_count, info.command_count, info.event_count) == (3, 1, 2)
        assert info.ended_at is not None
        assert info.started_at <= last.timestamp == info.last_activity <= info.ended_at

    def test_ending_without_a_status(self, local_store: LocalMessageStore) -> None:
        """A session may end without a status."""
        session_id = local_store.create_session()
        local_store.end_session(session_id)
        info = local_store.get_session_info(session_id)
        assert (info.ended_at is not None, info.status) == (True, None)

    def test_counts_of_what_goes_in_turn(self, local_store: LocalMessageStore) -> None:
        """Counts are exact while sessions take turns; repeated saves count once."""
        first, second = local_store.create_session(), local_store.create_session()
        for number in range(10):
            local_store.use_session((first, second, None)[number % 3])
            local_store.save_message("orders", event(number, id=f"m-{number}"))
            local_store.save_message("orders", event(number, id=f"m-{number}"))
        counts = [local_store.get_session_info(s).message_count for s in (first, second)]
        assert counts == [4, 3]

    def test_sessions_in_order(self, local_store: LocalMessageStore) -> None:
        """`get_sessions` gives every session, open and ended, in the order of their starts."""
        ids = [local_store.create_session(f"run {number}") for number in range(3)]
        local_store.end_session(ids[0])
        with self.reopen(local_store) as again:
            sessions = again.get_sessions()
            assert [info.session_id for info in sessions] == ids
            assert [info.name for info in sessions] == ["run 0", "run 1", "run 2"]
            assert sessions == [again.get_session_info(one) for one in ids]
            assert again.get_stats().total_sessions == 3

    def test_no_sessions(self, local_store: LocalMessageStore) -> None:
        """Saving without a session makes none; `no-session` is none."""
        local_store.save_message("orders", event(1))
        assert local_store.get_sessions() == []
        with refused(SessionNotFound, session_id="no-session"):
            local_store.get_session_info("no-session")

    @pytest.mark.parametrize("case", NEED_KNOWN)
    def test_an_unknown_session(self, local_store: LocalMessageStore, case: str) -> None:
        """An unknown session is an error wherever one is named, at the call."""
        with refused(SessionNotFound, session_id=UNKNOWN):
            getattr(local_store, case)(UNKNOWN)
        assert local_store.current_session is None

    @pytest.mark.parametrize("case", NEED_OPEN)
    def test_an_ended_session(self, local_store: LocalMessageStore, case: str) -> None:
        """An ended session can neither be used nor activated, nor ended again."""
        session_id = local_store.create_session()
        local_store.end_session(session_id, "ok")
        with self.reopen(local_store) as again:
            with refused(SessionEnded, session_id=session_id):
                getattr(again, case)(session_id)
            assert again.current_session is None
            assert again.get_session_info(session_id).status == "ok"

    def test_messages_of_a_session(self, local_store: LocalMessageStore) -> None:
        """The messages of a session are read with a filter, a count and a direction."""
        local_store.save_message("orders", event(0))
        session_id = local_store.create_session()
        local_store.save_messages("orders", events(1, 2))
        local_store.save_messages("carts", events(3, 4))
        local_store.end_session(session_id)
        with self.reopen(local_store) as again:
            read = again.get_session_messages
            assert numbers(read(session_id)) == [1, 2, 3, 4]
            assert numbers(read(session_id, None, 2)) == [1, 2]
            assert numbers(read(session_id, MessageFilter(stream_id="carts"))) == [3, 4]
            assert numbers(read(session_id, None, 1, direction="backwards")) == [4]
            assert numbers(read("no-session")) == [0]
            assert numbers(read(session_id, MessageFilter(session_id="no-session"))) == []
            of_session = MessageFilter(session_id=session_id)
            assert numbers(again.get_all_messages(of_session)) == [1, 2, 3, 4]

    @pytest.mark.parametrize("case", BAD_DETAILS)
    def test_bad_details(self, local_store: LocalMessageStore, case: str) -> None:
        """A name, and labels and their values, are texts of the usual kind; else no session is made."""
        path, details = BAD_DETAILS[case]
        with refused(InvalidMessage, path=path):
            local_store.create_session(**details)
        assert local_store.get_sessions() == []

    def test_a_bad_status(self, local_store: LocalMessageStore) -> None:
        """A status is a text of the usual kind; else the session goes on."""
        session_id = local_store.create_session()
        with refused(InvalidMessage, path="status"):
            local_store.end_session(session_id, "")
        assert local_store.current_session == session_id

    def test_labels_are_a_copy(self, local_store: LocalMessageStore) -> None:
        """Changing the labels that were given changes nothing in the store."""
        labels = {"host": "a"}
        session_id = local_store.create_session(labels=labels)
        labels["host"] = "b"
        assert dict(local_store.get_session_info(session_id).labels) == {"host": "a"}


class SessionBlockClaims(StoreClaims):
    """`with store.session()` does both ends; the active session is the store's."""

    def test_a_block(self, local_store: LocalMessageStore) -> None:
        """A block starts a session, gives its id, and ends it with status `ok`."""
        with local_store.session(name="run", labels={"a": "b"}) as session_id:
            assert local_store.current_session == session_id
            local_store.save_message("orders", event(1))
        info = local_store.get_session_info(session_id)
        assert (info.name, dict(info.labels), info.status) == ("run", {"a": "b"}, "ok")
        assert (info.message_count, info.ended_at is not None) == (1, True)
        assert local_store.current_session is None

    def test_an_error_in_a_block(self, local_store: LocalMessageStore) -> None:
        """An error ends the session with status `failed`, and goes on to the caller."""
        with pytest.raises(KeyError), local_store.session():
            raise KeyError("no such customer")
        assert [info.status for info in local_store.get_sessions()] == ["failed"]
        assert local_store.current_session is None

    def test_a_block_that_ends_its_session(self, local_store: LocalMessageStore) -> None:
        """A session that was ended within its block keeps its status; leaving is no error."""
        with local_store.session() as session_id:
            local_store.end_session(session_id, "cancelled")
        assert local_store.get_session_info(session_id).status == "cancelled"

    def test_a_block_within_a_block(self, local_store: LocalMessageStore) -> None:
        """After an inner block the outer session is current again."""
        with local_store.session("outer") as outer:
            with local_store.session("inner") as inner:
                local_store.save_message("orders", event(1))
            local_store.save_message("orders", event(2))
        stamps = [stored.session_id for stored in local_store.get_all_messages()]
        assert stamps == [inner, outer]
        assert local_store.current_session is None

    def test_an_outer_session_that_ended(self, local_store: LocalMessageStore) -> None:
        """After an inner block that ended the outer session, none is current."""
        outer = local_store.create_session()
        with local_store.session():
            local_store.end_session(outer)
        assert local_store.current_session is None

    def test_another_session_taken_up_in_a_block(self, local_store: LocalMessageStore) -> None:
        """A session that was made current within a block stays current after it."""
        with local_store.session():
            other = local_store.create_session()
        assert local_store.current_session == other
        assert [info.status for info in local_store.get_sessions()] == ["ok", None]

    def test_a_block_around_a_reset(self, local_store: LocalMessageStore) -> None:
        """Emptying the store within a block leaves nothing to end; leaving is no error."""
        with local_store.session():
            local_store.reset()
        assert local_store.get_sessions() == []

    def test_the_active_session(self, local_store: LocalMessageStore) -> None:
        """The store's active session is what was activated last, until that ends."""
        assert local_store.active_session() is None
        first, second = local_store.create_session(), local_store.create_session()
        assert local_store.active_session() is None
        local_store.activate_session(first)
        local_store.activate_session(second)
        with self.reopen(local_store) as again:
            assert again.active_session() == second
            again.end_session(first)
            assert again.active_session() == second
            again.end_session(second)
            assert again.active_session() is None

    def test_activation_stamps_nothing(self, local_store: LocalMessageStore) -> None:
        """The active session is for those who ask for it; this object stamps its current one."""
        session_id = local_store.create_session()
        local_store.activate_session(session_id)
        local_store.use_session(None)
        local_store.save_message("orders", event(1))
        assert only(local_store.get_all_messages()).session_id == "no-session"
