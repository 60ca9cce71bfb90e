"""The shapes of a save in JSON, and the plan of a commit."""

from __future__ import annotations

from typing import Any

import pytest

from msgstore.model.errors import InvalidArgument, InvalidMessage, WrongExpectedRevision
from msgstore.model.expectation import ANY, NO_STREAM, STREAM_EXISTS, Exactly
from msgstore.model.message import Message, MessageType
from msgstore.model.saving import Known, NewSave, SaveRequest, parse_expected_revision, plan_saves

X = Message("X")
STORED = {
    "streamId": "orders",
    "message": {"type": "X", "id": "m-1", "timestamp": "2026-11-23T12:00:00Z"},
    "messageType": "command",
    "revision": 7,
    "position": 8,
    "timestamp": "2027-01-01T00:00:00Z",
    "sessionId": "session-1-abcdefgh",
}

SHAPES: dict[str, tuple[Any, str | None, SaveRequest]] = {
    "a message": ({"type": "X"}, "orders", SaveRequest("orders", (X,))),
    "a message with its stream": ({"streamId": "s", "type": "X"}, None, SaveRequest("s", (X,))),
    "the caller's stream wins": ({"streamId": "s", "type": "X"}, "t", SaveRequest("t", (X,))),
    "with a kind": (
        {"type": "X", "messageType": "command"},
        "s",
        SaveRequest("s", (X,), ANY, MessageType.COMMAND),
    ),
    "expecting a revision": (
        {"type": "X", "expectedRevision": 3},
        "s",
        SaveRequest("s", (X,), Exactly(3)),
    ),
    "expecting a revision in text": (
        {"type": "X", "expectedRevision": "3"},
        "s",
        SaveRequest("s", (X,), Exactly(3)),
    ),
    "expecting no stream": (
        {"type": "X", "expectedRevision": "none"},
        "s",
        SaveRequest("s", (X,), NO_STREAM),
    ),
    "expecting a stream": (
        {"type": "X", "expectedRevision": "exists"},
        "s",
        SaveRequest("s", (X,), STREAM_EXISTS),
    ),
    "expecting anything": (
        {"type": "X", "expectedRevision": "any"},
        "s",
        SaveRequest("s", (X,), ANY),
    ),
    "expecting null": ({"type": "X", "expectedRevision": None}, "s", SaveRequest("s", (X,), ANY)),
    "what query prints": (
        STORED,
        None,
        SaveRequest(
            "orders",
            (Message("X", id="m-1", timestamp="2026-11-23T12:00:00Z"),),  # type: ignore[arg-type]
            ANY,
            MessageType.COMMAND,
        ),
    ),
    "what query prints, into another stream": (
        {**STORED, "expectedRevision": -1},
        "copy",
        SaveRequest(
            "copy",
            (Message("X", id="m-1", timestamp="2026-11-23T12:00:00Z"),),  # type: ignore[arg-type]
            NO_STREAM,
            MessageType.COMMAND,
        ),
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_shape(case: str) -> None:
    """A line is a message, or a stored message, whose places are left behind."""
    value, stream_id, expected = SHAPES[case]
    before = repr(value)
    assert SaveRequest.from_json(value, stream_id) == expected
    assert repr(value) == before


NO_SHAPES: dict[str, tuple[Any, str | None, str]] = {
    "a list": ([], "s", "message"),
    "null": (None, "s", "message"),
    "no stream": ({"type": "X"}, None, "streamId"),
    "an empty stream": ({"type": "X", "streamId": ""}, None, "streamId"),
    "a number for a stream": ({"type": "X", "streamId": 5}, None, "streamId"),
    "no type": ({}, "s", "type"),
    "an unknown field": ({"type": "X", "topic": "a"}, "s", "topic"),
    "an unknown field around a message": ({**STORED, "topic": "a"}, None, "topic"),
    "a message that is none": ({"message": 5}, "s", "message"),
    "an unknown kind": ({"type": "X", "messageType": "query"}, "s", "messageType"),
    "a list for a kind": ({"type": "X", "messageType": []}, "s", "messageType"),
    "an unknown expectation": ({"type": "X", "expectedRevision": "no"}, "s", "expectedRevision"),
    "an expectation below -1": ({"type": "X", "expectedRevision": -2}, "s", "expectedRevision"),
    "the same in text": ({"type": "X", "expectedRevision": "-2"}, "s", "expectedRevision"),
    "true": ({"type": "X", "expectedRevision": True}, "s", "expectedRevision"),
    "a fraction": ({"type": "X", "expectedRevision": 1.5}, "s", "expectedRevision"),
    "a list of revisions": ({"type": "X", "expectedRevision": []}, "s", "expectedRevision"),
}


@pytest.mark.parametrize("case", NO_SHAPES)
def test_no_shape(case: str) -> None:
    """A line that asks for nothing sensible is refused with the field that is wrong."""
    value, stream_id, path = NO_SHAPES[case]
    with pytest.raises(InvalidMessage) as caught:
        SaveRequest.from_json(value, stream_id)
    assert caught.value.path == path


@pytest.mark.parametrize("text", ["", "None", "1.0", "٣", "+1", "--1", "1_000", "9" * 20, " 1"])
def test_no_expected_revision(text: str) -> None:
    """Only digits, `none`, `exists` and `any` are expectations."""
    with pytest.raises(InvalidMessage):
        parse_expected_revision(text)


def test_a_request_is_checked_however_it_is_made() -> None:
    """A stream id that is no text, and what is no message, are refused by the constructor too."""
    strange: Any = {"type": "X"}
    with pytest.raises(InvalidMessage):
        SaveRequest("", (X,))
    with pytest.raises(InvalidMessage):
        SaveRequest("s", (strange,))
    with pytest.raises(InvalidMessage):
        SaveRequest.of("s", X)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        SaveRequest.of("s", [X], -2)


NOTHING = Known(revision_of=lambda stream_id: -1, find=lambda message_id: None, next_position=1)


def test_a_plan() -> None:
    """A plan gives each new save its first revision and position, after those before it."""
    requests = [SaveRequest.of("a", [X, X]), SaveRequest.of("b", [X]), SaveRequest.of("a", [X], 1)]
    plan = plan_saves(requests, NOTHING, independent=False)
    assert plan.new == [
        NewSave(0, requests[0], 0, 1),
        NewSave(1, requests[1], 0, 3),
        NewSave(2, requests[2], 2, 4),
    ]
    assert [result.last_position for result in plan.results] == [2, 3, 4]


@pytest.mark.parametrize("independent", [True, False])
def test_a_plan_that_fails(independent: bool) -> None:
    """The error of a plan says which request it is about."""
    requests = [SaveRequest.of("a", [X]), SaveRequest.of("a", [X], 5)]
    with pytest.raises(WrongExpectedRevision) as caught:
        plan_saves(requests, NOTHING, independent=independent)
    assert (caught.value.request_index, caught.value.actual) == (1, 0)
