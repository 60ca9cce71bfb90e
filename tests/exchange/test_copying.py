"""A copy of any store equals it, however often it is broken off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgstore import (
    DuplicateMessageId,
    MemoryMessageStore,
    Message,
    MessageFilter,
    PositionalMessage,
    SaveRequest,
    SaveResult,
)
from msgstore.exchange.carrying import COPY_OF, CarriedSessions
from msgstore.exchange.copying import (
    Comparison,
    Copied,
    CopyDiffers,
    Copying,
    RevisionTaken,
    Selection,
    cuts_streams,
)
from msgstore.exchange.matching import Matched, Matching

from .values import stored_messages

ALL = MessageFilter()


def silent(done: str, number: int) -> None: ...


def copy(
    source: MemoryMessageStore,
    target: MemoryMessageStore,
    wanted: MessageFilter = ALL,
    *,
    renumber: bool = False,
    with_sessions: bool = True,
    batch_size: int = 3,
    tell: Callable[[str, int], None] = silent,
) -> Copied:
    copied = Copied("a", "b", Matched())
    sessions = CarriedSessions(source, target) if with_sessions else None
    selection = Selection.of(source, wanted)
    keeps = not renumber and not cuts_streams(selection.wanted)
    copying = Copying(selection, target, copied, keeps_revisions=keeps, batch_size=batch_size)
    copying.run(sessions, tell)
    return copied


def compared(source: MemoryMessageStore, target: MemoryMessageStore | None) -> Copied:
    copied = Copied("a", "b", Matched())
    Comparison(Selection.of(source, ALL), target, copied).compare(silent)
    return copied


def content(store: MemoryMessageStore) -> list[tuple[Any, ...]]:
    """All that a copy keeps, with a session as what it was in the source."""
    originals = {i.session_id: i.labels.get(COPY_OF, i.session_id) for i in store.get_sessions()}
    return [
        (
            *(m.stream_id, repr(m.message), m.message_type, m.revision, m.position),
            originals.get(m.session_id, m.session_id),
        )
        for m in store.get_all_messages()
    ]


def sessions(store: MemoryMessageStore) -> list[tuple[Any, ...]]:
    return [
        (
            *(i.name, i.labels.get(COPY_OF, i.session_id), i.labels.get("host"), i.status),
            *(i.ended_at is None, i.message_count, i.command_count),
        )
        for i in store.get_sessions()
    ]


def filled(messages: Sequence[PositionalMessage]) -> MemoryMessageStore:
    """A store of these messages; those of one made-up session are saved in a real one."""
    store = MemoryMessageStore()
    ids: dict[str, str] = {}
    for name, stored in groupby(messages, key=lambda m: m.session_id):
        if name == "no-session":
            store.use_session(None)
        elif name in ids:
            store.use_session(ids[name])
        else:
            ids[name] = store.create_session(name, {"host": name})
        for m in stored:
            store.save_each([SaveRequest.of(m.stream_id, [m.message], None, m.message_type)])
    for number, (name, session_id) in enumerate(ids.items()):
        if number % 2:
            store.end_session(session_id, name)
    store.create_session("without a message")
    store.use_session(None)
    return store


class Interrupting(MemoryMessageStore):
    """Is broken off, once, at a call that changes it, before it is made or after."""

    def __init__(self, call_number: int, is_made: bool) -> None:
        super().__init__()
        self._left = call_number
        self._is_made = is_made

    def _broken_off(self, call: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left == 0 and not self._is_made:
            raise KeyboardInterrupt
        result = call()
        if self._left == 0:
            raise KeyboardInterrupt
        return result

    def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        return self._broken_off(lambda: MemoryMessageStore.save_each(self, requests))

    def create_session(self, *details: Any) -> str:
        return self._broken_off(lambda: MemoryMessageStore.create_session(self, *details))

    def end_session(self, *details: Any) -> None:
        self._broken_off(lambda: MemoryMessageStore.end_session(self, *details))


@settings(max_examples=40)
@given(stored_messages())
def test_a_copy_of_any_store(messages: list[PositionalMessage]) -> None:
    """It has every message with its content, kind, revision, position and session, and every session."""
    source, target = filled(messages), MemoryMessageStore()
    copied = copy(source, target)
    assert content(target) == content(source)
    assert sessions(target) == sessions(source)
    count = len(messages)
    assert (copied.saved, copied.matched.positions_kept, copied.known) == (count, count, 0)
    again = copy(source, target)
    assert (again.saved, again.known, again.sessions) == (0, count, 0)
    assert again.checksum == copied.checksum == compared(source, target).checksum
    assert content(target) == content(source)


@settings(max_examples=40)
@given(stored_messages(), st.integers(1, 12), st.booleans(), st.integers(1, 4))
def test_broken_off(messages: list[PositionalMessage], at: int, is_made: bool, size: int) -> None:
    """Broken off at any call, it is run again: no message twice, none left out, the same in the end."""
    source, target = filled(messages), Interrupting(at, is_made)
    try:
        copy(source, target, batch_size=size)
    except KeyboardInterrupt:
        assert content(target) == content(source)[: target.get_stats().total_messages]
        copy(source, target, batch_size=size)
    assert content(target) == content(source)
    assert sessions(target) == sessions(source)


@settings(max_examples=40)
@given(stored_messages(), st.data())
def test_a_target_that_has_some(messages: list[PositionalMessage], data: st.DataObject) -> None:
    """Whatever of the source the target has already, in whatever order, each is there once in the end."""
    source, target = filled(messages), MemoryMessageStore()
    there = data.draw(
        st.lists(st.sampled_from(messages), unique_by=id) if messages else st.just([])
    )
    foreign = data.draw(st.lists(st.booleans(), min_size=len(there), max_size=len(there)))
    for stored, has_foreign in zip(there, foreign, strict=True):
        if has_foreign:
            target.save_message(stored.stream_id, Message("Foreign"))
        target.save_message(stored.stream_id, stored.message, None, stored.message_type)
    copied = copy(source, target, renumber=True)
    ids = sorted(
        m.message.id or "" for m in target.get_all_messages() if m.message.type != "Foreign"
    )
    assert ids == sorted(m.message.id or "" for m in messages)
    assert (copied.known, copied.saved) == (len(there), len(messages) - len(there))
    assert copied.matched.is_whole
    is_in_order = [m.position for m in there] == sorted(m.position for m in there)
    known = {m.message.id for m in there}
    is_beginning = all(m.message.id in known for m in messages[: len(there)])
    assert (copied.matched.out_of_order == 0) == (is_in_order and is_beginning)


def shop() -> MemoryMessageStore:
    store = MemoryMessageStore()
    for number in range(6):
        stream_id = f"orders-{number % 2}"
        store.save_message(stream_id, Message("AB"[number // 3], {"n": number}, id=f"m-{number}"))
    return store


def test_a_stream_is_copied_with_its_revisions() -> None:
    """What takes streams as a whole, or their beginnings, keeps revisions; positions are the target's."""
    target = MemoryMessageStore()
    copied = copy(shop(), target, MessageFilter(stream_id="orders-1", to_position=4))
    assert [(m.message.id, m.revision, m.position) for m in target.get_all_messages()] == [
        ("m-1", 0, 1),
        ("m-3", 1, 2),
    ]
    assert (copied.matched.revisions_kept, copied.matched.positions_kept) == (2, 0)


