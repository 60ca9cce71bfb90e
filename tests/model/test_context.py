"""What the environment says of messages that do not say it themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.model.context import SaveContext, is_traceparent
from msgstore.model.errors import InvalidText
from msgstore.model.message import Message

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (TRACE, True),
        (TRACE.replace("-01", "-ff"), True),
        ("cc" + TRACE[2:] + "-what-the-future-brings", True),
        ("cc" + TRACE[2:], True),
        (TRACE + "-more", False),
        ("cc" + TRACE[2:] + ".more", False),
        ("ff" + TRACE[2:], False),
        (TRACE.upper(), False),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", False),
        (TRACE[:-1], False),
        (TRACE + "\n", False),
        (" " + TRACE, False),
        ("", False),
        ("cc" + TRACE[2:] + "-" + "x" * 500, False),
        ("cc" + TRACE[2:] + "-\x1b[2J", False),
    ],
)
def test_what_is_well_formed(text: str, is_one: bool) -> None:
    """A traceparent is taken as the W3C's recommendation defines it, of later versions too."""
    assert is_traceparent(text) is is_one


@given(
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.integers(0, 255),
)
def test_every_traceparent_is_well_formed(trace: int, parent: int, flags: int) -> None:
    """Whatever ids and flags one is made of."""
    assert is_traceparent(f"00-{trace:032x}-{parent:016x}-{flags:02x}")


def test_nothing_said() -> None:
    """Without variables, with empty ones and with a malformed trace there is no context."""
    assert SaveContext.of({}) is None
    assert SaveContext.of({"MSGSTORE_CORRELATION_ID": "", "TRACEPARENT": ""}) is None
    assert SaveContext.of({"TRACEPARENT": "00-1-2-3"}) is None


def test_a_correlation_id_that_is_none() -> None:
    """A variable that holds no id is refused by its name."""
    with pytest.raises(InvalidText, match="MSGSTORE_CORRELATION_ID: holds the control"):
        SaveContext.of({"MSGSTORE_CORRELATION_ID": "a\tb"})


CONTEXT = SaveContext("corr-1", TRACE)


def test_fills_in_what_is_not_said() -> None:
    """A message without correlation id and metadata has both afterwards, and all else as it was."""
    message = Message("T", {"a": 1}, id="m", request_id="r", causation_id="c")
    assert CONTEXT.fill(message) == Message(
        "T",
        {"a": 1},
        id="m",
        request_id="r",
        causation_id="c",
        correlation_id="corr-1",
        metadata={"traceparent": TRACE},
    )


@pytest.mark.parametrize(
    ("metadata", "filled"),
    [
        (None, {"traceparent": TRACE}),
        ({}, {"traceparent": TRACE}),
        ({"a": 1}, {"a": 1, "traceparent": TRACE}),
        ({"traceparent": "mine"}, {"traceparent": "mine"}),
        ([1], [1]),
        ("text", "text"),
    ],
)
def test_what_is_said_wins(metadata: object, filled: object) -> None:
    """A correlation id stays, and so does what stands in the metadata, or is no object."""
    message = CONTEXT.fill(Message("T", correlation_id="own", metadata=metadata))
    assert (message.correlation_id, message.metadata) == ("own", filled)


def test_a_message_that_was_stored_is_left_as_it_was() -> None:
    """Of lines those in the form of `query` are not filled in; others are."""
    stored = {"streamId": "s", "message": {"type": "T", "data": {}, "id": "m"}, "revision": 3}
    assert CONTEXT.fill_line(stored).messages[0] == Message("T", id="m")
    assert CONTEXT.fill_line({"type": "T"}, "s").messages[0].correlation_id == "corr-1"
