"""Which rows may hold an id: message, request, correlation or causation id, by its hash.

Sorted runs (`lookup/`) tell of the rows up to a checkpoint; the columns of the few thousand rows behind
them are kept in memory. What is found is a hint to look at the row and the record. What neither tells
of, for a run is missing or a row damaged, is said to be so, and its rows are looked through.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from threading import RLock
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.index import Index
from msgstore.engine.runs import RUN_ROWS_MIN, BadRun, Run, Runs
from msgstore.format.id_key import (
    ID_COLUMNS,
    ID_POSITION_MAX,
    from_doubles,
    id_key,
    id_keys,
    position_of,
    to_double,
    to_doubles,
)
from msgstore.format.row import ROW_BYTES, column_32, first_damaged, hash32
from msgstore.model.errors import CorruptRecord

IDS = "ids"
_WINDOW_ROWS = 8192
_RUN_ROWS_MAX = 4_194_304
_SEALED_AT_ONCE = 131_072
"""A checkpoint makes runs of so many rows at most, that no save waits long for an old store's."""
_TAIL_ROWS_MAX = 65_536
"""So many rows behind the runs are kept in memory, 16 bytes each; more are looked through."""
_LOOK_AGAIN_ROWS = 16_384
"""After so many new rows it is asked whether a writer has made runs of them."""
_LOOKED_THROUGH_TIMES = 4
"""Who asks oftener than this has the rows behind the runs sorted in memory."""
_SORTED_AT_ONCE = 4096
COUNT_MAX = 4096
_MERGED_FENCES = 512
"""A merge has about so many blocks in memory at a time."""


class Found(NamedTuple):
    """What is known of the rows from `first` to `last`."""

    first: int
    last: int
    positions: list[int] | None
    """Those that may hold the id, rising; None where the rows have to be looked through."""


