"""What belongs together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgstore import MemoryMessageStore, Message
from msgstore.analysis.closure import find_closure, merged, uncovered
from msgstore.model.filter import EVERYTHING, MessageFilter

Spans = list[tuple[int, int]]


def store_of(messages: Sequence[Message]) -> MemoryMessageStore:
    store = MemoryMessageStore()
    for message in messages:
        store.save_message("s", message, message_type="event")
    return store


def closure_of(
    messages: Sequence[Message],
    start: int,
    wanted: MessageFilter = EVERYTHING,
    count_max: int = 1000,
    look_ahead: int = 0,
) -> list[int]:
    store = store_of(messages)
    begin = store.get_message(start)
    assert begin is not None
    found = find_closure(store, [begin], wanted, count_max, look_ahead)
    return [stored.position for stored in found.messages]


LINKED = [
    Message("T", id="1"),
    Message("T", id="2", causation_id="1"),
    Message("T", id="3", request_id="r"),
    Message("T", id="4", request_id="r", causation_id="2"),
    Message("T", id="5", correlation_id="k", causation_id="3"),
    Message("T", id="6", correlation_id="k"),
    Message("T", id="7", causation_id="6"),
    Message("T", id="8", correlation_id="other"),
]


@pytest.mark.parametrize("start", range(1, 8))
def test_links_are_followed_both_ways(start: int) -> None:
    """From whichever message of a group one begins, it is the same group."""
    assert closure_of(LINKED, start) == [1, 2, 3, 4, 5, 6, 7]


def test_the_rest_is_left_out() -> None:
    """What nothing links is not there."""
    assert closure_of(LINKED, 8) == [8]


def test_filters_cut_links() -> None:
    """A message that does not match is not there, nor what only it would have led to."""
    assert closure_of(LINKED, 1, MessageFilter(to_position=3)) == [1, 2]
    assert closure_of(LINKED, 5, MessageFilter(correlation_id="k")) == [5, 6]


def test_at_most_so_many() -> None:
    """A closure that is cut says so, and has no more than was asked for."""
    store = store_of([Message("T", correlation_id="k") for _ in range(10)])
    [begin] = store.get_all_messages(count=1)
    cut = find_closure(store, [begin], EVERYTHING, 4, 0)
    assert (len(cut.messages), cut.is_cut) == (4, True)
    whole = find_closure(store, [begin], EVERYTHING, 10, 0)
    assert (len(whole.messages), whole.is_cut) == (10, False)


CHILD = "k-1763900000000-x1"
CHILDREN = [
    Message("T", correlation_id="k"),
    Message("T", correlation_id=CHILD),
    Message("T", correlation_id="noise"),
    Message("T", correlation_id=f"{CHILD}-1763900000009-y2"),
    Message("T", correlation_id="noise"),
    Message("T", correlation_id=f"{CHILD}-1763900000009-y2"),
]


@pytest.mark.parametrize(
    ("look_ahead", "expected"),
    [(0, [1]), (1, [1, 2]), (2, [1, 2, 4, 6])],
)
def test_child_correlations_are_found_nearby(look_ahead: int, expected: list[int]) -> None:
    """Children are found so many positions behind a message of their parent, and then all of them."""
    assert closure_of(CHILDREN, 1, look_ahead=look_ahead) == expected


def test_parents_are_asked_for() -> None:
    """From a child to its parents nothing needs to be looked for."""
    assert closure_of(CHILDREN, 6) == [1, 2, 4, 6]


def test_each_position_is_looked_at_once() -> None:
    """However many messages a correlation has, what is behind them is read once."""
    store = store_of(
        [Message("T", correlation_id="k" if n % 3 else f"k-1763900000000-{n}") for n in range(30)]
    )
    read: list[int] = []
    reading = store.get_all_messages

    def spy(filter: MessageFilter, count: int | None = None) -> object:
        if filter.from_position is not None:
            assert filter.to_position is not None
            read.extend(range(filter.from_position, filter.to_position + 1))
        return reading(filter, count)

    store.get_all_messages = spy  # type: ignore[assignment, method-assign]
    [begin] = [store.get_message(2)]
    assert begin is not None
    assert (
        len(find_closure(store, [begin], EVERYTHING, 1000, 5).messages) == 29
    )  # not the first: it is before
    assert len(read) == len({*read})


spans = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)).map(lambda s: (s[0], sum(s))))


@given(spans, spans)
def test_what_is_not_covered(wanted: Spans, covered: Spans) -> None:
    """As sets of positions it is the difference, in stretches that rise and do not meet."""

    def positions(some: Spans) -> set[int]:
        return {one for first, last in some for one in range(first, last + 1)}

    rest = uncovered(wanted, merged(covered))
    assert positions(rest) == positions(wanted) - positions(covered)
    assert sum(last - first + 1 for first, last in rest) == len(positions(rest))
    assert positions(merged(wanted)) == positions(wanted)


_ids = st.none() | st.sampled_from(["a", "b", "c", "d"])
_messages = st.lists(
    st.builds(Message, st.just("T"), request_id=_ids, correlation_id=_ids, causation_id=_ids),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60)
@given(_messages)
def test_a_closure_is_closed(messages: list[Message]) -> None:
    """It is the least set with all that shares a correlation or request, or causes, one of its own."""
    named = [
        Message(
            "T",
            id="abcdefgh"[index],
            request_id=m.request_id,
            correlation_id=m.correlation_id,
            causation_id=m.causation_id,
        )
        for index, m in enumerate(messages)
    ]

    def linked(x: Message, y: Message) -> bool:
        return (
            x.causation_id == y.id
            or y.causation_id == x.id
            or (x.request_id is not None and x.request_id == y.request_id)
            or (x.correlation_id is not None and x.correlation_id == y.correlation_id)
        )

    reached = {0}
    while more := {
        j
        for j in range(len(named))
        for i in reached
        if j not in reached and linked(named[i], named[j])
    }:
        reached |= more
    assert closure_of(named, 1) == [index + 1 for index in sorted(reached)]
