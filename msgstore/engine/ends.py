"""The witness of where streams end: what the index says, apart from the segments themselves.

A segment that is gone, or cut between two records, looks like a stream that ends there. The rows know
better. What they say is kept in runs (`lookup/`); the rows behind those are looked through.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from threading import RLock

from msgstore.disk.files import Disk
from msgstore.engine.catalog import HEADER_BYTES, Catalog
from msgstore.engine.index import Index, row_damage
from msgstore.engine.runs import RUN_ROWS_MAX, RUN_ROWS_MIN, Run, Runs, all_keys
from msgstore.format.row import (
    ROW_BYTES,
    STREAM_WORD,
    column_32,
    damaged_positions,
    decode_row,
    hash32,
)
from msgstore.model.errors import CorruptRecord

ENDS, NAMES = "ends", "names"
"""Kinds of runs: the last positions of streams by reference, and references by the hash of the id."""
_WINDOW_ROWS = 8192
_LOOKED_THROUGH_MAX = 65_536
"""After so many rows a reader looks whether a writer has made runs of them meanwhile."""


class StreamEnds:
    """The last position of every stream, and the references of stream ids. For several threads."""

    def __init__(self, disk: Disk, index: Index, catalog: Catalog, store_uuid: bytes) -> None:
        self._index = index
        self._catalog = catalog
        self._ends = Runs(disk, index, store_uuid, ENDS)
        self._names = Runs(disk, index, store_uuid, NAMES)
        self._lock = RLock()
        self._looked_at: int | None = None
        """So many rows there were when the runs were looked for; None before the first time."""
        self._start_behind(0)

    def _start_behind(self, rows: int) -> None:
        """Forgets what was looked through; the runs tell of the first `rows`."""
        self._seen = rows
        self._last: dict[int, int] = {}
        self._catalog_seen: tuple[int, int] | None = None
        """How many streams the runs and `_references` know, and where in the catalog these end."""
        self._references: dict[str, int] = {}
        self._walked_rows = -1
        """What `_walk_catalog` was last asked for: it is asked again and again."""

    # ------------------------------------------------------------ asking

    def last_position(self, stream: int, rows: int) -> int:
        """The last position of a stream, named by its reference, among the first `rows`; 0 for none.

        Raises CorruptRecord.
        """
        with self._lock:
            self._catch_up(rows)
            found = self._find(self._ends, stream, newest_only=True)
            position = max([self._last.get(stream, 0), *found])
        if position == 0 or (position <= rows and self._names_stream(position, stream)):
            return position
        # The caller sees the store as it was before that message; or its row is damaged.
        return self._index.last_of(stream, min(rows, position - 1))

    def _names_stream(self, position: int, stream: int) -> bool:
        row = self._index.read(position)
        return row is not None and row.stream == stream

    def reference_of(self, stream_id: str, rows: int) -> int | None:
        """How rows name a stream that has a message among the first `rows`; None for no such stream.

        Raises CorruptRecord.
        """
        with self._lock:
            self._catch_up(rows)
            self._walk_catalog(rows)
            found: list[int] = []
            if stream_id not in self._references:
                found = self._find(self._names, hash32(stream_id))
            if stream_id in self._references:  # also if a run turned out to be bad just now
                found = [self._references[stream_id]]
        for reference in found:
            entry = self._catalog.entry(reference)
            if entry.stream_id == stream_id and entry.first_position <= rows:
                return reference
        return None

    def _find(self, runs: Runs, high: int, *, newest_only: bool = False) -> list[int]:
        while (found := runs.find(high, newest_only=newest_only)) is None:
            seen = self._seen
            self._look_again(seen)
            self._look_through(seen)
            self._walk_catalog(seen)
        return found

    # ------------------------------------------------------------ the rows behind the runs

    def _catch_up(self, rows: int) -> None:
        if self._looked_at is None or rows - self._looked_at > _LOOKED_THROUGH_MAX:
            self._look_again(rows)
        self._look_through(rows)

    def _look_again(self, rows: int) -> None:
        """Writers make runs and merge them; what these tell of need not be kept here."""
        self._looked_at = None
        self._ends.look_again()
        self._names.look_again()
        self._start_behind(self._ends.covered)
        self._looked_at = rows

    def _look_through(self, rows: int) -> None:
        """The rows from those seen up to `rows`, unchecked: an answer is checked where it is given."""
        for window, first in self._windows(self._seen, rows):
            self._last.update(_ends_of(window, first))
        self._seen = max(self._seen, rows)

    def _windows(self, after: int, rows: int) -> Iterator[tuple[bytes, int]]:
        """Raises CorruptRecord where there are no rows at all, though the hint claims them by the million."""
        for first in range(after + 1, rows + 1, _WINDOW_ROWS):
            count = min(_WINDOW_ROWS, rows + 1 - first)
            window = self._index.window(first, count)
            samples = (0, count // 2, count - 1)
            if count == _WINDOW_ROWS and not any(
                decode_row(first + at, window, at * ROW_BYTES) for at in samples
            ):
                raise row_damage(first)
            yield window, first

    def _walk_catalog(self, rows: int) -> None:
        """The streams among the first `rows` that were not seen yet."""
        if rows == self._walked_rows:
            return  # as for every new stream of one commit
        known, start = self._catalog_seen or self._catalog_start()
        count = self._streams_at(rows)
        for reference, entry, end in self._catalog.behind(start, max(0, count - known)):
            self._references[entry.stream_id] = reference
            known, start = known + 1, end
        self._catalog_seen = known, start
        self._walked_rows = rows

    def _catalog_start(self) -> tuple[int, int]:
        return self._streams_at(self._names.covered), self._names.mark or HEADER_BYTES

    def _streams_at(self, rows: int) -> int:
        """How many streams have a message among the first `rows`."""
        return self._index.row(rows).streams if rows else 0

    # ------------------------------------------------------------ making runs

    def seal(self, rows: int) -> None:
        """Makes runs of the first `rows`, where enough of them have none.

        Called under the writers' lock, with rows that are on the disk for good. Runs only save time:
        what cannot be made now, for want of room say, is made later.
        """
        with self._lock, suppress(OSError, CorruptRecord):
            if rows - min(self._ends.covered, self._names.covered) < RUN_ROWS_MIN:
                return
            try:
                self._look_again(rows)
                while rows - self._ends.covered >= RUN_ROWS_MIN:
                    self._seal_ends(min(rows, self._ends.covered + RUN_ROWS_MAX))
                while rows - self._names.covered >= RUN_ROWS_MIN:
                    self._seal_names(min(rows, self._names.covered + RUN_ROWS_MAX))
            finally:
                self._looked_at = None  # the runs are others now, also where not all could be made

    def _seal_ends(self, last: int) -> None:
        ends: dict[int, int] = {}
        for window, first in self._windows(self._ends.covered, last):
            ends.update(_ends_of(window, first, set(damaged_positions(window, first))))
        keys = [stream << 32 | position for stream, position in ends.items()]
        self._ends.add(last, [array("Q", sorted(keys))], _last_of_each)

    def _seal_names(self, last: int) -> None:
        known, start = self._catalog_start()
        keys = []
        for reference, entry, end in self._catalog.behind(start, self._streams_at(last) - known):
            keys.append(hash32(entry.stream_id) << 32 | reference)
            start = end
        self._names.add(last, [array("Q", sorted(keys))], mark=start)


def _ends_of(window: bytes, first: int, damaged: Collection[int] = ()) -> dict[int, int]:
    """The last position of each stream in a window of rows."""
    streams = column_32(window, STREAM_WORD).tolist()
    pairs = zip(streams, range(first, first + len(streams)), strict=True)
    if damaged:
        return {stream: position for stream, position in pairs if position not in damaged}
    return dict(pairs)


def _last_of_each(merged: Sequence[Run]) -> Iterable[array[int]]:
    """Of several keys of one stream the highest."""
    for keys in all_keys(merged):
        yield array("Q", sorted({key >> 32: key for key in keys}.values()))
