"""The session log of a repaired store: what is left of the old one, and who else is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgstore.engine.survey import Survey
from msgstore.format.session_log import (
    SessionEvent,
    encode_session_event,
    encode_sessions_header,
)

_MADE = 0
"""The number of a start that was not found but made."""


class SessionBook:
    """All sessions, numbered in the order of their start.

    A session that only messages name gets a start right before the first of them, without a name;
    whether it ever ended nobody knows.
    """

    def __init__(self, survey: Survey, marked: Iterable[tuple[str, int, int]]) -> None:
        self._store_uuid = survey.store_uuid
        started = {event.session_id for event in survey.events if event.event == "start"}
        firsts = _first_seen(survey, marked)
        made = [_start(name, *first) for name, first in firsts.items() if name not in started]
        # Sorting keeps what stands together in its order, and a made start before all else there.
        self._events = sorted([*made, *survey.events], key=lambda event: event.position)
        starts = [event.session_id for event in self._events if event.event == "start"]
        self.numbers: Mapping[str, int] = {name: n for n, name in enumerate(starts, 1)}
        """The number of each session by its id."""

    def encode(self, counts: Mapping[int, tuple[int, int, int]]) -> bytes:
        """The bytes of the log, with the final counts of what has ended taken from `counts`."""
        parts = [encode_sessions_header(self._store_uuid)]
        total = 0
        active: str | None = None
        for event in self._events:
            total += event.event == "start"
            number = self.numbers[event.session_id]
            if event.number != _MADE:
                active = event.active_id if event.active_id in self.numbers else None
            facts = event.facts
            if event.event == "end":
                messages, commands, last = counts.get(number, (0, 0, 0))
                final = {"messages": messages, "commands": commands, "lastPosition": last}
                facts = {**facts, **final}
            parts.append(
                encode_session_event(
                    event._replace(number=number, active_id=active, total=total, facts=facts)
                )
            )
        return b"".join(parts)


def _first_seen(
    survey: Survey, marked: Iterable[tuple[str, int, int]]
) -> dict[str, tuple[int, int]]:
    """The last position before, and a time at which, each session was there for certain."""
    seen = {name: (position - 1, time_us) for name, (position, time_us) in survey.sessions.items()}
    others = [(name, position - 1, time_us) for name, position, time_us in marked]
    others += [(event.session_id, event.position, event.time_us) for event in survey.events]
    for name, position, time_us in others:
        known = seen.get(name)
        seen[name] = (position, time_us) if known is None else min(known, (position, time_us))
    return seen


def _start(session_id: str, position: int, time_us: int) -> SessionEvent:
    facts: dict[str, object] = {"name": None, "labels": {}}
    return SessionEvent("start", _MADE, session_id, time_us, position, None, 0, facts)