def test_a_part_of_a_stream_gets_new_revisions() -> None:
    """What takes parts out of streams cannot keep revisions, and the report says so."""
    target = MemoryMessageStore()
    copied = copy(shop(), target, MessageFilter(message_names="B"))
    assert [(m.message.id, m.revision) for m in target.get_all_messages()] == [
        ("m-3", 0),
        ("m-4", 0),
        ("m-5", 1),
    ]
    assert (copied.matched.found, copied.matched.revisions_kept) == (3, 0)


def test_a_revision_that_is_taken() -> None:
    """Where something else stands at a revision the copy stops before it, unless it may renumber."""
    source, target = shop(), MemoryMessageStore()
    target.save_message("orders-1", Message("Foreign"))
    with pytest.raises(RevisionTaken, match=r"position 2, stream orders-1: Expected revision -1"):
        copy(source, target)
    assert [m.message.id for m in target.get_messages("orders-0")] == ["m-0"]
    copied = copy(source, target, renumber=True)
    assert (copied.matched.found, copied.matched.revisions_kept) == (6, 3)


def test_another_message_of_the_same_id() -> None:
    """An id that is taken by other content stops the copy, wherever it stands."""
    for number in (0, 4):
        source, target = shop(), MemoryMessageStore()
        target.save_message("orders-0", Message("A", {"n": 99}, id=f"m-{number}"))
        with pytest.raises(DuplicateMessageId, match=f"position {number + 1}, stream orders-0: "):
            copy(source, target, renumber=True)


