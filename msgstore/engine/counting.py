"""Counting without opening records, where the rows alone can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Literal

from msgstore.engine.query import RowSieve, make_sieve, passing_windows
from msgstore.engine.session_log import Session
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import INDEX
from msgstore.format.row import (
    FLAG_COMMAND,
    FLAGS_WORD,
    SESSION_WORD,
    STREAM_WORD,
    TIME_WORD_64,
    TYPE_WORD_64,
    column_32,
    column_64,
)
from msgstore.model.clock import to_datetime
from msgstore.model.errors import CorruptRecord
from msgstore.model.filter import MessageFilter
from msgstore.model.message import NO_SESSION
from msgstore.model.results import SessionInfo

_HOUR_US = 3_600_000_000
_QUARTER_US = _HOUR_US // 4  # no time zone's hours begin elsewhere than at a quarter


def rows_decide(wanted: MessageFilter) -> bool:
    """Whether rows alone tell which messages match. Hashes of ids are hints, so ids do not count."""
    return not (
        wanted.needs_data
        or wanted.message_id
        or wanted.correlation_id
        or wanted.request_id
        or wanted.causation_id
    )


def count_rows(snapshot: Snapshot, wanted: MessageFilter) -> int:
    """How many messages match a filter of which `rows_decide` is true."""
    with snapshot.source.reading():
        return _count_rows(snapshot, wanted)


def _count_rows(snapshot: Snapshot, wanted: MessageFilter) -> int:
    sieve = make_sieve(snapshot, wanted)
    if sieve is None:
        return 0
    if (sieve.session, sieve.is_command, sieve.types, sieve.streams) == (None,) * 4:
        snapshot.source.index.row(sieve.last)  # that it is there is not only a claim of the hint
        return sieve.last - sieve.first + 1
    windows = passing_windows(snapshot, sieve, backwards=False)
    return sum(len(positions) for _, _, positions in windows)


def count_rows_by(
    snapshot: Snapshot,
    group: Literal["type", "stream", "session", "kind", "hour", "day"],
    wanted: MessageFilter,
    zone: tzinfo,
) -> Counter[str]:
    """Counts per group of the messages that match a filter of which `rows_decide` is true."""
    with snapshot.source.reading():
        return _count_rows_by(snapshot, group, wanted, zone)


def _count_rows_by(
    snapshot: Snapshot,
    group: Literal["type", "stream", "session", "kind", "hour", "day"],
    wanted: MessageFilter,
    zone: tzinfo,
) -> Counter[str]:
    sieve = make_sieve(snapshot, wanted)
    raw: Counter[int] = Counter()
    examples: dict[int, int] = {}
    if sieve is not None:
        key_column = _KEY_COLUMNS[group]
        for window, start, positions in passing_windows(snapshot, sieve, backwards=False):
            values = key_column(window)
            keys = [values[position - start] for position in positions]
            raw.update(keys)
            if group == "type":
                for key, position in zip(reversed(keys), reversed(positions), strict=True):
                    if key not in examples:
                        examples[key] = position
    name_of = _namer(snapshot, group, examples, zone)
    named: Counter[str] = Counter()
    for key, count in raw.items():
        named[name_of(key)] += count
    return named


_KEY_COLUMNS: dict[str, Callable[[bytes], list[int]]] = {
    "type": lambda window: column_64(window, TYPE_WORD_64).tolist(),
    "stream": lambda window: column_32(window, STREAM_WORD).tolist(),
    "session": lambda window: column_32(window, SESSION_WORD).tolist(),
    "kind": lambda window: [x & FLAG_COMMAND for x in column_32(window, FLAGS_WORD).tolist()],
    "hour": lambda window: [x // _QUARTER_US for x in column_64(window, TIME_WORD_64).tolist()],
    "day": lambda window: [x // _QUARTER_US for x in column_64(window, TIME_WORD_64).tolist()],
}


def _namer(
    snapshot: Snapshot, group: str, examples: dict[int, int], zone: tzinfo
) -> Callable[[int], str]:
    if group == "type":
        return lambda key: _type_name(snapshot, examples[key])
    if group == "stream":
        return snapshot.source.catalog.stream_id
    if group == "session":
        return lambda number: snapshot.sessions.id_of(number) or NO_SESSION
    if group == "kind":
        return lambda flag: "command" if flag else "event"
    form = "%Y-%m-%dT%H:00" if group == "hour" else "%Y-%m-%d"

    def name(quarter: int) -> str:
        try:
            return to_datetime(quarter * _QUARTER_US).astimezone(zone).strftime(form)
        except (OverflowError, ValueError):
            raise CorruptRecord(INDEX, 0, "the time of a row is none") from None

    return name


def _type_name(snapshot: Snapshot, position: int) -> str:
    row = snapshot.source.index.row(position)
    return snapshot.source.records.fetch(position, row).message.type


def session_counts(
    snapshot: Snapshot, sessions: Sequence[Session], *, recount: bool = False
) -> dict[int, tuple[int, int, int]]:
    """Messages, commands and last position of each session, by number: one pass for all of them.

    Sessions that have ended carry their counts in the log, so only rows since the start of the
    oldest open one are looked at, unless all are to be counted again.
    """
    counts = {session.number: _final(session) for session in sessions}
    still_open = [s for s in sessions if recount or s.end_position is None]
    if not still_open or not snapshot.rows:
        return counts
    first = min(session.start_position for session in still_open) + 1
    messages: Counter[int] = Counter()
    commands: Counter[int] = Counter()
    last: dict[int, int] = {}
    if first <= snapshot.rows:
        every_row = RowSieve(first, snapshot.rows)
        for window, start, _ in passing_windows(snapshot, every_row, backwards=False):
            numbers = column_32(window, SESSION_WORD).tolist()
            flags = column_32(window, FLAGS_WORD).tolist()
            messages.update(numbers)
            commands.update(n for n, f in zip(numbers, flags, strict=True) if f & FLAG_COMMAND)
            last.update(zip(numbers, range(start, start + len(numbers)), strict=True))
    for session in still_open:
        number = session.number
        counts[number] = (messages[number], commands[number], last.get(number, 0))
    return counts


def _final(session: Session) -> tuple[int, int, int]:
    facts = session.final_counts
    return facts.get("messages", 0), facts.get("commands", 0), facts.get("lastPosition", 0)


def session_infos(snapshot: Snapshot, sessions: Sequence[Session]) -> list[SessionInfo]:
    """Sessions with their counts as of the snapshot."""
    with snapshot.source.reading():
        counts = session_counts(snapshot, sessions)
        return [_session_info(snapshot, session, *counts[session.number]) for session in sessions]


def _session_info(
    snapshot: Snapshot, session: Session, messages: int, commands: int, last_position: int
) -> SessionInfo:
    last_us = session.started_us
    if last_position:
        last_us = snapshot.source.index.row(last_position).time_us
    return SessionInfo(
        session_id=session.session_id,
        name=session.name,
        labels=session.labels,
        started_at=to_datetime(session.started_us),
        ended_at=None if session.ended_us is None else to_datetime(session.ended_us),
        status=session.status,
        message_count=messages,
        command_count=commands,
        event_count=messages - commands,
        last_activity=to_datetime(last_us),
    )
