"""Reading: streams, the whole store, kinds, single messages, counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest

from msgstore import InvalidArgument, InvalidFilter, LocalMessageStore, Message, MessageFilter
from msgstore.testing.claims.base import (
    StoreClaims,
    event,
    events,
    numbers,
    positions,
    refused,
    revisions,
)

# What is asked of a stream at revision 4, and the revisions that come back.
RANGES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "all": ({}, [0, 1, 2, 3, 4]),
    "from 2": ({"from_revision": 2}, [2, 3, 4]),
    "from 0": ({"from_revision": 0}, [0, 1, 2, 3, 4]),
    "from the last": ({"from_revision": 4}, [4]),
    "from beyond the end": ({"from_revision": 5}, []),
    "from 2**70": ({"from_revision": 2**70}, []),
    "to 1": ({"to_revision": 1}, [0, 1]),
    "to 0": ({"to_revision": 0}, [0]),
    "to beyond the end": ({"to_revision": 99}, [0, 1, 2, 3, 4]),
    "from 1 to 3": ({"from_revision": 1, "to_revision": 3}, [1, 2, 3]),
    "from 3 to 1": ({"from_revision": 3, "to_revision": 1}, []),
    "the first two": ({"count": 2}, [0, 1]),
    "none": ({"count": 0}, []),
    "more than there are": ({"count": 99}, [0, 1, 2, 3, 4]),
    "2**70 of them": ({"count": 2**70}, [0, 1, 2, 3, 4]),
    "two from 1": ({"from_revision": 1, "count": 2}, [1, 2]),
    "backwards": ({"direction": "backwards"}, [4, 3, 2, 1, 0]),
    "the last two": ({"direction": "backwards", "count": 2}, [4, 3]),
    "backwards from 3": ({"direction": "backwards", "from_revision": 3}, [4, 3]),
    "backwards to 1": ({"direction": "backwards", "to_revision": 1}, [1, 0]),
    "backwards between": (
        {"direction": "backwards", "from_revision": 1, "to_revision": 3, "count": 2},
        [3, 2],
    ),
}

BAD_READS: dict[str, tuple[str, Callable[[LocalMessageStore], object]]] = {
    "negative from_revision": ("from_revision", lambda s: s.get_messages("orders", -1)),
    "true as from_revision": ("from_revision", lambda s: s.get_messages("orders", True)),
    "a fraction": ("from_revision", lambda s: s.get_messages("orders", 1.5)),  # type: ignore[arg-type]
    "negative to_revision": ("to_revision", lambda s: s.get_messages("o", to_revision=-1)),
    "negative count": ("count", lambda s: s.get_messages("orders", 0, -1)),
    "true as count": ("count", lambda s: s.get_messages("orders", 0, True)),
    "unknown direction": (
        "direction",
        lambda s: s.get_messages("orders", direction="up"),  # type: ignore[arg-type]
    ),
    "negative count of all": ("count", lambda s: s.get_all_messages(None, -1)),
    "text as count": ("count", lambda s: s.get_all_messages(None, "1")),  # type: ignore[arg-type]
    "unknown direction of all": (
        "direction",
        lambda s: s.get_all_messages(direction=""),  # type: ignore[arg-type]
    ),
    "negative count of commands": ("count", lambda s: s.get_all_commands(None, -1)),
    "negative count of events": ("count", lambda s: s.get_all_events(None, -1)),
    "count of a kind that cannot be": (
        "count",
        lambda s: s.get_all_events(MessageFilter("command"), -1),
    ),
    "position 0": ("position", lambda s: s.get_message(0)),
    "position -1": ("position", lambda s: s.get_message(-1)),
    "position true": ("position", lambda s: s.get_message(True)),
    "unknown group": ("group", lambda s: s.count_by("colour")),  # type: ignore[arg-type]
    "negative timeout": ("timeout", lambda s: s.follow(timeout=-1)),
    "not a timeout": ("timeout", lambda s: s.follow(timeout=float("nan"))),
    "follow from -1": ("from_position", lambda s: s.follow(from_position=-1)),
    "follow from true": ("from_position", lambda s: s.follow(from_position=True)),
}

NO_FILTERS: dict[str, Callable[[LocalMessageStore, Any], object]] = {
    "get_all_messages": lambda s, f: s.get_all_messages(f),
    "get_all_commands": lambda s, f: s.get_all_commands(f),
    "get_all_events": lambda s, f: s.get_all_events(f),
    "count_messages": lambda s, f: s.count_messages(f),
    "count_by": lambda s, f: s.count_by("type", f),
    "follow": lambda s, f: s.follow(f),
}


class ReadingClaims(StoreClaims):
    """Reads are lazy, in order, and bounded by what was asked."""

    def test_an_unknown_stream(self, store: LocalMessageStore) -> None:
        """An unknown stream holds nothing; asking for it is no error and creates nothing."""
        assert list(store.get_messages("orders")) == []
        assert list(store.get_streams()) == []

    @pytest.mark.parametrize("case", RANGES)
    def test_a_range_of_a_stream(self, store: LocalMessageStore, case: str) -> None:
        """Both bounds are inclusive, and `count` is counted from where reading starts."""
        arguments, expected = RANGES[case]
        store.save_message("carts", event(9))
        store.save_messages("orders", events(0, 1))
        store.save_message("carts", event(9))
        store.save_messages("orders", events(2, 3, 4))
        found = list(store.get_messages("orders", **arguments))
        assert (revisions(found), numbers(found)) == (expected, expected)

    def test_the_whole_store(self, store: LocalMessageStore) -> None:
        """All messages come in order of position, or from the end."""
        for number in range(5):
            store.save_message(f"stream-{number % 2}", event(number))
        assert numbers(store.get_all_messages()) == [0, 1, 2, 3, 4]
        assert positions(store.get_all_messages(direction="backwards")) == [5, 4, 3, 2, 1]
        assert numbers(store.get_all_messages(count=2)) == [0, 1]
        assert numbers(store.get_all_messages(count=2, direction="backwards")) == [4, 3]
        assert numbers(store.get_all_messages(count=0)) == []

    def test_count_counts_matches(self, store: LocalMessageStore) -> None:
        """`count` is counted after the filter, from where reading starts."""
        store.save_messages("orders", [Message("AB"[n % 2], {"n": n}) for n in range(6)])
        wanted = MessageFilter(message_names="B")
        assert numbers(store.get_all_messages(wanted, 2)) == [1, 3]
        assert numbers(store.get_all_messages(wanted, 2, direction="backwards")) == [5, 3]

    def test_commands_and_events(self, store: LocalMessageStore) -> None:
        """Commands and events are read apart, with a filter and a count, both ways."""
        for number in range(4):
            store.save_message("s", event(number), None, ("command", "event")[number % 2])
        assert numbers(store.get_all_commands()) == [0, 2]
        assert numbers(store.get_all_events()) == [1, 3]
        assert numbers(store.get_all_events(None, 1, direction="backwards")) == [3]
        assert numbers(store.get_all_commands(MessageFilter(from_position=2))) == [2]
        assert numbers(store.get_all_commands(MessageFilter("event"))) == []
        assert numbers(store.get_all_commands(MessageFilter("command"), 1)) == [0]

    def test_reads_are_iterators(self, store: LocalMessageStore) -> None:
        """A read is an iterator: it can be left in the middle and taken up again."""
        store.save_messages("orders", events(1, 2, 3))
        for read in (store.get_messages("orders"), store.get_all_messages()):
            assert next(read).message.data == {"n": 1}
            assert numbers(read) == [2, 3]
            assert list(read) == []

    def test_saving_while_reading(self, store: LocalMessageStore) -> None:
        """A read that is under way holds no lock: the same thread may save in the middle of it."""
        store.save_messages("orders", events(1, 2, 3))
        found = []
        for stored in store.get_all_messages(None, 3):
            found.append(stored.message.data["n"])
            store.save_message("orders", event(0))
        assert found == [1, 2, 3]
        assert store.get_stats().total_messages == 6

    def test_an_abandoned_read(self, store: LocalMessageStore) -> None:
        """A read that is never finished is in nobody's way."""
        store.save_messages("orders", events(1, 2))
        abandoned = store.get_all_messages()
        next(abandoned)
        with self.reopen(store) as again:
            again.save_message("orders", event(3))
            assert numbers(again.get_all_messages()) == [1, 2, 3]

    @pytest.mark.parametrize("case", BAD_READS)
    def test_a_bad_argument(self, store: LocalMessageStore, case: str) -> None:
        """An argument out of range is refused at the call, not when the first message is asked for."""
        argument, call = BAD_READS[case]
        with refused(InvalidArgument, argument=argument):
            call(store)

    @pytest.mark.parametrize("wrong", [{"message_type": "event"}, "OrderPlaced", 0, False])
    @pytest.mark.parametrize("case", NO_FILTERS)
    def test_not_a_filter(self, store: LocalMessageStore, case: str, wrong: object) -> None:
        """What is no MessageFilter is refused at the call, never taken for everything."""
        with refused(InvalidFilter, field="filter"):
            NO_FILTERS[case](store, wrong)

    def test_one_message(self, store: LocalMessageStore) -> None:
        """A message is found by its position; beyond the last one there is none."""
        store.save_messages("orders", events(1, 2))
        store.save_message("carts", event(3))
        found = store.get_message(3)
        assert found is not None
        assert (found.stream_id, found.message.data) == ("carts", {"n": 3})
        assert store.get_message(4) is None
        assert store.get_message(2**70) is None

    def test_counting(self, store: LocalMessageStore) -> None:
        """`count_messages` is the number of matches."""
        assert store.count_messages() == 0
        store.save_messages("orders", events(1, 2))
        store.save_message("carts", event(3))
        assert store.count_messages() == 3
        assert store.count_messages(MessageFilter(stream_id="orders")) == 2
        assert store.count_messages(MessageFilter(stream_id="nowhere")) == 0

    def test_counting_by_groups(self, store: LocalMessageStore) -> None:
        """Counts by type, stream, kind and session come with the most first, then by name."""
        store.save_messages("orders", [Message("B"), Message("A"), Message("C"), Message("C")])
        store.save_message("commands", Message("A"))
        assert list(store.count_by("type").items()) == [("A", 2), ("C", 2), ("B", 1)]
        assert list(store.count_by("stream").items()) == [("orders", 4), ("commands", 1)]
        assert list(store.count_by("kind").items()) == [("event", 4), ("command", 1)]
        assert store.count_by("session") == {"no-session": 5}
        assert store.count_by("type", MessageFilter(stream_id="commands")) == {"A": 1}
        assert store.count_by("stream", MessageFilter(message_names="Z")) == {}

    def test_counting_by_time(self, store: LocalMessageStore) -> None:
        """Hours and days are those of the zone that is asked for."""
        store.save_messages("orders", events(1, 2, 3))
        recorded = next(store.get_all_messages()).timestamp
        east = timezone(timedelta(hours=5, minutes=30))
        assert store.count_by("day") == {recorded.strftime("%Y-%m-%d"): 3}
        ((hour, count),) = store.count_by("hour", zone=east).items()
        assert count == 3
        assert hour == (recorded + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%dT%H:00")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00", hour)