def test_other_fields_of_the_same_id() -> None:
    """A message that differs in what idempotency does not look at is no copy."""
    source, target = shop(), MemoryMessageStore()
    target.save_message("orders-0", Message("A", {"n": 0}, id="m-0", metadata={"a": 1}))
    with pytest.raises(DuplicateMessageId):
        copy(source, target, renumber=True)
    assert compared(source, target).matched.different == 1


def test_what_comes_meanwhile_is_left_for_the_next_copy() -> None:
    """The source is copied up to where it ended at the start."""
    source, target = shop(), MemoryMessageStore()

    def save_more(done: str, number: int) -> None:
        source.save_message("orders-0", Message("Late"))

    assert copy(source, target, tell=save_more).saved == 6
    assert len(list(target.get_all_messages())) == 6
    late = source.get_stats().total_messages - 6
    assert copy(source, target).saved == late > 0


def test_a_target_that_loses_messages_meanwhile() -> None:
    """What is not there after it was saved is told: the copy was verified."""
    source, target = shop(), MemoryMessageStore()

    def empty(done: str, number: int) -> None:
        if done == "copied" and number == 6:
            target.reset()

    with pytest.raises(CopyDiffers, match="of 6 messages 6 are missing and 0 are different"):
        copy(source, target, tell=empty)


def test_an_ended_session_that_gets_more() -> None:
    """A session whose copy has ended is carried a second time when more of it is to be copied."""
    source, target = MemoryMessageStore(), MemoryMessageStore()
    with source.session("run"):
        source.save_message("a", Message("A"))
        source.save_message("b", Message("B"))
    copy(source, target, MessageFilter(stream_id="a"))
    copy(source, target)
    infos = target.get_sessions()
    assert [(i.name, i.status, i.message_count) for i in infos] == [("run", "ok", 1)] * 2


def test_a_session_that_ends_later() -> None:
    """A session that was open when it was copied is ended by the next copy after its end."""
    source, target = MemoryMessageStore(), MemoryMessageStore()
    session_id = source.create_session("run")
    source.save_message("a", Message("A"))
    copy(source, target)
    assert target.get_sessions()[0].ended_at is None
    source.end_session(session_id, "done")
    assert copy(source, target).saved == 0
    assert [i.status for i in target.get_sessions()] == ["done"]


@pytest.mark.parametrize("ahead", [1, 1024])
def test_matching_in_any_order(ahead: int) -> None:
    """A message is found wherever it stands, and what was passed on the way is found after it."""
    source, target = shop(), MemoryMessageStore()
    for number in (3, 0, 1, 5, 4, 2):
        [stored] = source.get_all_messages(MessageFilter(message_id=f"m-{number}"))
        target.save_message("foreign", Message("Foreign"))
        target.save_message(stored.stream_id, stored.message)
    matching = Matching(target, ALL)
    matching._ahead = ahead
    for stored in source.get_all_messages():
        found = matching.find(stored)
        assert found is not None
        assert found.message == stored.message
        matching.take(stored, found)
    assert matching.matched.out_of_order == 3


class Asked(MemoryMessageStore):
    """Notes the ids it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        wanted = arguments[0] if arguments else None
        if wanted is not None and wanted.message_id is not None:
            self.ids.append(wanted.message_id)
        return super().get_all_messages(*arguments, **named)


def test_only_what_is_missing_is_asked_for() -> None:
    """What was passed in search of a message that is missing is not asked for by its id."""
    target = Asked()
    for stored in shop().get_all_messages():
        if stored.message.id != "m-2":
            target.save_message(stored.stream_id, stored.message)
    assert compared(shop(), target).matched.missing == 1
    assert target.ids == ["m-2"]


def test_comparing_with_no_store() -> None:
    """Of a store that is not there everything is missing."""
    assert compared(shop(), None).matched.missing == 6


def test_numbers_are_told_apart() -> None:
    """1, 1.0 and true are different contents, though Python calls them equal."""
    for one, other in ((1, 1.0), (1, True), (0.0, -0.0)):
        source, target = MemoryMessageStore(), MemoryMessageStore()
        source.save_message("a", Message("A", {"n": one}, id="m"))
        target.save_message("a", Message("A", {"n": other}, id="m"))
        assert compared(source, target).matched.different == 1
