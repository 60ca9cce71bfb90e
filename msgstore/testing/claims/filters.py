"""Filters: every part by itself, parts together, and what is no filter."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from msgstore import Condition, InvalidFilter, LocalMessageStore, Message, MessageFilter
from msgstore.testing.claims.base import StoreClaims, numbers, positions, refused

# What each case asks for, and the positions in the shop below that match.
PARTS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "nothing": ({}, [1, 2, 3, 4, 5, 6]),
    "commands": ({"message_type": "command"}, [1, 4]),
    "events": ({"message_type": "event"}, [2, 3, 5, 6]),
    "one name": ({"message_names": "OrderPlaced"}, [2, 5]),
    "several names": ({"message_names": ["OrderPlaced", "ItemAdded"]}, [2, 3, 5]),
    "an unknown name": ({"message_names": ["orderplaced"]}, []),
    "a stream": ({"stream_id": "orders/1"}, [2, 3]),
    "a stream with a glob's characters": ({"stream_id": "orders/*"}, []),
    "an unknown stream": ({"stream_id": "nowhere"}, []),
    "no session": ({"session_id": "no-session"}, [1, 2, 3, 4, 5, 6]),
    "an unknown session": ({"session_id": "session-1-abcdefgh"}, []),
    "a correlation": ({"correlation_id": "c-1"}, [1, 2, 3]),
    "a correlation with capitals": ({"correlation_id": "C-1"}, []),
    "a request": ({"request_id": "r-2"}, [4]),
    "a causation": ({"causation_id": "m-1"}, [2]),
    "an id": ({"message_id": "m-3"}, [3]),
    "from a position": ({"from_position": 5}, [5, 6]),
    "from position 0": ({"from_position": 0}, [1, 2, 3, 4, 5, 6]),
    "to a position": ({"to_position": 2}, [1, 2]),
    "to position 0": ({"to_position": 0}, []),
    "between positions": ({"from_position": 2, "to_position": 4}, [2, 3, 4]),
    "beyond the end": ({"from_position": 7}, []),
    "from 2**70": ({"from_position": 2**70}, []),
    "a pattern": ({"stream_pattern": "orders/*"}, [2, 3, 5]),
    "a pattern of one character": ({"stream_pattern": "orders/?"}, [2, 3, 5]),
    "a pattern of a set": ({"stream_pattern": "orders/[2-9]"}, [5]),
    "a pattern within": ({"stream_pattern": "*r*s"}, [6]),
    "a pattern with case": ({"stream_pattern": "ORDERS/*"}, []),
    "a pattern of the whole id": ({"stream_pattern": "orders"}, []),
    "a key": ({"json_filter": {"orderId": "o-1"}}, [1, 2, 3]),
    "two keys": ({"json_filter": {"orderId": "o-1", "total": 100}}, [2]),
    "a dotted path": ({"json_filter": {"customer.name": "Ada"}}, [2, 5]),
    "a path, and a key that looks like one": ({"json_filter": {"customer.age": 36}}, [5, 6]),
    "a list index": ({"json_filter": {"items.0.sku": "a"}}, [3]),
    "beyond the list": ({"json_filter": {"items.2.sku": "a"}}, []),
    "a whole object": ({"json_filter": {"customer": {"name": "Ada"}}}, [2]),
    "a whole list": ({"json_filter": {"items": [{"sku": "a"}, {"sku": "b"}]}}, [3]),
    "null": ({"json_filter": {"note": None}}, [5]),
    "an integer for a float": ({"json_filter": {"total": 99}}, [5]),
    "true": ({"json_filter": {"paid": True}}, [5]),
    "1 is not true": ({"json_filter": {"paid": 1}}, [6]),
    "text is not a number": ({"json_filter": {"total": "100"}}, []),
    "where =": ({"where": "orderId=o-1"}, [1, 2, 3]),
    "where = number": ({"where": "total=100"}, [2]),
    "where !=": ({"where": "orderId!=o-1"}, [4, 5]),
    "where <": ({"where": "total<100"}, [5]),
    "where <=": ({"where": "total<=100"}, [2, 5]),
    "where >": ({"where": "total>99"}, [2]),
    "where >=": ({"where": "total >= 99"}, [2, 5]),
    "where < of texts": ({"where": "orderId<o-2"}, [1, 2, 3]),
    "where < of a text and a number": ({"where": "orderId<5"}, []),
    "where ~": ({"where": "customer.name~^A"}, [2, 5]),
    "where ~ anywhere": ({"where": "orderId~2$"}, [4, 5]),
    "where ~ on a number": ({"where": "total~1"}, []),
    "where !~": ({"where": "orderId!~2"}, [1, 2, 3]),
    "where ?": ({"where": "note?"}, [5]),
    "where ? on a path": ({"where": "customer.name?"}, [2, 5]),
    "where on a missing path": ({"where": "nowhere!=1"}, []),
    "where several": ({"where": ["total>=99", "customer.name=Ada", "note?"]}, [5]),
    "where with quotes": ({"where": 'total!="100"'}, [2, 5]),
    "a condition": ({"where": Condition("total", ">", 99.5)}, [2]),
    "parts together": (
        {
            "message_type": "event",
            "correlation_id": "c-1",
            "stream_pattern": "o*",
            "json_filter": {"orderId": "o-1"},
            "where": "total?",
        },
        [2],
    ),
    "parts that contradict": ({"stream_id": "orders/1", "stream_pattern": "carts*"}, []),
}

NO_FILTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "an unknown kind": ("message_type", {"message_type": "query"}),
    "an empty kind": ("message_type", {"message_type": ""}),
    "an empty name": ("message_names", {"message_names": ""}),
    "an empty name among others": ("message_names", {"message_names": ["A", ""]}),
    "no names": ("message_names", {"message_names": []}),
    "a number for a name": ("message_names", {"message_names": 5}),
    "an empty stream": ("stream_id", {"stream_id": ""}),
    "an empty session": ("session_id", {"session_id": ""}),
    "an empty correlation": ("correlation_id", {"correlation_id": ""}),
    "an empty request": ("request_id", {"request_id": ""}),
    "an empty causation": ("causation_id", {"causation_id": ""}),
    "an empty id": ("message_id", {"message_id": ""}),
    "an empty pattern": ("stream_pattern", {"stream_pattern": ""}),
    "a number for a stream": ("stream_id", {"stream_id": 5}),
    "a negative position": ("from_position", {"from_position": -1}),
    "true for a position": ("to_position", {"to_position": True}),
    "a time without a zone": ("from_timestamp", {"from_timestamp": "2026-11-23T14:00:00"}),
    "no time at all": ("to_timestamp", {"to_timestamp": "soon"}),
    "an empty time": ("to_timestamp", {"to_timestamp": ""}),
    "no keys": ("json_filter", {"json_filter": {}}),
    "an empty key": ("json_filter", {"json_filter": {"": 1}}),
    "a list of keys": ("json_filter", {"json_filter": ["a"]}),
    "NaN": ("json_filter", {"json_filter": {"a": float("nan")}}),
    "an empty condition": ("where", {"where": ""}),
    "no conditions": ("where", {"where": []}),
    "a condition without operator": ("where", {"where": "total"}),
    "a condition without path": ("where", {"where": "=5"}),
    "a broken expression": ("where", {"where": "name~("}),
    "a number for a condition": ("where", {"where": 5}),
}


class FilterClaims(StoreClaims):
    """All given parts of a filter must hold."""

    @pytest.fixture
    def shop(self, store: LocalMessageStore) -> LocalMessageStore:
        """Six messages; positions are 1 to 6."""
        ada = {"name": "Ada"}
        data: dict[str, Any] = {"orderId": "o-1"}
        place = Message("PlaceOrder", data, id="m-1", request_id="r-1", correlation_id="c-1")
        store.save_message("commands", place)
        store.save_messages(
            "orders/1",
            [
                Message(
                    "OrderPlaced",
                    {"orderId": "o-1", "total": 100, "customer": ada},
                    id="m-2",
                    correlation_id="c-1",
                    causation_id="m-1",
                ),
                Message(
                    "ItemAdded",
                    {"orderId": "o-1", "items": [{"sku": "a"}, {"sku": "b"}]},
                    id="m-3",
                    correlation_id="c-1",
                ),
            ],
        )
        store.save_message("commands", Message("PlaceOrder", {"orderId": "o-2"}, request_id="r-2"))
        old_ada = {"name": "Ada", "age": 36}
        data = {"orderId": "o-2", "total": 99.0, "customer": old_ada, "note": None, "paid": True}
        store.save_message("orders/2", Message("OrderPlaced", data, correlation_id="c-2"))
        store.save_message("carts", Message("CartEmptied", {"customer.age": 36, "paid": 1}))
        return store

    @pytest.mark.parametrize("case", PARTS)
    def test_a_part(self, shop: LocalMessageStore, case: str) -> None:
        """A filter gives exactly the messages for which all its parts hold, both ways."""
        parts, expected = PARTS[case]
        wanted = MessageFilter(**parts)
        with self.reopen(shop) as again:
            assert positions(again.get_all_messages(wanted)) == expected
            backwards = positions(again.get_all_messages(wanted, direction="backwards"))
            assert backwards == expected[::-1]
            assert positions(again.get_all_messages(wanted, 1)) == expected[:1]
            assert again.count_messages(wanted) == len(expected)

    def test_no_part_means_everything(self, shop: LocalMessageStore) -> None:
        """No filter, and a filter without parts, give everything."""
        assert positions(shop.get_all_messages(None)) == [1, 2, 3, 4, 5, 6]
        assert positions(shop.get_all_messages(MessageFilter())) == [1, 2, 3, 4, 5, 6]

    def test_times_are_inclusive(self, shop: LocalMessageStore) -> None:
        """Both time bounds are inclusive, on the envelope's time, in whatever zone they are given."""
        times = {stored.position: stored.timestamp for stored in shop.get_all_messages()}
        fourth = times[4]
        since = [position for position, time in times.items() if time >= fourth]
        until = [position for position, time in times.items() if time <= fourth]
        east = fourth.astimezone(timezone(timedelta(hours=9)))
        for moment in (fourth, east, fourth.isoformat(), east.isoformat()):
            assert positions(shop.get_all_messages(MessageFilter(from_timestamp=moment))) == since
            assert positions(shop.get_all_messages(MessageFilter(to_timestamp=moment))) == until
        at = MessageFilter(from_timestamp=fourth, to_timestamp=fourth)
        assert 4 in positions(shop.get_all_messages(at))

    def test_times_to_the_microsecond(self, shop: LocalMessageStore) -> None:
        """A bound one microsecond beyond a message leaves it out."""
        moment = timedelta(microseconds=1)
        first, last = shop.get_message(1), shop.get_message(6)
        assert first is not None
        assert last is not None
        after = MessageFilter(from_timestamp=last.timestamp + moment)
        before = MessageFilter(to_timestamp=first.timestamp - moment)
        assert positions(shop.get_all_messages(after)) == []
        assert positions(shop.get_all_messages(before)) == []

    @pytest.mark.parametrize("case", NO_FILTERS)
    def test_no_filter(self, case: str) -> None:
        """What is empty, unknown or malformed is refused with the name of the part."""
        field, parts = NO_FILTERS[case]
        with refused(InvalidFilter, field=field):
            MessageFilter(**parts)

    def test_data_that_is_no_object(self, store: LocalMessageStore) -> None:
        """A filter on data looks into lists, and finds nothing in texts and numbers."""
        store.save_messages("s", [Message("X", data) for data in (5, "a", [7, 8], {"0": 7})])
        assert positions(store.get_all_messages(MessageFilter(json_filter={"0": 7}))) == [3, 4]

    def test_many_messages(self, store: LocalMessageStore) -> None:
        """A filter finds every match among many, whatever commits they came in."""
        for batch in range(40):
            store.save_messages(
                f"stream-{batch % 7}",
                [
                    Message("X", {"n": n, "even": n % 2 == 0}, correlation_id=f"c-{n % 10}")
                    for n in range(batch * 25, batch * 25 + 25)
                ],
            )
        wanted = MessageFilter(correlation_id="c-3")
        assert numbers(store.get_all_messages(wanted)) == list(range(3, 1000, 10))
        in_stream = MessageFilter(stream_id="stream-6", where="n>=900")
        assert numbers(store.get_all_messages(in_stream)) == []
        late = MessageFilter(stream_id="stream-4", where="n>=900", correlation_id="c-3")
        assert numbers(store.get_all_messages(late)) == [983, 993]
