"""Answering a filter: rows are sifted by column, and only what may match is opened.

A filter -> bounds of positions -> rows -> records -> `matches` -> the caller. Nothing is read before
the caller asks, and the first page costs a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from msgstore.engine.index import row_damage
from msgstore.engine.records import Located
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import hash64
from msgstore.format.row import (
    CAUSATION_ID_WORD,
    CORRELATION_ID_WORD,
    FLAG_COMMAND,
    FLAGS_WORD,
    MESSAGE_ID_WORD,
    REQUEST_ID_WORD,
    ROW_BYTES,
    SESSION_WORD,
    STREAM_WORD,
    TYPE_WORD_64,
    column_32,
    column_64,
    decode_row,
    hash32,
)
from msgstore.model.clock import to_us
from msgstore.model.errors import SessionNotFound
from msgstore.model.filter import MessageFilter
from msgstore.model.message import NO_SESSION, MessageType, PositionalMessage

_WINDOW_ROWS_FIRST = 64
_WINDOW_ROWS_MAX = 4096
_FETCH_BYTES_MAX = 4 * 1024 * 1024


@dataclass(slots=True)
class RowSieve:
    """What a filter asks of a row alone. `nothing`: no row can pass."""

    first: int
    last: int
    needles: list[tuple[int, int]] = field(default_factory=list)
    """Words (of 4 bytes) and the hash that must stand there: ids, which are rare."""
    session: int | None = None
    is_command: bool | None = None
    types: frozenset[int] | None = None
    streams: frozenset[int] | None = None

    def positions(self, window: bytes, first_position: int) -> list[int]:
        """The positions in a window of rows that pass, rising."""
        count = len(window) // ROW_BYTES
        if self.needles:
            word, wanted = self.needles[0]
            passing = _find_word(window, word, wanted)
        else:
            passing = list(range(count))
        for word, wanted in self.needles[1:]:
            passing = _keep(passing, column_32(window, word), wanted.__eq__)
        if self.session is not None:
            passing = _keep(passing, column_32(window, SESSION_WORD), lambda x: x == self.session)
        if self.is_command is not None:
            flags = column_32(window, FLAGS_WORD)
            passing = _keep(passing, flags, lambda x: bool(x & FLAG_COMMAND) is self.is_command)
        if self.types is not None:
            passing = _keep(passing, column_64(window, TYPE_WORD_64), self.types.__contains__)
        if self.streams is not None:
            passing = _keep(passing, column_32(window, STREAM_WORD), self.streams.__contains__)
        return [first_position + index for index in passing]


def _keep(passing: list[int], column: memoryview, holds: Callable[[int], bool]) -> list[int]:
    if len(passing) * 4 < len(column):
        return [index for index in passing if holds(column[index])]
    values = column.tolist()
    return [index for index in passing if holds(values[index])]


def _find_word(window: bytes, word: int, wanted: int) -> list[int]:
    """The rows whose 4-byte word is `wanted`: a search for the bytes, then of those in place."""
    needle = wanted.to_bytes(4, "little")
    found = []
    at = window.find(needle)
    while at >= 0:
        if at % ROW_BYTES == word * 4:
            found.append(at // ROW_BYTES)
        at = window.find(needle, at + 1)
    return found


def make_sieve(snapshot: Snapshot, wanted: MessageFilter) -> RowSieve | None:
    """What `wanted` asks of rows, or None where no row can match. Raises CorruptRecord."""
    sieve = RowSieve(max(1, wanted.from_position or 1), snapshot.rows)
    if wanted.to_position is not None:
        sieve.last = min(sieve.last, wanted.to_position)
    if wanted.since is not None:
        sieve.first = max(sieve.first, _first_at(snapshot, to_us(wanted.since)))
    if wanted.until is not None:
        sieve.last = min(sieve.last, _first_at(snapshot, to_us(wanted.until) + 1) - 1)
    for text, word in (
        (wanted.message_id, MESSAGE_ID_WORD),
        (wanted.request_id, REQUEST_ID_WORD),
        (wanted.correlation_id, CORRELATION_ID_WORD),
        (wanted.causation_id, CAUSATION_ID_WORD),
    ):
        if text is not None:
            sieve.needles.append((word, hash32(text)))
    if wanted.kind is not None:
        sieve.is_command = wanted.kind is MessageType.COMMAND
    if wanted.names is not None:
        sieve.types = frozenset(map(hash64, wanted.names))
    if sieve.first > sieve.last:
        return None
    if not _sift_session(snapshot, wanted, sieve) or not _sift_streams(snapshot, wanted, sieve):
        return None
    return sieve if sieve.first <= sieve.last else None


def _first_at(snapshot: Snapshot, time_us: int) -> int:
    """The first position whose time is not before `time_us`: time never decreases, so bisect."""
    low, high = 1, snapshot.rows + 1
    while low < high:
        middle = (low + high) // 2
        if snapshot.source.index.row(middle).time_us < time_us:
            low = middle + 1
        else:
            high = middle
    return low


def _sift_session(snapshot: Snapshot, wanted: MessageFilter, sieve: RowSieve) -> bool:
    if wanted.session_id is None:
        return True
    if wanted.session_id == NO_SESSION:
        sieve.session = 0
        return True
    try:
        session = snapshot.sessions.find(wanted.session_id)
    except SessionNotFound:
        return False
    sieve.session = session.number
    sieve.first = max(sieve.first, session.start_position + 1)
    if session.end_position is not None:
        sieve.last = min(sieve.last, session.end_position)
    return True


def _sift_streams(snapshot: Snapshot, wanted: MessageFilter, sieve: RowSieve) -> bool:
    if wanted.stream_id is not None:
        head = None
        if wanted.matches_stream(wanted.stream_id):
            head = snapshot.source.segments.head(wanted.stream_id, snapshot.rows)
        if head is None:
            return False
        sieve.streams = frozenset([head.row.stream])
        sieve.last = min(sieve.last, head.position)
    elif wanted.stream_pattern is not None:
        sieve.streams = frozenset(
            reference
            for reference, entry in snapshot.source.catalog.entries(
                snapshot.catalog_end, snapshot.rows
            )
            if wanted.matches_stream(entry.stream_id)
        )
        return bool(sieve.streams)
    return True


def select(
    snapshot: Snapshot, wanted: MessageFilter, *, backwards: bool
) -> Iterator[PositionalMessage]:
    """The messages that match, in order of position. Raises CorruptRecord where it meets damage."""
    with snapshot.source.reading():
        sieve = make_sieve(snapshot, wanted)
        if sieve is None:
            return
        for stretch in stretches(_passing_rows(snapshot, sieve, backwards)):
            for stored in snapshot.source.records.fetch_many(stretch):
                if wanted.matches(stored):
                    yield stored


def passing_windows(
    snapshot: Snapshot, sieve: RowSieve, backwards: bool
) -> Iterator[tuple[bytes, int, list[int]]]:
    """Windows of rows with the first position of each, and the positions in it that pass.

    Windows grow, so that who wants a few messages does not pay for many. Every row is checked: a
    damaged one might have passed.
    """
    rows = _WINDOW_ROWS_FIRST
    low, high = sieve.first, sieve.last
    while low <= high:
        count = min(rows, high - low + 1)
        start = high - count + 1 if backwards else low
        window = snapshot.source.index.checked_window(start, count)
        snapshot.source.check_still_there()
        yield window, start, sieve.positions(window, start)
        if backwards:
            high -= count
        else:
            low += count
        rows = min(rows * 4, _WINDOW_ROWS_MAX)


def _passing_rows(snapshot: Snapshot, sieve: RowSieve, backwards: bool) -> Iterator[list[Located]]:
    for window, start, positions in passing_windows(snapshot, sieve, backwards):
        located = []
        for position in reversed(positions) if backwards else positions:
            row = decode_row(position, window, (position - start) * ROW_BYTES)
            if row is None:
                raise row_damage(position)
            located.append((position, row))
        yield located


def stretches(windows: Iterable[list[Located]]) -> Iterator[list[Located]]:
    """Rows to fetch together: those of a window, parted where their records take much memory."""
    for located in windows:
        stretch: list[Located] = []
        size = 0
        for one in located:
            if stretch and size + one[1].length > _FETCH_BYTES_MAX:
                yield stretch
                stretch, size = [], 0
            stretch.append(one)
            size += one[1].length
        if stretch:
            yield stretch
