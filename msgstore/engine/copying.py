"""Copying a store, or a beginning of it, into another folder: what backup and restore are made of.

The source is only read, through a snapshot; nobody waits for it. The copy takes the same way as a
save: records go behind the ends of their segments, where nobody looks yet, are synced and read back;
then rows, streams and sessions follow through the journal of the copy, whole commits at a time. So
the copy is a beginning of the source at any moment, whatever interrupts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.disk.lock import FileLock
from msgstore.engine.checkpoint import flush_files
from msgstore.engine.destination import Destination
from msgstore.engine.failures import unavailable
from msgstore.engine.holding import holding
from msgstore.engine.log import walk_frames
from msgstore.engine.records import Located, Records, Stretch
from msgstore.engine.segments import Segments
from msgstore.engine.snapshot import Snapshot
from msgstore.engine.verify import verify
from msgstore.engine.writer import Writer, WriterSettings
from msgstore.format.catalog import decode_catalog_entry
from msgstore.format.frame import frame_length
from msgstore.format.journal import Write
from msgstore.format.names import CATALOG, INDEX, SESSIONS
from msgstore.format.row import ROW_BYTES, decode_row
from msgstore.format.session_log import HEADER_BYTES as SESSIONS_HEADER_BYTES
from msgstore.format.session_log import decode_session_event
from msgstore.model.clock import system_clock_us
from msgstore.model.errors import CorruptRecord, CorruptStore, NotItsBackup, StoreUnavailable

_WINDOW_ROWS = 2048
_COMMIT_ROWS = 32_768
"""Rows that go into one entry of the copy's journal, rounded up to whole commits."""
_STEP_ROWS = 262_144
"""Of a first copy so many rows are completed at a time: what was done is not done again."""
_HEADER_BYTES_MAX = 2048


class Copied(NamedTuple):
    """The copy holds the first `position` messages; `messages` of them, in `bytes`, are new there."""

    position: int
    messages: int
    bytes: int


def copy_store(
    look: Callable[[], Snapshot],
    disk: Disk,
    lock: FileLock,
    *,
    to_position: int | None = None,
    must_be_new: bool = False,
    verify_all: bool = False,
) -> Copied:
    """Brings the copy on `disk` up to the last commit that ends at `to_position` or before it.

    None is where the store ends. On return the copy is on the disk. Raises NotItsBackup, StoreExists,
    StoreLocked, WriteFailed, StoreUnavailable, and CorruptRecord: after damage in the source an
    older copy is what it was.
    """
    destination = Destination(disk, look())
    try:
        destination.check(must_be_new)
        disk.make_folder("")
        with holding(disk, lock):
            with _of_the_copy(disk):
                destination.prepare(must_be_new)
            snapshot = destination.check_source(look())  # nobody can be ahead of it any more
            position = _last_commit_end(snapshot, to_position)
            return _copy(snapshot, destination, position, verify_all)
    except (NotADirectoryError, FileExistsError):
        raise StoreUnavailable(disk.root, "is not a folder") from None
    except OSError as error:
        raise unavailable(disk.root, error) from error


def _copy(snapshot: Snapshot, destination: Destination, position: int, verify_all: bool) -> Copied:
    is_new = not destination.is_whole
    if is_new and not _can_go_on(destination, snapshot, position):
        destination.begin()
    with _writer(destination).exclusive() as writer:
        copy = _Copy(snapshot, writer)
        if not copy.is_earlier(position):
            reason = "what is kept here is not an earlier state of the store"
            raise NotItsBackup(destination.disk.root, reason)
        copied = copy.bring_up(position, _STEP_ROWS if is_new else snapshot.rows + 1)
        if verify_all:
            _verify_all(writer)
        destination.finish()
    return copied


def _last_commit_end(snapshot: Snapshot, position: int | None) -> int:
    """The last position, up to `position`, at which a commit ends; 0 where there is none."""
    if position is None or position >= snapshot.rows:
        return snapshot.rows
    with snapshot.source.reading():
        row = snapshot.source.index.row(position) if position else None
    if row is None or row.ordinal == row.batch_rows - 1:
        return position
    return position - row.ordinal - 1


class _Held(FileLock):
    """Stands for a lock that is held already, and for longer than one change."""

    def __init__(self) -> None:
        super().__init__("", 0)

    def acquire(self, *, shared: bool = False) -> None: ...

    def release(self) -> None: ...


def _writer(destination: Destination) -> Writer:
    return Writer(destination, _Held(), WriterSettings("always", False, system_clock_us))


