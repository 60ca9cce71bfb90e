"""The global index: one row per position. Readers see whole commits only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgstore.disk.files import Disk
from msgstore.format.names import INDEX
from msgstore.format.row import (
    ROW_BYTES,
    STREAM_WORD,
    Row,
    column_32,
    decode_index_header,
    decode_row,
    first_damaged,
)
from msgstore.model.errors import CorruptRecord

_BATCH_WINDOW_ROWS = 1024
_FIND_WINDOW_ROWS = 8192


class Index:
    """Rows by position. Every row that is looked at is checked."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def row_count(self) -> int:
        """Whole rows in the file, visible or not."""
        return max(0, self._disk.size(INDEX) // ROW_BYTES - 1)

    def read(self, position: int) -> Row | None:
        """The row at `position`, or None where there is no whole one."""
        if position < 1:
            return None
        return decode_row(position, self._disk.read(INDEX, position * ROW_BYTES, ROW_BYTES))

    def row(self, position: int) -> Row:
        """The row at a visible position. Raises CorruptRecord."""
        row = self.read(position)
        if row is None:
            raise row_damage(position)
        return row

    def window(self, first_position: int, count: int) -> bytes:
        """The bytes of `count` visible rows, unchecked. Raises CorruptRecord if they are not there."""
        window = self._disk.read(INDEX, first_position * ROW_BYTES, count * ROW_BYTES)
        if len(window) != count * ROW_BYTES:
            missing = first_position + len(window) // ROW_BYTES
            raise CorruptRecord(
                INDEX, missing * ROW_BYTES, "the index ends too early", position=missing
            )
        return window

    def checked_window(self, first_position: int, count: int) -> bytes:
        """The bytes of `count` visible rows. Raises CorruptRecord if one of them is not whole."""
        window = self.window(first_position, count)
        damaged = first_damaged(window, first_position)
        if damaged is not None:
            raise row_damage(damaged)
        return window

    def first_of(
        self,
        stream: int,
        after: int,
        rows: int,
        is_wanted: Callable[[Row], bool] = lambda row: True,
    ) -> tuple[int, Row] | None:
        """The stream's first row behind position `after`, among the first `rows`, that is wanted.

        A stream is named by its reference. Scans the index: for when a segment is not what it should
        be. Raises CorruptRecord.
        """
        for start in range(after + 1, rows + 1, _FIND_WINDOW_ROWS):
            window = self.checked_window(start, min(_FIND_WINDOW_ROWS, rows + 1 - start))
            for at, found in enumerate(column_32(window, STREAM_WORD)):
                if found == stream and is_wanted(row := self.row(start + at)):
                    return start + at, row
        return None

    def last_of(self, stream: int, rows: int) -> int:
        """The stream's last position among the first `rows`, 0 for none: by scanning backwards.

        Damaged rows are passed over.
        """
        end = rows
        while end > 0:
            start = max(1, end + 1 - _FIND_WINDOW_ROWS)
            window = self.window(start, end + 1 - start)
            for at, found in reversed(list(enumerate(column_32(window, STREAM_WORD)))):
                if found == stream and decode_row(start + at, window, at * ROW_BYTES):
                    return start + at
            end = start - 1
        return 0

    def last_complete(self, known_rows: int) -> int:
        """The last position of the last whole commit, given that `known_rows` are whole.

        Raises CorruptRecord where the file holds fewer than that.
        """
        rows = self.row_count()
        if rows < known_rows:
            reason = f"the index holds {rows} rows where {known_rows} were written"
            raise CorruptRecord(INDEX, (rows + 1) * ROW_BYTES, reason, position=rows + 1)
        while known_rows < rows and (batch := self._batch_after(known_rows, rows)):
            known_rows += batch
        return known_rows

    def _batch_after(self, before: int, rows: int) -> int:
        """How many rows the whole commit after position `before` has; 0 where there is none."""
        first = self.read(before + 1)
        if first is None or first.ordinal != 0 or before + first.batch_rows > rows:
            return 0
        start = count = 0
        while start < first.batch_rows:
            # Windows grow: a row may claim a commit of any size.
            count = min(max(16, 4 * count), _BATCH_WINDOW_ROWS, first.batch_rows - start)
            window = self._disk.read(INDEX, (before + 1 + start) * ROW_BYTES, count * ROW_BYTES)
            for ordinal in range(start, start + count):
                row = decode_row(before + 1 + ordinal, window, (ordinal - start) * ROW_BYTES)
                if row is None or (row.ordinal, row.batch_rows, row.sequence) != (
                    ordinal,
                    first.batch_rows,
                    first.sequence,
                ):
                    return 0
            start += count
        return first.batch_rows

    def batches_after(self, rows: int) -> Iterator[Row]:
        """The first row of every whole commit behind position `rows`, with gaps between them or none."""
        end = self.row_count()
        for start in range(rows + 1, end + 1, _FIND_WINDOW_ROWS):
            count = min(_FIND_WINDOW_ROWS, end + 1 - start)
            window = self._disk.read(INDEX, start * ROW_BYTES, count * ROW_BYTES)
            if not window.strip(b"\0"):
                continue
            for position in range(start, start + len(window) // ROW_BYTES):
                row = decode_row(position, window, (position - start) * ROW_BYTES)
                if row and row.ordinal == 0 and self._batch_after(position - 1, end):
                    yield row

    def header_problem(self, store_uuid: bytes) -> str | None:
        """What is wrong with the file's header, or None."""
        if self._disk.size(INDEX) < 0:
            return "the file is missing"
        found = decode_index_header(self._disk.read(INDEX, 0, ROW_BYTES))
        if found is None:
            return "the header is damaged"
        return None if found == store_uuid else "the file belongs to another store"


def row_damage(position: int) -> CorruptRecord:
    return CorruptRecord(INDEX, position * ROW_BYTES, "the index row is damaged", position=position)
