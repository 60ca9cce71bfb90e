"""Commands that no event answers: both ways of finding them, against the words of the definition."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore import MemoryMessageStore, Message, MessageFilter
from msgstore.analysis import stuck
from msgstore.analysis.stuck import looked_up, read_through, still_open, unanswered
from msgstore.model.message import MessageType, PositionalMessage

NAMES = st.one_of(st.none(), st.sampled_from("abc"))
MESSAGES = st.lists(
    st.tuples(st.sampled_from(["command", "event"]), NAMES, NAMES, st.sampled_from("xy")),
    max_size=30,
)


def filled(messages: list[tuple[str, str | None, str | None, str]]) -> MemoryMessageStore:
    """A store of these; ids are `a`, `b`, `c` and then numbers, so that causes hit some of them."""
    store = MemoryMessageStore()
    for number, (kind, request, causation, stream) in enumerate(messages):
        message_id = "abc"[number] if number < 3 else str(number)
        message = Message("T", id=message_id, request_id=request, causation_id=causation)
        store.save_message(stream, message, None, kind)
    return store


def by_definition(messages: list[PositionalMessage]) -> list[int]:
    """Every command that no later event has the request id or the cause of."""

    def answers(event: PositionalMessage, command: PositionalMessage) -> bool:
        same_request = event.message.request_id == command.message.request_id is not None
        return (
            event.message_type is MessageType.EVENT
            and event.position > command.position
            and (same_request or event.message.causation_id == command.message.id)
        )

    return [
        c.position
        for c in messages
        if c.message_type is MessageType.COMMAND and not any(answers(e, c) for e in messages)
    ]


@given(MESSAGES)
def test_both_ways_are_the_definition(
    messages: list[tuple[str, str | None, str | None, str]],
) -> None:
    """Looking up, reading through, and reading through twice find what the definition says."""
    store = filled(messages)
    expected = by_definition(list(store.get_all_messages()))
    commands = MessageFilter("command", from_position=1)
    read = store.get_all_messages
    assert [c.position for c in looked_up(read, commands)] == expected
    for fetched_max in (0, 100):
        assert [c.position for c in read_through(read, commands, fetched_max)] == expected
    assert [c.position for c in unanswered(read, MessageFilter())] == expected


@given(MESSAGES, st.sampled_from([1, 10**9]))
def test_a_filter_chooses_commands_only(
    messages: list[tuple[str, str | None, str | None, str]], dear: int
) -> None:
    """An answer in another stream than the one that is asked for counts, by either way."""
    store = filled(messages)
    everything = list(store.get_all_messages())
    expected = [p for p in by_definition(everything) if everything[p - 1].stream_id == "x"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stuck, "READ_TO_LOOK_UP", dear)
        found = unanswered(store.get_all_messages, MessageFilter(stream_id="x"))
        assert [c.position for c in found] == expected


@given(MESSAGES)
def test_holds_only_what_is_open(messages: list[tuple[str, str | None, str | None, str]]) -> None:
    """After the last message nothing is held of commands that were answered."""
    store = filled(messages)
    open_ = stuck._Open()
    for stored in store.get_all_messages():
        if stored.message_type is MessageType.EVENT:
            open_.answer(stored)
        else:
            open_.add(stuck.Command.of(stored))
    left = by_definition(list(store.get_all_messages()))
    assert open_.positions() == left
    assert len(open_._by_id) == len(left)
    assert sum(map(len, open_._by_request.values())) <= len(left)


def test_an_answer_comes_after() -> None:
    """An event before the command answers another one, with the same request id too."""
    store = MemoryMessageStore()
    store.save_message("s", Message("E", request_id="r"), None, "event")
    store.save_message("s", Message("C", request_id="r"), None, "command")
    assert still_open(store.get_all_messages(), lambda _: True) == [2]


def test_one_answers_all_with_its_request_id() -> None:
    """A command that was sent twice is answered by one event."""
    store = MemoryMessageStore()
    for _ in range(2):
        store.save_message("s", Message("C", request_id="r"))
    store.save_message("s", Message("E", request_id="r"), None, "event")
    assert list(unanswered(store.get_all_messages, MessageFilter())) == []


def test_a_command_is_no_answer() -> None:
    """A command with the same request id, or caused by the first, leaves it open."""
    store = MemoryMessageStore()
    store.save_message("s", Message("C", id="c", request_id="r"))
    store.save_message("s", Message("D", request_id="r", causation_id="c"))
    found = unanswered(store.get_all_messages, MessageFilter())
    assert [c.message.type for c in found] == ["C", "D"]


def test_until_is_about_commands() -> None:
    """With a time only commands of then or before count, and answers from after it do."""
    clock = [1_000_000]
    store = MemoryMessageStore(clock=lambda: clock[0])
    store.save_message("s", Message("Old", request_id="old"))
    store.save_message("s", Message("Done", request_id="done"))
    clock[0] += 2_000_000
    store.save_message("s", Message("New", request_id="new"))
    store.save_message("s", Message("E", request_id="done"), None, "event")
    first = next(store.get_all_messages())
    found = unanswered(
        store.get_all_messages, MessageFilter(), first.timestamp + timedelta(seconds=1)
    )
    assert [c.message.type for c in found] == ["Old"]
