"""Answering a filter: rows are sifted by column, and only what may match is opened.

A filter -> bounds of positions -> rows -> records -> `matches` -> the caller. Nothing is read before
the caller asks, and the first page costs a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgstore.engine.ids import COUNT_MAX, words_in
from msgstore.engine.index import row_damage
from msgstore.engine.records import Located, located
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
    Row,
    column_32,
    column_64,
    damaged_positions,
    decode_row,
    hash32,
)
from msgstore.model.clock import to_us
from msgstore.model.errors import CorruptRecord, OnDamage, SessionNotFound
from msgstore.model.filter import MessageFilter
from msgstore.model.message import NO_SESSION, MessageType, PositionalMessage

_WINDOW_ROWS_FIRST = 64
_WINDOW_ROWS_MAX = 4096
_FETCH_BYTES_MAX = 4 * 1024 * 1024
_ROWS_BETWEEN_MAX = 16
"""So many rows are rather read along than left out."""


@dataclass(slots=True)
class RowSieve:
    """What a filter asks of a row alone. `nothing`: no row can pass."""

    first: int
    last: int
    needles: list[tuple[int, int]] = field(default_factory=list)
    """Words (of 4 bytes) and the hash that must stand there: ids, the rarest kind first."""
    session: int | None = None
    is_command: bool | None = None
    types: frozenset[int] | None = None
    streams: frozenset[int] | None = None

    def passes(self, row: Row) -> bool:
        """Whether this row passes, wherever it stands."""
        return (
            all(row[word] == wanted for word, wanted in self.needles)
            and self.session in (None, row.session)
            and self.is_command in (None, bool(row.flags & FLAG_COMMAND))
            and (self.types is None or row.type in self.types)
            and (self.streams is None or row.stream in self.streams)
        )

    def positions(self, window: bytes, first_position: int) -> list[int]:
        """The positions in a window of rows that pass, rising."""
        count = len(window) // ROW_BYTES
        if self.needles:
            word, wanted = self.needles[0]
            passing = list(words_in(column_32(window, word).tobytes(), wanted))
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


def make_sieve(
    snapshot: Snapshot, wanted: MessageFilter, on_damage: OnDamage | None = None
) -> RowSieve | None:
    """What `wanted` asks of rows, or None where no row can match.

    Raises CorruptRecord; with `on_damage` it goes on where it can, and then more rows may pass.
    """
    tolerant = on_damage is not None
    sieve = RowSieve(max(1, wanted.from_position or 1), snapshot.rows)
    if wanted.to_position is not None:
        sieve.last = min(sieve.last, wanted.to_position)
    if wanted.since is not None:
        sieve.first = max(sieve.first, _time_at(snapshot, to_us(wanted.since), tolerant)[0])
    if wanted.until is not None:
        after = _time_at(snapshot, to_us(wanted.until) + 1, tolerant)[1]
        sieve.last = min(sieve.last, after - 1)
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
    if not _sift_session(snapshot, wanted, sieve):
        return None
    if not _sift_streams(snapshot, wanted, sieve, on_damage):
        return None
    return sieve if sieve.first <= sieve.last else None


def _time_at(snapshot: Snapshot, time_us: int, tolerant: bool) -> tuple[int, int]:
    """The first position whose time is not before `time_us`: time never decreases, so bisect.

    It is both ends of the result, but for damaged rows: then it is somewhere between them.
    """
    index = snapshot.source.index
    low, high = 1, snapshot.rows + 1
    while low < high:
        middle = (low + high) // 2
        row = index.read(middle) if tolerant else index.row(middle)
        position = middle
        if row is None:
            for position in (*range(middle + 1, high), *range(middle - 1, low - 1, -1)):
                if (row := index.read(position)) is not None:
                    break
            else:
                break
        if row.time_us < time_us:
            low = position + 1
        else:
            high = position
    return low, high


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


def _sift_streams(
    snapshot: Snapshot, wanted: MessageFilter, sieve: RowSieve, on_damage: OnDamage | None
) -> bool:
    try:
        if wanted.stream_id is not None:
            return _sift_stream(snapshot, wanted, sieve, tolerant=on_damage is not None)
        if wanted.stream_pattern is not None:
            sieve.streams = frozenset(
                reference
                for reference, entry in snapshot.source.catalog.entries(
                    snapshot.catalog_end, snapshot.rows
                )
                if wanted.matches_stream(entry.stream_id)
            )
            return bool(sieve.streams)
    except CorruptRecord as error:
        if on_damage is None:
            raise
        on_damage(error)  # the catalog's: every record is opened then, and says itself whose it is
    return True


def _sift_stream(
    snapshot: Snapshot, wanted: MessageFilter, sieve: RowSieve, tolerant: bool
) -> bool:
    stream_id = wanted.stream_id
    if stream_id is None or not wanted.matches_stream(stream_id):
        return False
    try:
        head = snapshot.source.segments.head(stream_id, snapshot.rows)
    except CorruptRecord:
        if not tolerant:
            raise
        reference = snapshot.source.reference_of(stream_id, snapshot.rows)
        sieve.streams = frozenset(() if reference is None else (reference,))
        return reference is not None
    if head is None:
        return False
    sieve.streams = frozenset([head.row.stream])
    sieve.last = min(sieve.last, head.position)
    return True


def select(
    snapshot: Snapshot,
    wanted: MessageFilter,
    *,
    backwards: bool,
    on_damage: OnDamage | None = None,
) -> Iterator[PositionalMessage]:
    """The messages that match, in order of position.

    Raises CorruptRecord where it meets damage; with `on_damage` it tells that, and goes on behind:
    then every message comes that has a whole row and a whole record.
    """
    with snapshot.source.reading():
        sieve = make_sieve(snapshot, wanted, on_damage)
        if sieve is None:
            return
        if on_damage is None and wanted.needs_data and not sieve.needles:
            from msgstore.engine.scan import scan  # it stands on this module

            yield from scan(snapshot, sieve, wanted, backwards=backwards)
            return
        rows = _rows_by_id if sieve.needles else _passing_rows
        for stretch in stretches(rows(snapshot, sieve, backwards, on_damage)):
            for stored in _fetch(snapshot, stretch, on_damage):
                if wanted.matches(stored):
                    yield stored


def _fetch(
    snapshot: Snapshot, stretch: list[Located], on_damage: OnDamage | None
) -> Iterator[PositionalMessage]:
    """The records of some rows; where they cannot be read together, one by one to tell which."""
    records = snapshot.source.records
    if on_damage is None:
        yield from records.fetch_many(stretch)
        return
    try:
        yield from list(records.fetch_many(stretch))
        return
    except CorruptRecord:
        snapshot.source.check_still_there()
    for position, row in stretch:
        try:
            stored = records.fetch(position, row)
        except CorruptRecord as error:
            on_damage(located(error, position, row))
        else:
            yield stored


def passing_windows(
    snapshot: Snapshot, sieve: RowSieve, backwards: bool, on_damage: OnDamage | None = None
) -> Iterator[tuple[bytes, int, list[int]]]:
    """Windows of rows with the first position of each, and the positions in it that pass.

    Windows grow, so that who wants a few messages does not pay for many. Every row is checked: a
    damaged one might have passed. `on_damage` is told of each, and none of them passes.
    """
    rows = _WINDOW_ROWS_FIRST
    low, high = sieve.first, sieve.last
    while low <= high:
        count = min(rows, high - low + 1)
        start = high - count + 1 if backwards else low
        index = snapshot.source.index
        damaged: set[int] = set()
        if on_damage is None:
            window = index.checked_window(start, count)
        else:
            window = index.window(start, count)
            damaged.update(damaged_positions(window, start))
        snapshot.source.check_still_there()
        passing = sieve.positions(window, start)
        if on_damage is not None and damaged:
            for position in sorted(damaged, reverse=backwards):
                on_damage(row_damage(position))
            passing = [position for position in passing if position not in damaged]
        yield window, start, passing
        if backwards:
            high -= count
        else:
            low += count
        rows = min(rows * 4, _WINDOW_ROWS_MAX)


def _passing_rows(
    snapshot: Snapshot, sieve: RowSieve, backwards: bool, on_damage: OnDamage | None
) -> Iterator[list[Located]]:
    for window, start, positions in passing_windows(snapshot, sieve, backwards, on_damage):
        rows = []
        for position in reversed(positions) if backwards else positions:
            row = decode_row(position, window, (position - start) * ROW_BYTES)
            if row is None:
                raise row_damage(position)
            rows.append((position, row))
        yield rows


def _rows_by_id(
    snapshot: Snapshot, sieve: RowSieve, backwards: bool, on_damage: OnDamage | None
) -> Iterator[list[Located]]:
    """Only the rows that the runs of ids tell of are looked at; where these cannot tell, all."""
    word, wanted = sieve.needles[0]
    low, high = sieve.first, sieve.last
    count = _WINDOW_ROWS_FIRST
    while low <= high:
        found = snapshot.source.ids.look(word, wanted, low, high, count, backwards=backwards)
        count = min(count * 4, COUNT_MAX)
        if found.positions is None:
            part = replace(sieve, first=found.first, last=found.last)
            yield from _passing_rows(snapshot, part, backwards, on_damage)
        else:
            positions = found.positions[::-1] if backwards else found.positions
            rows = _rows_at(snapshot, positions, on_damage)
            yield [one for one in rows if sieve.passes(one[1])]
        if backwards:
            high = found.first - 1
        else:
            low = found.last + 1


def _rows_at(
    snapshot: Snapshot, positions: Sequence[int], on_damage: OnDamage | None
) -> list[Located]:
    """The rows at some positions, in the order given; those that stand together are read together."""
    rows: list[Located] = []
    for near in _near(positions):
        first = min(near[0], near[-1])
        window = snapshot.source.index.window(first, abs(near[-1] - near[0]) + 1)
        for position in near:
            row = decode_row(position, window, (position - first) * ROW_BYTES)
            if row is not None:
                rows.append((position, row))
            elif on_damage is None:
                raise row_damage(position)
            else:
                on_damage(row_damage(position))
    snapshot.source.check_still_there()
    return rows


def _near(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    """Stretches of positions, rising or falling, with few others between them."""
    start = 0
    for at in range(1, len(positions) + 1):
        if at == len(positions) or abs(positions[at] - positions[at - 1]) > _ROWS_BETWEEN_MAX:
            yield positions[start:at]
            start = at


def stretches(windows: Iterable[list[Located]]) -> Iterator[list[Located]]:
    """Rows to fetch together: those of a window, parted where their records take much memory."""
    for rows in windows:
        stretch: list[Located] = []
        size = 0
        for one in rows:
            if stretch and size + one[1].length > _FETCH_BYTES_MAX:
                yield stretch
                stretch, size = [], 0
            stretch.append(one)
            size += one[1].length
        if stretch:
            yield stretch