def _can_go_on(destination: Destination, snapshot: Snapshot, position: int) -> bool:
    """Whether an unfinished copy can be completed: of a damaged one nothing is lost."""
    try:
        with _writer(destination).exclusive() as writer:
            return _Copy(snapshot, writer).is_earlier(position)
    except CorruptRecord:
        return False


def _frame_ending_at(disk: Disk, end: int, known_end: int) -> bytes | None:
    """The session log's frame that ends there; None where it has none, or ends before."""
    if end <= SESSIONS_HEADER_BYTES:
        return None
    for offset, frame in walk_frames(disk, SESSIONS, SESSIONS_HEADER_BYTES, known_end):
        if offset + len(frame) >= end:
            return bytes(frame) if offset + len(frame) == end else b""
    return None


@contextmanager
def _of_the_copy(disk: Disk) -> Iterator[None]:
    """Damage that is met in here is said to be in the copy."""
    try:
        yield
    except CorruptRecord as error:
        error.add_note(f"this is in {disk.root}, not in the store that is copied")
        raise


def _verify_all(writer: Writer) -> None:
    report = verify(writer.snapshot(), None, False)
    if report.findings:
        first = report.findings[0]
        raise CorruptStore(
            f"{writer.source.disk.root}: the copy is damaged in {len(report.findings):,} places,"
            f" first {first.path} at byte {first.offset}: {first.reason}"
        )


