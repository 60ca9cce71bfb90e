"""What all chapters share: the store under test, and short ways to fill and look at one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from msgstore import LocalMessageStore, Message, MsgStoreError, PositionalMessage


class StoreClaims:
    """The store under test is the fixture `store`, empty at the start of each test."""

    local: ClassVar[bool] = True
    """Whether the store keeps sessions and can be emptied."""

    def make_store(self, tmp_path: Path) -> LocalMessageStore:
        """A new, empty store. `tmp_path` is a folder of the test's own."""
        raise NotImplementedError("say how to make a store: override make_store")

    def reopen(self, store: LocalMessageStore) -> LocalMessageStore:
        """The same store as someone finds it who opens it later; in memory that is the store."""
        return store

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LocalMessageStore]:
        with self.make_store(tmp_path) as store:
            yield store

    @pytest.fixture
    def local_store(self, store: LocalMessageStore) -> LocalMessageStore:
        """The store, for claims about sessions and `reset`."""
        if not self.local:
            pytest.skip("the store keeps no sessions")
        return store


def event(number: int, **fields: Any) -> Message:
    """A small message that can be told from others."""
    return Message("OrderPlaced", {"n": number}, **fields)


def events(*numbers: int) -> list[Message]:
    return [event(number) for number in numbers]


def numbers(messages: Iterable[PositionalMessage]) -> list[int]:
    """Which of `events` these are."""
    return [stored.message.data["n"] for stored in messages]


def revisions(messages: Iterable[PositionalMessage]) -> list[int]:
    return [stored.revision for stored in messages]


def positions(messages: Iterable[PositionalMessage]) -> list[int]:
    return [stored.position for stored in messages]


def only(messages: Iterable[PositionalMessage]) -> PositionalMessage:
    """The one message there is."""
    (stored,) = messages
    return stored


@contextmanager
def refused(error: type[MsgStoreError], **facts: object) -> Iterator[None]:
    """The block raises this error, and its attributes are these."""
    with pytest.raises(error) as caught:
        yield
    assert {name: getattr(caught.value, name, "no such fact") for name in facts} == facts


def assert_empty(store: LocalMessageStore) -> None:
    """Nothing has been written: no message, no stream."""
    assert list(store.get_all_messages()) == []
    assert list(store.get_streams()) == []
    assert store.get_stats().total_messages == 0
