"""What stands in the files, as it stands there: nothing is recovered, locked or believed."""

from __future__ import annotations

from collections.abc import Iterator

from msgstore.disk.files import Disk
from msgstore.engine.catalog import Catalog
from msgstore.engine.index import Index
from msgstore.engine.journal import read_slots
from msgstore.engine.records import Records
from msgstore.engine.segments import RECORD_BYTES_MAX
from msgstore.format.annotate import (
    Annotation,
    annotate_entry,
    annotate_hint,
    annotate_row,
    annotate_slot,
)
from msgstore.format.annotate_frame import annotate_frame
from msgstore.format.frame import FRAME_BYTES_MIN, HEAD, frame_length
from msgstore.format.hint import LOCK_FILE_BYTES
from msgstore.format.journal import (
    ENTRIES_START,
    ENTRY_ALIGNMENT,
    ENTRY_HEAD_BYTES,
    ENTRY_MAGIC,
    SLOT_BYTES,
    SLOT_STRIDE,
    decode_entry_head,
    padded_length,
)
from msgstore.format.names import (
    INDEX,
    JOURNAL,
    LOCK,
    QUARANTINE,
    is_data_path,
    segment_path,
)
from msgstore.format.row import (
    MESSAGE_ID_WORD,
    ROW,
    ROW_BYTES,
    Row,
    column_32,
    decode_row,
    hash32,
)
from msgstore.model.errors import CorruptRecord, InvalidArgument, StoreUnavailable
from msgstore.model.values import check_text

_FRAME_GUESS_BYTES = 4096
_WINDOW_ROWS = 8192


