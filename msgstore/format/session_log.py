"""The frames of the session log: starts, ends, activations. See docs/format.md, "sessions"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from msgstore.format import FORMAT_VERSION
from msgstore.format.frame import decode_frame, encode_frame, header_uuid
from msgstore.format.stored import stored_labels, stored_number, stored_text, stored_time

SESSIONS_KIND = "msgstore-sessions"


class SessionEvent(NamedTuple):
    """One frame; the fields in their order on disk. `number` is 1-based."""

    event: Literal["start", "end", "activate"]
    number: int
    session_id: str
    time_us: int
    position: int
    active_id: str | None
    total: int
    facts: dict[str, Any]


def encode_sessions_header(store_uuid: bytes) -> bytes:
    return encode_frame([SESSIONS_KIND, FORMAT_VERSION, store_uuid])


HEADER_BYTES = len(encode_sessions_header(bytes(16)))


def decode_sessions_header(frame: bytes | memoryview) -> bytes | None:
    """The store's uuid, or None if the frame is no session log header of this version."""
    return header_uuid(frame, SESSIONS_KIND)


def encode_session_event(event: SessionEvent) -> bytes:
    return encode_frame(tuple(event))


def decode_session_event(frame: bytes | memoryview) -> SessionEvent:
    """Raises ValueError for a frame that is whole, and yet not what msgstore writes."""
    elements = decode_frame(frame)
    if len(elements) != len(SessionEvent._fields) or elements[0] not in [*_FACTS]:
        raise ValueError("it is no event of a session")
    event, number, session_id, time_us, position, active_id, total, facts = elements
    if not isinstance(facts, dict):
        raise ValueError("the facts of the event are no object")
    return SessionEvent(
        event,
        stored_number(number, "session's number", 1),
        stored_text(session_id, "session id"),
        stored_time(time_us),
        stored_number(position, "position"),
        None if active_id is None else stored_text(active_id, "session id"),
        stored_number(total, "total"),
        {name: _FACTS[event][name](fact) for name, fact in facts.items() if name in _FACTS[event]},
    )


def _text_or_none(value: object) -> str | None:
    return None if value is None else stored_text(value, "text")


def _count(value: object) -> int:
    return stored_number(value, "count")


_FACTS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "start": {"name": _text_or_none, "labels": stored_labels},
    "end": {
        "status": _text_or_none,
        "messages": _count,
        "commands": _count,
        "lastPosition": _count,
    },
    "activate": {},
}
"""What each event may tell, and what makes sure that it does."""
