"""Saves whose answer does not come: what stands is found out, and never stands twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from msgstore import DuplicateMessageId, Message, OutcomeUnknown, StoreUnavailable
from msgstore.backends.nats import publishing, questions, wire
from msgstore.backends.nats.store import NatsMessageStore

from .proxy import Proxy
from .servers import Server

SAVE = b"Msgstore-Revision"
COMMIT = b"Nats-Batch-Commit"


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def name() -> str:
    return f"l{os.urandom(8).hex()}"


@pytest.fixture
def store(proxy: Proxy, name: str) -> Iterator[NatsMessageStore]:
    """Over a wire that can be cut; it holds one message already."""
    with NatsMessageStore(f"nats://127.0.0.1:{proxy.port}/{name}") as store:
        store.save_message("orders", Message("First"))
        yield store


def types(store: NatsMessageStore) -> list[str]:
    return [stored.message.type for stored in store.get_all_messages()]


@pytest.mark.parametrize("message_id", ["m-1", None])
def test_a_lost_answer(store: NatsMessageStore, proxy: Proxy, message_id: str | None) -> None:
    """A save that arrived and whose answer was lost returns as if nothing had happened, stored once."""
    lost = proxy.lose_answer_to(SAVE)
    result = store.save_message("orders", Message("Second", id=message_id), 0)
    assert lost.is_set()
    assert (result.last_revision, result.last_position, result.duplicate) == (1, 2, False)
    assert types(store) == ["First", "Second"]


def test_a_lost_answer_to_a_transaction(store: NatsMessageStore, proxy: Proxy) -> None:
    """A commit of several whose answer was lost stands once, and its places are known."""
    lost = proxy.lose_answer_to(COMMIT)
    with store.transaction() as transaction:
        transaction.save_messages("orders", [Message("A"), Message("B")])
        transaction.save_message("carts", Message("C"))
    assert lost.is_set()
    assert [result.last_position for result in transaction.results] == [3, 4]
    assert types(store) == ["First", "A", "B", "C"]


def test_a_save_that_does_not_arrive(store: NatsMessageStore, proxy: Proxy) -> None:
    """A save that was lost on its way is sent again, and stored once."""
    lost = proxy.lose(SAVE)
    assert store.save_message("orders", Message("Second"), 0).last_position == 2
    assert lost.is_set()
    assert types(store) == ["First", "Second"]


@pytest.mark.parametrize("mark", [b"last_by_subj", b'"batch"', b"multi_last", SAVE])
def test_what_is_never_answered(
    store: NatsMessageStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, mark: bytes
) -> None:
    """A question, or a save, that is lost while the connection stays is put again by itself."""
    for module, name in ((wire, "AGAIN_S"), (questions, "ATTEMPT_S"), (publishing, "_PATIENCE_S")):
        monkeypatch.setattr(module, name, 0.05)
    lost = proxy.swallow(mark)
    assert store.save_message("orders", Message("Second", id="m-1")).last_position == 2
    assert types(store) == ["First", "Second"]
    assert lost.is_set()


def test_another_in_its_place(
    store: NatsMessageStore, proxy: Proxy, server: Server, name: str
) -> None:
    """A save that was lost, and whose place another has taken meanwhile, is decided again."""
    with NatsMessageStore(server.url(name)) as other:
        taken = threading.Event()

        def look(data: bytes) -> None:
            if SAVE in data and not taken.is_set():
                taken.set()
                other.save_message("orders", Message("Other"))
                proxy.cut()
                raise ConnectionResetError

        proxy.on_request = look
        assert store.save_message("orders", Message("Second")).last_revision == 2
        assert types(other) == ["First", "Other", "Second"]


@pytest.mark.parametrize("count", [1, 2])
def test_another_saves_the_id_meanwhile(
    store: NatsMessageStore, proxy: Proxy, server: Server, name: str, count: int
) -> None:
    """An id that another saves to another stream between question and save is refused, alone and
    in a batch."""
    batch = [Message("Second", id="m-1"), Message("Third")][:count]
    with NatsMessageStore(server.url(name)) as other:
        taken = threading.Event()

        def look(data: bytes) -> None:
            if SAVE in data and not taken.is_set():
                taken.set()
                other.save_message("carts", Message("Other", id="m-1"))

        proxy.on_request = look
        with pytest.raises(DuplicateMessageId):
            store.save_messages("orders", batch)
        assert taken.is_set()
        assert types(other) == ["First", "Other"]


def test_a_server_that_stays_away(proxy: Proxy, server: Server, name: str) -> None:
    """When it cannot be found out in time the outcome is unknown; saving again stores it once."""
    url = f"nats://127.0.0.1:{proxy.port}/{name}"
    with NatsMessageStore(url, lock_timeout_s=2) as store:
        store.save_message("orders", Message("First"))
        proxy.lose_answer_to(SAVE, for_good=True)
        with pytest.raises(OutcomeUnknown):
            store.save_message("orders", Message("Second", id="m-1"))
    with NatsMessageStore(server.url(name)) as store:
        assert store.save_message("orders", Message("Second", id="m-1")).duplicate
        assert types(store) == ["First", "Second"]


def test_no_connection(proxy: Proxy, server: Server, name: str) -> None:
    """A save while there is no server is refused for certain, and does not come to life later."""
    url = f"nats://127.0.0.1:{proxy.port}/{name}"
    with NatsMessageStore(url, lock_timeout_s=1) as store:
        store.save_message("orders", Message("First"))
        proxy.refuse()
        with pytest.raises(StoreUnavailable) as caught:
            store.save_message("orders", Message("Second"))
        assert not isinstance(caught.value, OutcomeUnknown)
        proxy.accept_again()
        assert store.save_message("orders", Message("Third")).last_position == 2
        assert types(store) == ["First", "Third"]


def test_following_over_a_cut(store: NatsMessageStore, proxy: Proxy) -> None:
    """A follower whose connection is lost goes on where it was: nothing missed, nothing twice."""
    following = store.follow()
    seen = [next(following).position]
    for round_ in range(3):
        proxy.cut()
        store.save_messages("orders", [Message("A", round_), Message("B", round_)])
        seen += [next(following).position, next(following).position]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
