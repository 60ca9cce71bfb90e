"""Command or event: the first rule that applies."""

from __future__ import annotations

import pytest

from msgstore.model.inference import infer_message_type, stream_kind
from msgstore.model.message import MessageType

COMMAND, EVENT = MessageType.COMMAND, MessageType.EVENT

STREAMS: dict[str, MessageType | None] = {
    "user-commands": COMMAND,
    "UserCommands": COMMAND,
    "userCommand": COMMAND,
    "XMLCommandBus": COMMAND,
    "COMMANDS": COMMAND,
    "MY_COMMAND": COMMAND,
    "command": COMMAND,
    "a command": COMMAND,
    "a/command/7": COMMAND,
    "äCommand": COMMAND,
    "ä.commands": COMMAND,
    "command-events": COMMAND,
    "events/commands": COMMAND,
    "commandEvents": COMMAND,
    "order2Command": COMMAND,
    "order_events": EVENT,
    "OrderEvents": EVENT,
    "EVENT": EVENT,
    "event:42": EVENT,
    "42-event": EVENT,
    "aEventB": EVENT,
    "seventh": None,
    "eventual": None,
    "Eventually": None,
    "commander": None,
    "commandment": None,
    "recommands": None,
    "prevents": None,
    "eventsource": None,
    "commands2": None,
    "EVENTSOURCE": None,
    "äCommandö": None,
    "orders": None,
    "$all": None,
    "🛒": None,
}


@pytest.mark.parametrize("stream_id", STREAMS)
def test_a_word_of_the_stream(stream_id: str) -> None:
    """A whole word says what the messages are; a command word wins; part of a word says nothing."""
    assert stream_kind(stream_id) is STREAMS[stream_id]


RULES: dict[str, tuple[str, str | None, MessageType | None, MessageType]] = {
    "said, against stream and request": ("user-commands", "r", EVENT, EVENT),
    "said, against an event word": ("order_events", None, COMMAND, COMMAND),
    "command word": ("user-commands", None, None, COMMAND),
    "event word, against the request": ("order_events", "r", None, EVENT),
    "request": ("orders", "r", None, COMMAND),
    "empty request": ("orders", "", None, EVENT),
    "nothing": ("orders", None, None, EVENT),
}


@pytest.mark.parametrize("case", RULES)
def test_a_rule(case: str) -> None:
    """What is said, a word of the stream, a request id, else event: in this order."""
    stream_id, request_id, said, expected = RULES[case]
    assert infer_message_type(stream_id, request_id, said) is expected
