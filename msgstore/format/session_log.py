"""The frames of the session log: starts, ends, activations. See docs/format.md, "sessions"."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from msgstore.format import FORMAT_VERSION
from msgstore.format.frame import decode_frame, encode_frame

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


def decode_sessions_header(frame: bytes | memoryview) -> bytes | None:
    """The store's uuid, or None if the frame is no session log header of this version."""
    elements = decode_frame(frame)
    return elements[2] if elements[:2] == [SESSIONS_KIND, FORMAT_VERSION] else None


def encode_session_event(event: SessionEvent) -> bytes:
    return encode_frame(tuple(event))


def decode_session_event(frame: bytes | memoryview) -> SessionEvent:
    return SessionEvent(*decode_frame(frame))