class Ids:
    """Candidates for ids. For several threads."""

    def __init__(self, disk: Disk, index: Index, store_uuid: bytes) -> None:
        self._index = index
        self._runs = Runs(disk, index, store_uuid, IDS, _RUN_ROWS_MAX)
        self._tail = _Tail(index)
        self._looked_at: int | None = None
        """The last row when the runs were looked for; None before the first time."""
        self._lock = RLock()

    # ------------------------------------------------------------ asking

    def look(
        self,
        word: int,
        hash_32: int,
        first: int,
        last: int,
        count_max: int = COUNT_MAX,
        *,
        backwards: bool = False,
    ) -> Found:
        """Where a hash stands in a column of the rows from `first` to `last`, or of some of them.

        These are the first of the rows, or the last when asked `backwards`, up to about the one
        where `count_max` positions are found; the caller asks again for the rest. All of the rows
        must be visible. Raises CorruptRecord.
        """
        with self._lock:
            if self._looked_at is None or last - self._looked_at > _LOOK_AGAIN_ROWS:
                self._look_again(last)
            while True:
                try:
                    self._tail.load(last)
                    return self._look(word, hash_32, first, last, count_max, backwards)
                except BadRun as error:
                    self._look_again(last, error)
                except FileNotFoundError:
                    self._look_again(last)

    def candidates(self, word: int, text: str, rows: int) -> list[int]:
        """The positions among the first `rows` that may hold this id, rising. Raises CorruptRecord.

        For a writer, who asks often: where runs are missing, rows are looked through only once.
        """
        with self._lock:
            if self._looked_at is None:
                self._look_again(rows)
            self._tail.load(rows, rows)
        found: list[int] = []
        first, hash_32 = 1, hash32(text)
        while first <= rows:
            part = self.look(word, hash_32, first, rows)
            found += self._looked_through(word, hash_32, part)
            first = part.last + 1
        return found

    def _looked_through(self, word: int, hash_32: int, part: Found) -> Iterable[int]:
        if part.positions is not None:
            yield from part.positions
            return
        for first in range(part.first, part.last + 1, _WINDOW_ROWS):
            count = min(_WINDOW_ROWS, part.last + 1 - first)
            column = column_32(self._index.checked_window(first, count), word).tobytes()
            yield from (first + at for at in words_in(column, hash_32))

    def seal_for_writer(self, rows: int) -> None:
        """Makes all runs of the first `rows` at once where very many rows have none."""
        with self._lock:
            if rows - self._runs.covered <= _TAIL_ROWS_MAX:
                return
            while rows - (covered := self._runs.covered) >= RUN_ROWS_MIN:
                self.seal(rows)
                if self._runs.covered <= covered:
                    break  # no room, or a damaged row

    def forget_behind(self, rows: int) -> None:
        """Called under the writers' lock: behind `rows` there is nothing, whatever was seen there."""
        with self._lock:
            if self._tail.last > rows:
                self._looked_at = None

    def _look_again(self, last: int, bad: BadRun | None = None) -> None:
        """Writers make runs and merge them; what these tell of need not be kept here."""
        self._looked_at = None
        self._runs.look_again()
        if bad is not None:
            self._runs.distrust(bad)
        self._tail.start_behind(self._runs.covered)
        self._looked_at = last

    def _look(
        self, word: int, hash_32: int, first: int, last: int, count_max: int, backwards: bool
    ) -> Found:
        if backwards:
            return self._look_back(word, hash_32, first, last, count_max)
        found: list[int] = []
        if first < self._tail.first:
            low = id_key(word, hash_32, first)
            high = id_key(word, hash_32, min(last, ID_POSITION_MAX))
            for run in self._runs.chain:
                if run.last_row >= first and (keys := run.between(low, high, count_max)):
                    found += map(position_of, keys)
                    if len(found) >= count_max:
                        return Found(first, found[-1], found)
        behind = max(first, self._tail.first)
        end = min(last, self._tail.last)
        if behind <= end:
            found += self._tail.positions(word, hash_32, behind, end)
            behind = end + 1
        if first < behind:
            return Found(first, min(last, behind - 1), found)
        return Found(first, last, None)

    def _look_back(self, word: int, hash_32: int, first: int, last: int, count_max: int) -> Found:
        found: list[int] = []
        if last > self._tail.last:
            return Found(max(first, self._tail.last + 1), last, None)
        if last >= self._tail.first:
            start = max(first, self._tail.first)
            found = self._tail.positions(word, hash_32, start, last)
            if len(found) >= count_max:
                return Found(start, last, found)
        low = id_key(word, hash_32, first)
        high = id_key(word, hash_32, min(last, ID_POSITION_MAX))
        for run in reversed(self._runs.chain):
            if run.first_row > last:
                continue
            keys = run.between(low, high, count_max, backwards=True)
            found = [*map(position_of, keys), *found]
            if len(found) >= count_max:
                return Found(found[0], last, found)
            if run.first_row <= first:
                break
        return Found(first, last, found)

    # ------------------------------------------------------------ making runs

    def seal(self, rows: int) -> None:
        """Makes runs of the first `rows`, where enough of them have none; of some at a time.

        Called under the writers' lock, with rows that are on the disk for good. Runs only save time:
        what cannot be made now, for want of room say, is made later.
        """
        rows = min(rows, ID_POSITION_MAX)
        with self._lock, suppress(OSError, CorruptRecord):
            if rows - self._runs.covered < RUN_ROWS_MIN:
                return
            try:
                self._runs.look_again()
                covered = self._runs.covered
                last, keys = self._keys_of(covered, min(rows, covered + _SEALED_AT_ONCE))
                if last - covered >= RUN_ROWS_MIN:
                    self._runs.add(last, keys, merged)
            finally:
                self._looked_at = None  # the runs are others now, also where not all could be made

    def _keys_of(self, after: int, last: int) -> tuple[int, Iterable[array[int]]]:
        """The keys of the rows behind `after`, up to `last` or to a damaged row, which has none."""
        columns: list[list[float]] = [[] for _ in ID_COLUMNS]
        for first in range(after + 1, last + 1, _WINDOW_ROWS):
            window = self._index.window(first, min(_WINDOW_ROWS, last + 1 - first))
            damaged = first_damaged(window, first)
            if damaged is not None:
                window, last = window[: (damaged - first) * ROW_BYTES], damaged - 1
            for doubles, word in zip(columns, ID_COLUMNS, strict=True):
                doubles += id_keys(column_32(window, word), first, word)
            if damaged is not None:
                break
        for doubles in columns:
            doubles.sort()
        return last, map(from_doubles, columns)