class _Copy:
    """One run: everything that is read from the source is checked before it is written."""

    def __init__(self, snapshot: Snapshot, writer: Writer) -> None:
        self._snapshot = snapshot
        self._source = snapshot.source
        self._catalog_end = snapshot.catalog_end
        self._writer = writer
        self._disk = writer.source.disk
        self._records = Records(self._disk, self._source.catalog)
        self._segments = Segments(
            self._disk, self._source.index, self._source.ends, snapshot.store_uuid
        )
        self._bytes = 0

    def is_earlier(self, position: int) -> bool:
        """Whether the copy is a beginning of what it shall be."""
        hint = self._writer.tail.hint
        if hint.rows > position:
            return False
        with self._source.reading():
            row = self._source.index.checked_window(hint.rows, 1) if hint.rows else b""
            event = _frame_ending_at(
                self._source.disk, hint.sessions_end, self._snapshot.sessions_end
            )
        with _of_the_copy(self._disk):
            last_row = self._writer.source.index.checked_window(hint.rows, 1) if hint.rows else b""
            last_event = _frame_ending_at(self._disk, hint.sessions_end, hint.sessions_end)
        return (row, event) == (last_row, last_event)

    def bring_up(self, position: int, step_rows: int) -> Copied:
        """Copies up to `position`, in steps of so many rows."""
        first = done = self._writer.rows
        sessions_before = self._writer.tail.hint.sessions_end
        while True:
            end = self._commit_end(done + step_rows, position)
            self._copy_records(done, end)
            self._check_logs(end)
            self._copy_rows(done, end)
            done = end
            if done == position:
                break
        if done > first or self._writer.tail.hint.sessions_end > sessions_before:
            self._writer.checkpoint()
        return Copied(position, position - first, self._bytes)

    def _commit_end(self, about: int, last: int) -> int:
        """Where the commit ends that holds position `about`, or `last`, where one ends too."""
        if about >= last:
            return last
        with self._source.reading():
            row = self._source.index.row(about)
        return about - row.ordinal + row.batch_rows - 1

    # ------------------------------------------------------------ records

    def _copy_records(self, before: int, end: int) -> None:
        """Puts the records behind `before` in place; on return they are on the disk, and read back."""
        touched = set()
        for located in self._windows(before, end):
            for stretch in self._read_source(located):
                header = self._header_before(stretch)
                self._put(stretch.path, stretch.first.offset - len(header), header + stretch.data)
                touched.add(stretch.path)
        flush_files(self._disk, touched)
        for located in self._windows(before, end):
            with _of_the_copy(self._disk):
                for stretch in self._records.stretches(located):
                    if stretch.first.offset < _HEADER_BYTES_MAX:
                        self._segments.check_header(stretch.stream_id, stretch.first.segment)

    def _windows(self, before: int, end: int) -> Iterator[list[Located]]:
        """The rows of the source behind `before`, up to `end`."""
        index = self._source.index
        for start in range(before + 1, end + 1, _WINDOW_ROWS):
            with self._source.reading():
                window = index.checked_window(start, min(_WINDOW_ROWS, end + 1 - start))
                self._source.check_still_there()
            located = []
            for at in range(0, len(window), ROW_BYTES):
                position = start + at // ROW_BYTES
                row = decode_row(position, window, at)
                assert row is not None, "the window was checked"
                located.append((position, row))
            yield located

    def _read_source(self, located: list[Located]) -> Iterator[Stretch]:
        with self._source.reading():
            yield from self._source.records.stretches(located)

    def _header_before(self, stretch: Stretch) -> bytes:
        """The segment's header, if the stretch begins with the first record behind it."""
        first = stretch.first
        if first.offset >= _HEADER_BYTES_MAX:
            return b""
        with self._source.reading():
            header = self._source.segments.check_header(stretch.stream_id, first.segment)
            if header.first_revision != first.revision:
                return b""
            data = self._source.disk.read(stretch.path, 0, first.offset)
            if frame_length(data) != first.offset:
                raise CorruptRecord(stretch.path, 0, "the header does not lead to the first record")
        return data

    def _put(self, path: str, offset: int, data: bytes) -> None:
        """Writes at the end of a segment; what a copy that was given up left there goes."""
        size = max(0, self._disk.size(path))
        if size < offset:
            with _of_the_copy(self._disk):
                raise CorruptRecord(path, size, "the segment ends too early")
        self._disk.write(path, offset, data)
        if size > offset + len(data):
            self._disk.truncate(path, offset + len(data))
        self._bytes += len(data)

    # ------------------------------------------------------------ rows, streams, sessions

    def _copy_rows(self, before: int, end: int) -> None:
        """Commits the rows behind `before`, with their streams and sessions, and reads them back."""
        begun = self._writer.tail.hint
        done = before
        while done < end:
            upto = self._commit_end(done + _COMMIT_ROWS, end)
            with self._source.reading():
                window = self._source.index.checked_window(done + 1, upto - done)
            self._commit(upto, [Write(INDEX, (done + 1) * ROW_BYTES, window)], upto - done)
            done = upto
        if before == end:
            self._commit(end, [], 0)
        self._read_back(before, end, begun.catalog_end, begun.sessions_end)

    def _commit(self, upto: int, rows: list[Write], count: int) -> None:
        hint = self._writer.tail.hint
        writes = []
        ends = []
        for path, start, frames in (
            (CATALOG, hint.catalog_end, self._streams_until(upto)),
            (SESSIONS, hint.sessions_end, self._events_until(upto)),
        ):
            data = b"".join(frames)
            if data:
                writes.append(Write(path, start, data))
            ends.append(start + len(data))
        writes += rows
        if writes:
            with self._source.reading():
                self._source.check_still_there()
            self._writer.take_over(writes, count, *ends)
            self._bytes += sum(len(write.data) for write in writes)

    def _streams_until(self, position: int) -> Iterator[memoryview]:
        """The catalog's frames of streams that the copy lacks, as of `position`."""
        start = self._writer.tail.hint.catalog_end
        return self._frames(
            CATALOG,
            start,
            self._catalog_end,
            lambda frame: decode_catalog_entry(frame).first_position <= position,
        )

    def _events_until(self, position: int) -> Iterator[memoryview]:
        """The session events that the copy lacks, as of `position`."""
        start = self._writer.tail.hint.sessions_end
        return self._frames(
            SESSIONS,
            start,
            self._snapshot.sessions_end,
            lambda frame: decode_session_event(frame).position <= position,
        )

    def _frames(
        self, path: str, start: int, end: int, belongs: Callable[[memoryview], bool]
    ) -> Iterator[memoryview]:
        with self._source.reading():
            for _, frame in walk_frames(self._source.disk, path, start, end):
                if not belongs(frame):
                    return
                yield frame

    def _check_logs(self, position: int) -> None:
        """Raises CorruptRecord for damage in what is about to be copied besides records."""
        for frames in (self._streams_until(position), self._events_until(position)):
            for _ in frames:
                pass

    def _read_back(self, before: int, end: int, catalog_end: int, sessions_end: int) -> None:
        hint = self._writer.tail.hint
        with _of_the_copy(self._disk):
            for start in range(before + 1, end + 1, _WINDOW_ROWS):
                self._writer.source.index.checked_window(start, min(_WINDOW_ROWS, end + 1 - start))
            for path, first, last in (
                (CATALOG, catalog_end, hint.catalog_end),
                (SESSIONS, sessions_end, hint.sessions_end),
            ):
                for _ in walk_frames(self._disk, path, first, last):
                    pass
