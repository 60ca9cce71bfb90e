"""Messages: their making, their JSON, and their twins from storage."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.model.errors import InvalidMessage
from msgstore.model.message import (
    Message,
    MessageType,
    PositionalMessage,
    restore_message,
    restore_positional,
    to_message_type,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)
# A time whose UTC would fall outside the years 1 to 9999 is refused: see below.
moments = st.datetimes(
    datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones() | st.just(UTC)
)
messages = st.builds(
    Message,
    texts,
    values,
    id=st.none() | texts,
    request_id=st.none() | texts,
    correlation_id=st.none() | texts,
    causation_id=st.none() | texts,
    timestamp=st.none() | moments,
    metadata=values,
)
stored_messages = st.builds(
    PositionalMessage,
    texts,
    messages,
    st.sampled_from(MessageType),
    st.integers(0),
    st.integers(1),
    st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC, fold=0)),
    texts,
)


@given(messages)
def test_a_message_through_json(message: Message) -> None:
    """A message is the same after a way through JSON text."""
    again = Message.from_json(json.loads(json.dumps(message.to_json())))
    assert (again, repr(again)) == (message, repr(message))


@given(stored_messages)
def test_a_stored_message_through_json(stored: PositionalMessage) -> None:
    """A stored message is the same after a way through JSON text."""
    again = PositionalMessage.from_json(json.loads(json.dumps(stored.to_json())))
    assert (again, repr(again)) == (stored, repr(stored))


@given(stored_messages)
def test_a_restored_message(stored: PositionalMessage) -> None:
    """A message from storage equals the one that was made, and is of the same class."""
    message = restore_message(*(getattr(stored.message, name) for name in Message.__slots__))
    others = [getattr(stored, name) for name in PositionalMessage.__slots__]
    twin = restore_positional(others[0], message, *others[2:])
    assert (type(message), type(twin)) == (Message, PositionalMessage)
    assert twin == stored
    assert pickle.loads(pickle.dumps(twin)) == stored
    assert repr(twin) == repr(stored)


def test_a_restored_message_is_frozen() -> None:
    """A message from storage can no more be assigned to than any other."""
    message = restore_message("X", {}, None, None, None, None, None, None)
    with pytest.raises(FrozenInstanceError):
        message.type = "Y"  # type: ignore[misc]


def test_absent_fields_are_left_out() -> None:
    """JSON has what the message has, and its data always."""
    assert Message("X").to_json() == {"type": "X", "data": {}}


def test_every_field_in_json() -> None:
    """The names in JSON are those of the contract."""
    message = Message(
        "X",
        [1],
        id="i",
        request_id="r",
        correlation_id="c",
        causation_id="k",
        timestamp=NOON,
        metadata={"m": None},
    )
    assert message.to_json() == {
        "type": "X",
        "data": [1],
        "id": "i",
        "requestId": "r",
        "correlationId": "c",
        "causationId": "k",
        "timestamp": "2026-11-23T12:00:00.000Z",
        "metadata": {"m": None},
    }


BAD_JSON: dict[str, tuple[Any, str]] = {
    "a list": ([], "message"),
    "a text": ("X", "message"),
    "no type": ({"data": {}}, "type"),
    "null for a type": ({"type": None}, "type"),
    "an empty type": ({"type": ""}, "type"),
    "a number for a type": ({"type": 5}, "type"),
    "an unknown field": ({"type": "X", "request_id": "r"}, "request_id"),
    "a key that is no text": ({"type": "X", 5: "r"}, "5"),
    "an empty id": ({"type": "X", "id": ""}, "id"),
    "a time without a zone": ({"type": "X", "timestamp": "2026-01-01T00:00:00"}, "timestamp"),
    "a number for a time": ({"type": "X", "timestamp": 5}, "timestamp"),
    "no time": ({"type": "X", "timestamp": "noon"}, "timestamp"),
    "NaN": ({"type": "X", "data": {"a": float("nan")}}, "data.a"),
    "NaN in metadata": ({"type": "X", "metadata": [float("nan")]}, "metadata[0]"),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json(case: str) -> None:
    """What is no message is refused with the field that is wrong."""
    value, path = BAD_JSON[case]
    with pytest.raises(InvalidMessage) as caught:
        Message.from_json(value)
    assert caught.value.path == path


STORED = {
    "streamId": "orders",
    "message": {"type": "X"},
    "messageType": "event",
    "revision": 0,
    "position": 1,
    "timestamp": "2026-11-23T12:00:00Z",
    "sessionId": "no-session",
}


def test_a_stored_message_from_json() -> None:
    """A stored message is read from the shape in which it is printed."""
    assert PositionalMessage.from_json(STORED) == PositionalMessage(
        "orders", Message("X"), MessageType.EVENT, 0, 1, NOON, "no-session"
    )


@pytest.mark.parametrize("field", STORED)
def test_a_stored_message_without_a_field(field: str) -> None:
    """Every field of a stored message must be there."""
    with pytest.raises(InvalidMessage) as caught:
        PositionalMessage.from_json({k: v for k, v in STORED.items() if k != field})
    assert caught.value.path == field


BAD_PLACES: dict[str, tuple[str, Any]] = {
    "a negative revision": ("revision", -1),
    "true for a revision": ("revision", True),
    "position 0": ("position", 0),
    "a fraction": ("position", 1.0),
    "an unknown kind": ("messageType", "query"),
    "null for a kind": ("messageType", None),
    "an empty stream": ("streamId", ""),
    "an empty session": ("sessionId", ""),
    "a time without a zone": ("timestamp", "2026-11-23T12:00:00"),
    "an unknown field": ("extra", 1),
}


@pytest.mark.parametrize("case", BAD_PLACES)
def test_a_bad_place(case: str) -> None:
    """What the store assigns is checked too when it is read from JSON."""
    field, value = BAD_PLACES[case]
    with pytest.raises(InvalidMessage) as caught:
        PositionalMessage.from_json({**STORED, field: value})
    assert caught.value.path == field


TIMES: dict[str, tuple[Any, datetime]] = {
    "UTC": (NOON, NOON),
    "another zone": (datetime(2026, 11, 23, 7, tzinfo=timezone(timedelta(hours=-5))), NOON),
    "text with Z": ("2026-11-23T12:00:00Z", NOON),
    "text with an offset": ("2026-11-23T13:30:00+01:30", NOON),
    "text with nanoseconds": (
        "2026-11-23T12:00:00.123456789Z",
        NOON.replace(microsecond=123456),
    ),
}


@pytest.mark.parametrize("case", TIMES)
def test_a_time(case: str) -> None:
    """A producer's time is kept in UTC to the microsecond."""
    given_time, expected = TIMES[case]
    found = Message("X", timestamp=given_time).timestamp
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 1),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
        5,
        "2026-01-01",
        "",
    ],
    ids=repr,
)
def test_no_time(moment: Any) -> None:
    """A time without a zone, or outside the years 1 to 9999 in UTC, is refused."""
    with pytest.raises(InvalidMessage) as caught:
        Message("X", timestamp=moment)
    assert caught.value.path == "timestamp"


def test_only_type_and_data_go_by_place() -> None:
    """The other fields are given by name."""
    with pytest.raises(TypeError):
        Message("X", {}, "id")  # type: ignore[call-arg]


def test_kinds() -> None:
    """A kind is given as itself, as its name, or not at all."""
    assert to_message_type("command") is MessageType.COMMAND
    assert to_message_type(MessageType.EVENT) is MessageType.EVENT
    assert to_message_type(None) is None
    assert str(MessageType.EVENT) == "event"
    with pytest.raises(InvalidMessage, match="'Command' is neither 'command' nor 'event'"):
        to_message_type("Command")
