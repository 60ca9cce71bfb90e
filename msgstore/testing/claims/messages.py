"""What is stored: fields, JSON values, kinds, the copy, the size."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from msgstore import InvalidMessage, LocalMessageStore, Message, MessageTooLarge, PositionalMessage
from msgstore.testing.claims.base import StoreClaims, assert_empty, event, only, refused

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "integer 0": 0,
    "integer 1": 1,
    "float 1.0": 1.0,
    "float 0.0": 0.0,
    "float -0.0": -0.0,
    "largest integer": 18_446_744_073_709_551_615,
    "smallest integer": -9_223_372_036_854_775_808,
    "2**53 + 1": 9_007_199_254_740_993,
    "2**63": 9_223_372_036_854_775_808,
    "1e308": 1e308,
    "smallest float": 5e-324,
    "0.1": 0.1,
    "whole float beyond 64 bits": 1e20,
    "empty text": "",
    "text with controls": "a\x00b\x1b[31m\r\n",
    "text outside the BMP": "🛒 ä 漢字 \u2028",
    "long text": "ab" * 40_000,
    "empty list": [],
    "mixed list": [None, True, 1, 1.0, "1", [], {}],
    "empty object": {},
    "odd keys": {"": 1, "a.b": 2, "ä": 3, "\x00": 4, "$": 5},
    "nested": {"items": [{"sku": "a", "price": 1.5}, {"sku": "b", "tags": []}]},
}

_DEEP_LIST: Any = None
for _ in range(98):
    _DEEP_LIST = [_DEEP_LIST]

BAD_DATA: dict[str, tuple[Any, str]] = {
    "NaN": ({"items": [0, 1, {"price": float("nan")}]}, "data.items[2].price"),
    "Infinity": ({"x": float("inf")}, "data.x"),
    "-Infinity": ([float("-inf")], "data[0]"),
    "2**64": ({"n": 18_446_744_073_709_551_616}, "data.n"),
    "-2**63 - 1": ({"n": -9_223_372_036_854_775_809}, "data.n"),
    "bytes": ({"raw": b"abc"}, "data.raw"),
    "a number as a key": ({"a": {1: "x"}}, "data.a"),
    "None as a key": ({None: "x"}, "data"),
    "a surrogate": ({"s": ["\ud800"]}, "data.s[0]"),
    "a surrogate in a key": ({"\udfff": 1}, "data"),
    "a set": ({"s": {1}}, "data.s"),
    "a datetime": ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "data.at"),
    "an object": ({"x": object()}, "data.x"),
    "a key that needs quotes": ({"a b": b""}, "data['a b']"),
}

# The stream, the request id, what is said, what it is.
KINDS: dict[str, tuple[str, str | None, str | None, str]] = {
    "user-commands": ("user-commands", None, None, "command"),
    "UserCommands": ("UserCommands", None, None, "command"),
    "userCommand": ("userCommand", None, None, "command"),
    "command-events": ("command-events", None, None, "command"),
    "event-commands": ("event-commands", None, None, "command"),
    "COMMAND": ("COMMAND", None, None, "command"),
    "a/command/b": ("a/command/b", None, None, "command"),
    "order_events": ("order_events", None, None, "event"),
    "order_events with a request": ("order_events", "r-1", None, "event"),
    "orderEvent with a request": ("orderEvent", "r-1", None, "event"),
    "seventh": ("seventh", "r-1", None, "command"),
    "eventual": ("eventual", "r-1", None, "command"),
    "commander": ("commander", None, None, "event"),
    "orders": ("orders", None, None, "event"),
    "orders with a request": ("orders", "r-1", None, "command"),
    "said to be an event": ("user-commands", "r-1", "event", "event"),
    "said to be a command": ("order_events", None, "command", "command"),
}

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class MessageClaims(StoreClaims):
    """A message comes back as it went in, with its place and time."""

    def test_every_field_comes_back(self, store: LocalMessageStore) -> None:
        """All that a producer says about a message is stored, and survives the store's closing."""
        message = Message(
            "PlaceOrder",
            {"total": 12.5},
            id="m-1",
            request_id="r-1",
            correlation_id="c-1",
            causation_id="k-1",
            timestamp=datetime(2026, 11, 23, 14, 0, 0, 123456, UTC),
            metadata={"user": "ada"},
        )
        store.save_message("orders", message)
        with self.reopen(store) as again:
            assert only(again.get_all_messages()).message == message

    def test_the_place_of_a_message(self, store: LocalMessageStore) -> None:
        """A stored message has its stream, kind, revision, position, session and a time in UTC."""
        store.save_message("orders", event(1))
        store.save_message("carts", event(2))
        first, second = store.get_all_messages()
        assert (first.stream_id, first.revision, first.position) == ("orders", 0, 1)
        assert (second.stream_id, second.revision, second.position) == ("carts", 0, 2)
        assert (second.message_type, second.session_id) == ("event", "no-session")
        assert second.timestamp.utcoffset() == timedelta(0)

    def test_no_data_is_an_empty_object(self, store: LocalMessageStore) -> None:
        """`data=None` is stored as `{}`."""
        store.save_message("orders", Message("OrderPlaced"))
        assert only(store.get_all_messages()).message.data == {}

    @pytest.mark.parametrize("case", VALUES)
    def test_a_value_comes_back(self, store: LocalMessageStore, case: str) -> None:
        """JSON values come back as they went in: the type of a number and its sign too."""
        value = VALUES[case]
        store.save_message("orders", Message("X", {"value": value}, metadata={"value": value}))
        with self.reopen(store) as again:
            message = only(again.get_all_messages()).message
        assert repr(message.data) == repr({"value": value})
        assert repr(message.metadata) == repr({"value": value})

    def test_data_need_not_be_an_object(self, store: LocalMessageStore) -> None:
        """Data may be any JSON value."""
        for value in (False, 0, 1.5, "text", [1, 2]):
            store.save_message("orders", Message("X", value))
        found = [stored.message.data for stored in store.get_messages("orders")]
        assert repr(found) == "[False, 0, 1.5, 'text', [1, 2]]"

    def test_a_hundred_levels(self, store: LocalMessageStore) -> None:
        """Data nested a hundred levels deep is stored; one level more is refused."""
        store.save_message("orders", Message("X", {"a": [_DEEP_LIST]}))
        assert only(store.get_all_messages()).message.data == {"a": [_DEEP_LIST]}
        with refused(InvalidMessage):
            Message("X", {"a": [[_DEEP_LIST]]})

    @pytest.mark.parametrize("case", BAD_DATA)
    def test_bad_data(self, case: str) -> None:
        """What is not JSON is refused, with the path of the offender."""
        data, path = BAD_DATA[case]
        with refused(InvalidMessage, path=path):
            Message("X", data)
        with refused(InvalidMessage, path=path.replace("data", "metadata", 1)):
            Message("X", metadata=data)

    def test_the_sentence_names_the_offender(self) -> None:
        """The error's text is the path and the reason."""
        with pytest.raises(InvalidMessage, match=r"^data\.items\[0\]: NaN is not JSON$"):
            Message("X", {"items": [float("nan")]})

    def test_tuples_are_lists(self, store: LocalMessageStore) -> None:
        """A tuple is stored as the list that JSON has for it."""
        store.save_message("orders", Message("X", {"pair": (1, (2, 3))}))
        assert only(store.get_all_messages()).message.data == {"pair": [1, [2, 3]]}

    def test_what_is_stored_is_a_copy(self, store: LocalMessageStore) -> None:
        """Changing what was saved, or what was read, changes nothing in the store."""
        data: dict[str, Any] = {"items": [1]}
        store.save_message("orders", Message("X", data))
        data["items"].append(2)
        only(store.get_all_messages()).message.data["items"].append(3)
        assert only(store.get_all_messages()).message.data == {"items": [1]}

    def test_a_new_id(self, store: LocalMessageStore) -> None:
        """A message without an id is given a UUIDv7 of its own."""
        store.save_messages("orders", [event(1), event(2)])
        store.save_message("orders", event(3))
        ids = [stored.message.id or "" for stored in store.get_all_messages()]
        assert len(set(ids)) == 3
        assert all(_UUID7.fullmatch(message_id) for message_id in ids)

    def test_a_producers_time_in_another_zone(self, store: LocalMessageStore) -> None:
        """The producer's timestamp keeps its moment to the microsecond, and comes back in UTC."""
        summer = timezone(timedelta(hours=2))
        moment = datetime(2026, 7, 1, 12, 0, 0, 1, summer)
        store.save_message("orders", Message("X", timestamp=moment))
        found = only(store.get_all_messages()).message.timestamp
        assert found is not None
        assert found.isoformat() == "2026-07-01T10:00:00.000001+00:00"

    @pytest.mark.parametrize("year", [1, 1969, 9999])
    def test_any_year(self, store: LocalMessageStore, year: int) -> None:
        """A producer's timestamp may be of any year from 1 to 9999."""
        moment = datetime(year, 6, 1, tzinfo=UTC)
        store.save_message("orders", Message("X", timestamp=moment))
        assert only(store.get_all_messages()).message.timestamp == moment

    @pytest.mark.parametrize("case", KINDS)
    def test_command_or_event(self, store: LocalMessageStore, case: str) -> None:
        """The kind is what was said, else a word of the stream, else by the request id, else event."""
        stream_id, request_id, said, kind = KINDS[case]
        store.save_message(stream_id, Message("X", request_id=request_id), None, said)
        assert only(store.get_all_messages()).message_type == kind

    def test_an_unknown_kind(self, store: LocalMessageStore) -> None:
        """A kind that is neither command nor event is refused."""
        with refused(InvalidMessage, path="message_type"):
            store.save_message("orders", event(1), None, "query")
        assert_empty(store)

    def test_sixteen_mebibytes(self, store: LocalMessageStore) -> None:
        """A message over 16 MiB is refused with its size, one just below is stored."""
        store.save_message("orders", Message("X", {"text": "x" * 16_770_000}))
        with pytest.raises(MessageTooLarge) as caught:
            store.save_message("orders", Message("X", {"text": "x" * 16_777_216}))
        assert caught.value.size_bytes > caught.value.size_bytes_max == 16_777_216
        assert store.get_stats().total_messages == 1
        assert len(only(store.get_all_messages()).message.data["text"]) == 16_770_000

    def test_one_too_large_of_several(self, store: LocalMessageStore) -> None:
        """A batch that holds a message over 16 MiB is refused as a whole."""
        with refused(MessageTooLarge):
            store.save_messages("orders", [event(1), Message("X", "x" * 16_777_216)])
        assert_empty(store)

    def test_messages_do_not_change(self, store: LocalMessageStore) -> None:
        """Messages, given and stored, cannot be assigned to and have no room for more."""
        store.save_message("orders", event(1))
        stored = only(store.get_all_messages())
        for target, name in ((stored, "revision"), (stored.message, "type"), (stored, "extra")):
            with pytest.raises((AttributeError, TypeError)):
                setattr(target, name, 5)

    def test_json_of_a_stored_message(self, store: LocalMessageStore) -> None:
        """A stored message has one shape in JSON, and is the same again when read from it."""
        moment = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
        store.save_message(
            "orders", Message("X", {"n": 1}, id="m-1", correlation_id="c-1", timestamp=moment)
        )
        stored = only(store.get_all_messages())
        shape = stored.to_json()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z", shape.pop("timestamp"))
        assert shape == {
            "streamId": "orders",
            "message": {
                "type": "X",
                "data": {"n": 1},
                "id": "m-1",
                "correlationId": "c-1",
                "timestamp": "2026-11-23T14:00:00.000Z",
            },
            "messageType": "event",
            "revision": 0,
            "position": 1,
            "sessionId": "no-session",
        }
        assert PositionalMessage.from_json(stored.to_json()) == stored
