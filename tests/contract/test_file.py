"""The contract over FileMessageStore: whole without syncing, in part for each durability."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from msgstore import (
    DuplicateMessageId,
    FileMessageStore,
    LocalMessageStore,
    SaveResult,
    SessionEnded,
    WrongExpectedRevision,
    open_store,
)
from msgstore.testing import StoreContract
from msgstore.testing.claims.base import StoreClaims, event, events, numbers, refused
from msgstore.testing.claims.follow import FollowClaims, Follower
from msgstore.testing.claims.idempotency import IdempotencyClaims
from msgstore.testing.claims.saving import SaveEachClaims, SavingClaims
from msgstore.testing.claims.sessions import SessionBlockClaims
from msgstore.testing.claims.stats import ResetClaims
from msgstore.testing.claims.threads import ThreadClaims
from msgstore.testing.claims.transactions import TransactionClaims


class FileClaims(StoreClaims):
    """A store in the test's folder."""

    durability: ClassVar[Literal["always", "batch", "os"]] = "os"
    path: Path

    def make_store(self, tmp_path: Path) -> LocalMessageStore:
        self.path = tmp_path / "store"
        return FileMessageStore(self.path, durability=self.durability)

    def reopen(self, store: LocalMessageStore) -> LocalMessageStore:
        store.close()
        return FileMessageStore(self.path, durability=self.durability)


class TestFileMessageStore(FileClaims, StoreContract):
    """Every claim of the contract."""


class DurableClaims(
    FileClaims,
    SavingClaims,
    SaveEachClaims,
    IdempotencyClaims,
    TransactionClaims,
    SessionBlockClaims,
    ResetClaims,
    FollowClaims,
    ThreadClaims,
):
    """The claims about writing."""


class TestAlways(DurableClaims):
    """A save is on disk when it returns."""

    durability = "always"


class TestBatch(DurableClaims):
    """A save is on disk after a while."""

    durability = "batch"


class TestTwoObjects(FileClaims):
    """Two objects on one path are two users of one store."""

    @pytest.fixture
    def other(self, store: LocalMessageStore) -> Iterator[LocalMessageStore]:
        with FileMessageStore(self.path, durability="os") as other:
            yield other

    def test_one_sees_what_the_other_saves(
        self, store: LocalMessageStore, other: LocalMessageStore
    ) -> None:
        """What one has saved the other reads at once, and goes on from."""
        for number in range(4):
            (store, other)[number % 2].save_message("orders", event(number), number - 1)
            assert numbers(store.get_messages("orders")) == list(range(number + 1))
            assert numbers(other.get_all_messages()) == list(range(number + 1))
        assert store.get_stats() == other.get_stats()

    def test_expectations(self, store: LocalMessageStore, other: LocalMessageStore) -> None:
        """A save is judged by what the other has saved."""
        store.save_message("orders", event(1), -1)
        with refused(WrongExpectedRevision, actual=0):
            other.save_message("orders", event(2), -1)
        assert other.save_message("orders", event(2), 0) == SaveResult("orders", 1, 1, 2, 2, 1)

    def test_ids(self, store: LocalMessageStore, other: LocalMessageStore) -> None:
        """An id is known to the other, however lately it was saved."""
        for number in range(20):
            store.save_message("orders", event(number, id=f"m-{number}"))
            assert other.save_message("orders", event(number, id=f"m-{number}")).duplicate
            with refused(DuplicateMessageId):
                other.save_message("carts", event(number, id=f"m-{number}"))

    def test_a_session_ended_by_the_other(
        self, store: LocalMessageStore, other: LocalMessageStore
    ) -> None:
        """Saving into a session that the other has ended is an error, and writes nothing."""
        session_id = store.create_session()
        store.save_message("orders", event(1))
        other.end_session(session_id, "ok")
        with refused(SessionEnded, session_id=session_id):
            store.save_message("orders", event(2))
        store.use_session(None)
        store.save_message("orders", event(3))
        assert numbers(other.get_all_messages()) == [1, 3]
        assert other.get_session_info(session_id).message_count == 1

    def test_a_block_ended_by_the_other(
        self, store: LocalMessageStore, other: LocalMessageStore
    ) -> None:
        """A block whose session the other has ended leaves without error."""
        with store.session() as session_id:
            other.end_session(session_id, "cancelled")
        assert store.current_session is None
        assert store.get_session_info(session_id).status == "cancelled"

    def test_a_session_of_both(self, store: LocalMessageStore, other: LocalMessageStore) -> None:
        """Both may save into one session, and both see its counts."""
        session_id = store.create_session()
        assert other.current_session is None
        other.use_session(session_id)
        for number in range(6):
            (store, other)[number % 2].save_message("orders", event(number))
        assert store.get_session_info(session_id).message_count == 6
        assert other.get_session_info(session_id).message_count == 6

    def test_following_the_other(self, store: LocalMessageStore, other: LocalMessageStore) -> None:
        """A follower is given what the other saves."""
        follower = Follower(islice(store.follow(), 3))
        other.save_message("orders", event(1))
        assert numbers(follower.wait_for(1)) == [1]
        other.save_messages("orders", events(2, 3))
        assert numbers(follower.join()) == [1, 2, 3]

    def test_emptied_by_the_other(self, store: LocalMessageStore, other: LocalMessageStore) -> None:
        """After the other has emptied the store it is empty, and goes on from the beginning."""
        store.save_messages("orders", events(1, 2))
        other.reset()
        assert list(store.get_all_messages()) == []
        assert store.save_message("orders", event(3), -1) == SaveResult("orders", 0, 0, 1, 1, 1)
        assert numbers(other.get_all_messages()) == [3]

    @pytest.mark.parametrize("writes", [True, False], ids=["that writes", "that only reads"])
    def test_emptied_again_and_again(
        self, store: LocalMessageStore, other: LocalMessageStore, writes: bool
    ) -> None:
        """However often the store is emptied, the other object sees what is there now.

        File systems give the inode of a deleted file to the next one: new files may pass for those
        that the other object knew.
        """
        for number in range(20):
            store.save_messages("orders", events(number, number))
            assert numbers(other.get_all_messages()) == [number, number]
            store.reset()
            assert list(other.get_all_messages()) == []
            store.save_message("carts", event(number))
            assert numbers(other.get_all_messages()) == [number]
            if writes:
                assert other.save_message("carts", event(9), 0).last_position == 2
            store.reset()


@pytest.mark.parametrize("form", ["{path}", "file:{path}", "file://{path}", "FILE:{path}"])
def test_a_store_by_url(tmp_path: Path, form: str) -> None:
    """A path and a `file:` URL open the store at that path."""
    path = tmp_path / "a store"
    with FileMessageStore(path, durability="os") as store:
        store.save_message("orders", event(1))
    with open_store(form.format(path=path)) as again:
        assert numbers(again.get_all_messages()) == [1]