class Dumper:
    """Reads raw files through `disk`. Raises StoreUnavailable where a file is not there."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._index = Index(disk)
        self._catalog = Catalog(disk)

    # ------------------------------------------------------------ messages

    def row(self, position: int) -> Annotation:
        """The index row of a position, whole or not. Raises InvalidArgument."""
        rows = max(0, self._size(INDEX) // ROW_BYTES - 1)
        if not 1 <= position <= rows:
            raise InvalidArgument("position", f"{position}: the index holds {rows:,} rows")
        data = self._disk.read(INDEX, position * ROW_BYTES, ROW_BYTES)
        return annotate_row(data, position, INDEX, position * ROW_BYTES)

    def record(self, position: int) -> Annotation:
        """The record that the row of a position leads to, and whether it is what the row says."""
        row_is_whole = not self.row(position).problems
        data = self._disk.read(INDEX, position * ROW_BYTES, ROW_BYTES)
        row = Row._make(ROW.unpack(data)[1:])
        problems = [] if row_is_whole else ["the index row is damaged, and may lead anywhere"]
        try:
            path = segment_path(self._catalog.stream_id(row.stream), row.segment)
        except CorruptRecord as error:
            problems.append(f"the index row leads to no stream: {error}")
            return Annotation("record", INDEX, position * ROW_BYTES, [], problems)
        if self._disk.size(path) < 0:
            return Annotation("record", path, row.offset, [], [*problems, "the segment is missing"])
        out = annotate_frame(self._frame_bytes(path, row.offset, row.length), path, row.offset)
        said = {"crc": row.record_crc, "length": row.length, "revision": row.revision}
        for name, value in {**said, "position": position}.items():
            if out.value_of(name) != value:
                problems.append(f"{name}: the index row says {value}")
        out.problems = problems + out.problems
        return out

    def position_of(self, message_id: str) -> int | None:
        """Where a message with this id stands; damaged rows and records are passed over.

        Raises InvalidText for what is the id of none.
        """
        wanted, records = (
            hash32(check_text(message_id, "message_id")),
            Records(self._disk, self._catalog),
        )
        rows = self._size(INDEX) // ROW_BYTES - 1
        for start in range(1, rows + 1, _WINDOW_ROWS):
            window = self._index.window(start, min(_WINDOW_ROWS, rows + 1 - start))
            for at, found in enumerate(column_32(window, MESSAGE_ID_WORD).tolist()):
                row = decode_row(start + at, window, at * ROW_BYTES) if found == wanted else None
                if row is not None and self._has_id(records, start + at, row, message_id):
                    return start + at
        return None

    def _has_id(self, records: Records, position: int, row: Row, message_id: str) -> bool:
        try:
            return records.fetch(position, row).message.id == message_id
        except CorruptRecord:
            return False

    def frame(self, path: str, offset: int) -> Annotation:
        """The frame at a place of a segment, the catalog, the session log or what was set aside."""
        folder, _, name = path.rpartition("/")
        is_kept = folder == QUARANTINE and name not in ("", ".", "..")
        if path == INDEX or not (is_data_path(path) or is_kept):
            raise InvalidArgument("path", f"{path!r} is no file of frames in a store")
        size = self._size(path)
        if offset >= size:
            raise InvalidArgument("offset", f"{offset}: {path} has {size:,} bytes")
        return annotate_frame(self._frame_bytes(path, offset, 0), path, offset)

    def _frame_bytes(self, path: str, offset: int, length: int) -> bytes:
        """As many bytes as the frame claims to have, if that is possible; else `length`, or some."""
        head = self._disk.read(path, offset, HEAD.size)
        claimed = frame_length(head) if len(head) == HEAD.size else 0
        if not FRAME_BYTES_MIN <= claimed <= RECORD_BYTES_MAX:
            claimed = min(length, RECORD_BYTES_MAX) or _FRAME_GUESS_BYTES
        return self._disk.read(path, offset, claimed)

    # ------------------------------------------------------------ journal and hint

    def hint(self) -> Annotation:
        self._size(LOCK)
        return annotate_hint(self._disk.read(LOCK, 0, LOCK_FILE_BYTES), LOCK)

    def journal(self) -> Iterator[Annotation]:
        """Both slots, then every entry, also those that earlier generations left behind the end."""
        yield from self._slots()
        for number, entry in enumerate(self._entries(), 1):
            entry.what = f"{entry.what} {number}"
            yield entry

    def entry(self, number: int) -> Annotation:
        """The entry of the journal that `journal` calls by this number. Raises InvalidArgument."""
        found = 0
        for found, entry in enumerate(self._entries(), 1):
            if found == number:
                entry.what = f"{entry.what} {number}"
                return entry
        raise InvalidArgument("entry", f"{number}: the journal holds {found:,} entries")

    def _slots(self) -> Iterator[Annotation]:
        self._size(JOURNAL)
        for offset in (0, SLOT_STRIDE):
            yield annotate_slot(self._disk.read(JOURNAL, offset, SLOT_BYTES), JOURNAL, offset)

    def _entries(self) -> Iterator[Annotation]:
        size = self._size(JOURNAL)
        slots = read_slots(self._disk)
        present = (slots[-1].generation, slots[-1].salt) if slots else None
        offset = ENTRIES_START
        while offset < size:
            start = self._disk.read(JOURNAL, offset, ENTRY_HEAD_BYTES)
            head = decode_entry_head(start)
            if head is None and start[:4] != ENTRY_MAGIC.to_bytes(4, "little"):
                offset += ENTRY_ALIGNMENT
                continue
            data = self._disk.read(JOURNAL, offset, head.length if head else ENTRY_HEAD_BYTES)
            entry = annotate_entry(data, JOURNAL, offset)
            offset += padded_length(head.length) if head and not entry.problems else ENTRY_ALIGNMENT
            if present and (entry.value_of("generation"), entry.value_of("salt")) != present:
                entry.what = "left over entry"
                entry.problems.clear()  # it counts no more, whole or not
            yield entry

    def _size(self, path: str) -> int:
        size = self._disk.size(path)
        if size < 0:
            raise StoreUnavailable(self._disk.root, f"has no file {path}")
        return size
