"""The sessions of a store, as its log tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgstore.disk.files import Disk
from msgstore.engine.log import FRAME_BYTES_MAX, as_damage, walk_frames
from msgstore.format.frame import frame_problem, last_frame_length
from msgstore.format.names import SESSIONS
from msgstore.format.session_log import (
    HEADER_BYTES,
    SessionEvent,
    decode_session_event,
)
from msgstore.model.errors import CorruptRecord, SessionEnded, SessionNotFound


@dataclass(slots=True, eq=False, repr=False)
class Session:
    """One session: `first_position` and `last_position` bound where its messages can stand."""

    number: int
    session_id: str
    started_us: int
    start_position: int
    name: str | None
    labels: dict[str, str]
    end_position: int | None = None
    ended_us: int | None = None
    status: str | None = None
    final_counts: dict[str, Any] = field(default_factory=dict)


class SessionLog:
    """All sessions, kept up with the log as it grows."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._end = HEADER_BYTES
        self._sessions: dict[str, Session] = {}
        self._by_number: dict[int, Session] = {}
        self.active_id: str | None = None

    def refresh(self, end: int) -> None:
        """Takes in what the log holds up to `end`. Raises CorruptRecord."""
        for offset, frame in walk_frames(self._disk, SESSIONS, self._end, end):
            with as_damage(SESSIONS, offset):
                self._apply(decode_session_event(frame))
            self._end = offset + len(frame)

    def _apply(self, event: SessionEvent) -> None:
        facts = event.facts
        self.active_id = event.active_id
        if event.event == "start":
            session = Session(
                event.number,
                event.session_id,
                event.time_us,
                event.position,
                facts.get("name"),
                facts.get("labels") or {},
            )
            self._sessions[event.session_id] = session
            self._by_number[event.number] = session
        elif event.event == "end":
            if event.number not in self._by_number:
                raise ValueError("it ends a session that was never started")
            session = self._by_number[event.number]
            session.ended_us = event.time_us
            session.end_position = event.position
            session.status = facts.get("status")
            session.final_counts = facts

    def all(self) -> list[Session]:
        """In the order of their start."""
        return list(self._sessions.values())

    def total(self) -> int:
        return len(self._sessions)

    def find(self, session_id: str) -> Session:
        """Raises SessionNotFound."""
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionNotFound(session_id)
        return session

    def open_session(self, session_id: str) -> Session:
        """Raises SessionNotFound, SessionEnded."""
        session = self.find(session_id)
        if session.ended_us is not None:
            raise SessionEnded(session_id)
        return session

    def id_of(self, number: int) -> str | None:
        """The id of the session with this number; None for 0 and for numbers nobody has."""
        session = self._by_number.get(number)
        return session.session_id if session else None


def last_event(disk: Disk, end: int) -> SessionEvent | None:
    """The last event of a log that ends at `end`, found from there. Raises CorruptRecord."""
    if end <= HEADER_BYTES:
        return None
    start = max(HEADER_BYTES, end - FRAME_BYTES_MAX)
    tail = disk.read(SESSIONS, start, end - start)
    if len(tail) < end - start:  # what ends there now is an older event
        raise CorruptRecord(SESSIONS, start + len(tail), "the log ends too early")
    length = last_frame_length(tail) or 0
    if not 0 < length <= len(tail):
        raise CorruptRecord(SESSIONS, end, "no event ends here")
    frame = memoryview(tail)[len(tail) - length :]
    if problem := frame_problem(frame):
        raise CorruptRecord(SESSIONS, end - length, problem)
    with as_damage(SESSIONS, end - length):
        return decode_session_event(frame)
