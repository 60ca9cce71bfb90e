"""Is a message a command or an event? Said, or read off the stream's name, or off a request id."""

from __future__ import annotations

import re
from functools import lru_cache

from msgstore.model.message import MessageType

# Runs of letters and digits, broken where camelCase turns: `XMLCommandBus` -> XML, Command, Bus.
_WORD = r"[A-Z]+(?![a-z])\d*|[A-Z]?[^\WA-Z_]+"
_COMMAND_WORDS = frozenset({"command", "commands"})
_EVENT_WORDS = frozenset({"event", "events"})


def infer_message_type(
    stream_id: str, request_id: str | None, message_type: MessageType | None = None
) -> MessageType:
    """The first rule that applies: the explicit type; a word of the stream id; a request id; event."""
    if message_type is not None:
        return message_type
    return stream_kind(stream_id) or (MessageType.COMMAND if request_id else MessageType.EVENT)


@lru_cache(maxsize=4096)
def stream_kind(stream_id: str) -> MessageType | None:
    """What a word of the stream id says, compared without case; a command word wins."""
    lower = stream_id.lower()
    if "command" not in lower and "event" not in lower:  # nearly all: no expression is compiled
        return None
    words = {word.lower() for word in re.findall(_WORD, stream_id)}
    if words & _COMMAND_WORDS:
        return MessageType.COMMAND
    if words & _EVENT_WORDS:
        return MessageType.EVENT
    return None