class _Tail:
    """The columns of the rows behind the runs, from `first` to `last`. Each row has been checked."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.start_behind(0)

    def start_behind(self, position: int) -> None:
        """Keeps nothing of what was loaded."""
        self.first = position + 1
        self.last = position
        self._ends_here = False
        self._columns = {word: bytearray() for word in ID_COLUMNS}
        self._sorted: dict[int, tuple[int, array[int]]] = {}
        """The last row whose key is among these, and the keys, for columns that are often asked."""
        self._asked = 0

    def load(self, last: int, rows_max: int | None = None) -> None:
        """The rows up to `last`, or up to one that is damaged, or to none where they are too many."""
        if self._ends_here or last - self.first >= (rows_max or _TAIL_ROWS_MAX):
            return
        while self.last < last and not self._ends_here:
            first = self.last + 1
            window = self._index.window(first, min(_WINDOW_ROWS, last + 1 - first))
            damaged = first_damaged(window, first)
            if damaged is not None:
                self._ends_here = True
                window = window[: (damaged - first) * ROW_BYTES]
            known_bytes = (first - self.first) * 4
            for word, column in self._columns.items():
                column[known_bytes:] = column_32(window, word).tobytes()  # also after an interrupt
            self.last += len(window) // ROW_BYTES

    def positions(self, word: int, hash_32: int, first: int, last: int) -> list[int]:
        """All positions from `first` to `last` that may hold the id, rising."""
        found: list[int] = []
        self._asked += 1
        if self._asked > _LOOKED_THROUGH_TIMES:
            end, keys = self._sort(word)
            low, high = id_key(word, hash_32, first), id_key(word, hash_32, last)
            found = [position_of(key) for key in _slice(keys, low, high)]
            first = max(first, end + 1)
        places = words_in(self._columns[word], hash_32, first - self.first, last - self.first)
        found += [self.first + place for place in places]
        return found

    def _sort(self, word: int) -> tuple[int, array[int]]:
        """The keys of a column up to nearly its last row, made when there are enough more of them."""
        end, keys = self._sorted.get(word, (self.first - 1, array("Q")))
        if self.last - end >= _SORTED_AT_ONCE:
            hashes = memoryview(self._columns[word]).cast("I")[end + 1 - self.first :]
            doubles = to_doubles(keys) + id_keys(hashes, end + 1, word)
            hashes.release()
            doubles.sort()
            self._sorted[word] = end, keys = self.last, from_doubles(doubles)
        return end, keys


def _slice(keys: array[int], low: int, high: int) -> array[int]:
    return keys[bisect_left(keys, low) : bisect_right(keys, high)]


def merged(runs: Sequence[Run]) -> Iterator[array[int]]:
    """All keys of some runs: a stretch of keys at a time, so that it takes little memory."""
    fences = sorted(fence for run in runs for fence in run.fences)
    readers = [_Reader(run) for run in runs]
    for cut in (*fences[_MERGED_FENCES::_MERGED_FENCES], None):
        doubles = [double for reader in readers for double in reader.below(cut)]
        doubles.sort()
        yield from_doubles(doubles)


class _Reader:
    """A run's keys, taken from its front."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._block = 0
        self._pending: list[float] = []

    def below(self, key: int | None) -> list[float]:
        """The keys below this one that were not taken yet; all for None."""
        fences = self._run.fences
        block = len(fences) if key is None else bisect_left(fences, key, self._block)
        if block > self._block:
            self._pending += to_doubles(self._run.keys_of(self._block, block - 1))
            self._block = block
        end = len(self._pending) if key is None else bisect_left(self._pending, to_double(key))
        taken, self._pending = self._pending[:end], self._pending[end:]
        return taken


def words_in(
    column: bytes | bytearray, wanted: int, first: int = 0, last: int | None = None
) -> Iterator[int]:
    """Which of the 4-byte words of a column, from `first` to `last`, are the wanted one, rising."""
    needle = wanted.to_bytes(4, "little")
    end = len(column) if last is None else (last + 1) * 4
    at = column.find(needle, first * 4, end)
    while at >= 0:
        if at % 4 == 0:
            yield at // 4
        at = column.find(needle, at + (4 if at % 4 == 0 else 1), end)
