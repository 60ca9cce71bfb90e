"""Looking at everything that is stored, and saying what is damaged instead of raising it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from msgstore.engine.catalog import HEADER_BYTES as CATALOG_HEADER_BYTES
from msgstore.engine.counting import session_counts
from msgstore.engine.failures import words
from msgstore.engine.index import row_damage
from msgstore.engine.journal import entries_of_generation, read_hint, read_slots
from msgstore.engine.query import stretches
from msgstore.engine.records import damaged
from msgstore.engine.segments import StreamHead
from msgstore.engine.snapshot import Snapshot
from msgstore.format.journal import ENTRIES_START, SLOT_STRIDE
from msgstore.format.names import (
    CATALOG,
    INDEX,
    JOURNAL,
    QUARANTINE,
    SESSIONS,
    STREAMS,
    hash64,
    segment_path,
)
from msgstore.format.row import (
    FLAG_COMMAND,
    ROW_BYTES,
    STREAM_WORD,
    Row,
    column_32,
    decode_row,
    hash32,
)
from msgstore.model.clock import to_us
from msgstore.model.errors import CorruptRecord
from msgstore.model.message import NO_SESSION, MessageType, PositionalMessage
from msgstore.model.results import Finding, VerifyReport
from msgstore.model.values import check_text, is_json

_WINDOW_ROWS = 2048
_FINDINGS_MAX = 1000


def verify(snapshot: Snapshot, stream_id: str | None, quick: bool) -> VerifyReport:
    """Checks a snapshot; writers may go on meanwhile. `quick` leaves the records unread.

    Raises InvalidText for a stream id that no stream can have.
    """
    check = _Verification(snapshot)
    if stream_id is not None:
        check.stream(check_text(stream_id, "stream_id"), quick)
    else:
        check.everything(quick)
    return check.report()


@dataclass(slots=True)
class _Stream:
    """What the rows so far say of one stream, by its reference."""

    next_revision: int = 0
    segment: int = 0
    end: int = 0
    full: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """Where each full segment ends, and revision and position of the message that follows."""


@dataclass(slots=True)
class _Verification:
    snapshot: Snapshot
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    messages: int = 0
    stream_count: int = 0
    session_count: int = 0
    bytes_checked: int = 0
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _previous: Row | None = None

    def report(self) -> VerifyReport:
        if len(self.findings) >= _FINDINGS_MAX:
            self.notes.append(f"looked no further than the first {_FINDINGS_MAX:,} findings")
        return VerifyReport(
            self.messages,
            self.stream_count,
            self.session_count,
            self.bytes_checked,
            tuple(self.findings),
            tuple(self.notes),
        )

    # ------------------------------------------------------------ the parts

    def everything(self, quick: bool) -> None:
        self._attempt(self._journal)
        self._attempt(self._catalog)
        for window, start in self._windows():
            self._rows(window, start, quick)
            if len(self.findings) >= _FINDINGS_MAX:
                return
        if not quick:
            self._attempt(self._segment_files)
        self._attempt(self._sessions)
        kept = self.snapshot.source.disk.list(QUARANTINE)
        repairs = [name for name in kept if name.startswith("repair-")]
        if pieces := len(kept) - len(repairs):
            what = "1 piece" if pieces == 1 else f"{pieces:,} pieces"
            self.notes.append(f"{what} that recovery set aside: see {QUARANTINE}/")
        if repairs:
            what = "1 repair" if len(repairs) == 1 else f"{len(repairs):,} repairs"
            self.notes.append(f"the old files of {what} are in {QUARANTINE}/")

    def stream(self, stream_id: str, quick: bool) -> None:
        """One stream, from its first record to its last, each against its row."""
        source, rows = self.snapshot.source, self.snapshot.rows
        try:
            head = source.segments.head(stream_id, rows)
            if head is None:
                self.notes.append("the stream holds no messages")
                return
            self.stream_count = 1
            if quick:
                self._rows_of(head)
                return
            for stored in self.snapshot.read_stream(stream_id, 0, None, backwards=False):
                row = source.index.row(stored.position)
                self._compare(stored, row)
                self.messages += 1
                self.bytes_checked += row.length + ROW_BYTES
        except CorruptRecord as error:
            self._found(error)

    def _rows_of(self, head: StreamHead) -> None:
        """Whether the index has a whole row for each message up to the stream's last one."""
        for window, start in self._windows():
            streams = column_32(window, STREAM_WORD).tolist()
            for at, stream in enumerate(streams):
                row = (
                    decode_row(start + at, window, at * ROW_BYTES)
                    if stream == head.row.stream
                    else None
                )
                if row is None:
                    continue
                if row.revision != self.messages:
                    reason = f"revision {row.revision} follows {self.messages - 1}"
                    raise damaged(start + at, row, head.stream_id, reason)
                self.messages += 1
                self.bytes_checked += ROW_BYTES

    def _journal(self) -> None:
        """Whether the journal bears a replay: the machine will boot one day.

        A writer may add to it meanwhile; who reads the hint first finds at least what that knows of.
        """
        disk = self.snapshot.source.disk
        hint, slots = read_hint(disk), read_slots(disk)
        if not slots:
            raise CorruptRecord(JOURNAL, 0, "the journal has no valid header")
        slot, end, rows = slots[-1], ENTRIES_START, slots[-1].rows
        for entry in entries_of_generation(disk, slot):
            self.bytes_checked += entry.head.length
            end = entry.end
            rows += entry.head.rows
        if hint is None or hint.token != self.snapshot.source.token or read_slots(disk) != slots:
            return  # another boot, or a checkpoint meanwhile
        has_only_begun = (
            hint.generation == slot.generation + 1 and hint.journal_end == ENTRIES_START
        )
        if has_only_begun and rows == hint.rows:
            return  # the generation before leads to the same, and the next to write begins anew
        if hint.generation > slot.generation:
            offset = hint.generation % 2 * SLOT_STRIDE
            raise CorruptRecord(JOURNAL, offset, "the header of the present generation is damaged")
        if hint.generation == slot.generation and end < hint.journal_end:
            raise CorruptRecord(JOURNAL, end, "an entry that a recovery would need is damaged")

    def _catalog(self) -> None:
        snapshot = self.snapshot
        end = snapshot.catalog_end
        entries = snapshot.source.catalog.entries(end, snapshot.rows)
        for number, (reference, entry) in enumerate(entries):
            row = snapshot.source.index.read(entry.first_position)
            if entry.ordinal != number or (row and (row.stream, row.revision) != (reference, 0)):
                self._found(
                    CorruptRecord(
                        CATALOG,
                        reference * 8,
                        "the stream is not where the index has it",
                        stream_id=entry.stream_id,
                    )
                )
            self.stream_count += 1
        self.bytes_checked += end - CATALOG_HEADER_BYTES
        if snapshot.rows:
            streams = snapshot.source.index.row(snapshot.rows).streams
            if streams != self.stream_count:
                reason = f"it holds {self.stream_count} streams where the index has {streams}"
                raise CorruptRecord(CATALOG, end, reason)

    def _windows(self) -> Iterator[tuple[bytes, int]]:
        for start in range(1, self.snapshot.rows + 1, _WINDOW_ROWS):
            count = min(_WINDOW_ROWS, self.snapshot.rows + 1 - start)
            try:
                yield self.snapshot.source.index.window(start, count), start
            except CorruptRecord as error:
                self._found(error)
                return

    def _rows(self, window: bytes, start: int, quick: bool) -> None:
        located = []
        for index in range(len(window) // ROW_BYTES):
            position = start + index
            row = decode_row(position, window, index * ROW_BYTES)
            self.messages += 1
            self.bytes_checked += ROW_BYTES
            if row is None:
                self._found(row_damage(position))
                self._previous = None
                continue
            self._follows(position, row)
            located.append((position, row))
        if not quick:
            self._records(located)

    def _follows(self, position: int, row: Row) -> None:
        """Whether a row continues its stream and the totals of the row before it."""
        stream = self._streams.get(row.stream)
        if stream is None:
            stream = self._streams[row.stream] = _Stream()
        problems = []
        if row.revision != stream.next_revision:
            problems.append(f"revision {row.revision} follows {stream.next_revision - 1}")
        before = self._previous
        if before is not None:
            is_command = row.flags & FLAG_COMMAND
            if row.time_us < before.time_us:
                problems.append("its time is before that of the row before it")
            if row.commands != before.commands + is_command:
                problems.append("the total of commands does not continue")
            if row.ordinal != (before.ordinal + 1 if before.ordinal + 1 < before.batch_rows else 0):
                problems.append("its commit is not whole")
        if row.segment != stream.segment and row.revision == stream.next_revision:
            stream.full[stream.segment] = (stream.end, row.revision, position)
        stream.next_revision = row.revision + 1
        stream.segment, stream.end = row.segment, row.offset + row.length
        self._previous = row
        if problems:
            self._found(
                CorruptRecord(INDEX, position * ROW_BYTES, "; ".join(problems), position=position)
            )

    def _records(self, located: list[tuple[int, Row]]) -> None:
        """Reads records together; where that meets damage, one by one to name each."""
        records = self.snapshot.source.records
        for stretch in stretches([located]):
            try:
                for stored, (_, row) in zip(records.fetch_many(stretch), stretch, strict=True):
                    self._compare(stored, row)
                    self.bytes_checked += row.length
            except (CorruptRecord, OSError):
                for position, row in stretch:
                    self._attempt(partial(self._fetch_and_compare, position, row))

    def _fetch_and_compare(self, position: int, row: Row) -> None:
        self._compare(self.snapshot.source.records.fetch(position, row), row)

    def _compare(self, stored: PositionalMessage, row: Row) -> None:
        """Whether the row says of the message what the message says itself."""
        message = stored.message
        if not (is_json(message.data) and is_json(message.metadata)):
            self._found(damaged(stored.position, row, stored.stream_id, "its data is not JSON"))
        session = self.snapshot.sessions.id_of(row.session) or NO_SESSION
        pairs = (
            ("time", to_us(stored.timestamp), row.time_us),
            ("kind", stored.message_type is MessageType.COMMAND, bool(row.flags & FLAG_COMMAND)),
            ("session", stored.session_id, session),
            ("type", hash64(message.type), row.type),
            ("message id", hash32(message.id), row.message_id),
            ("correlation id", hash32(message.correlation_id), row.correlation_id),
            ("request id", hash32(message.request_id), row.request_id),
            ("causation id", hash32(message.causation_id), row.causation_id),
        )
        differing = [name for name, said, indexed in pairs if said != indexed]
        if differing:
            self._found(
                CorruptRecord(
                    INDEX,
                    stored.position * ROW_BYTES,
                    f"the row differs from its record in {', '.join(differing)}",
                    stream_id=stored.stream_id,
                    revision=stored.revision,
                    position=stored.position,
                )
            )

    def _segment_files(self) -> None:
        """Headers, and files or tails that no row accounts for: not damage, but worth a note."""
        source = self.snapshot.source
        expected = {}
        for reference, stream in self._streams.items():
            stream_id = source.catalog.stream_id(reference)
            for segment in range(stream.segment + 1):
                if not self._attempt(partial(source.segments.check_header, stream_id, segment)):
                    break  # a row may claim any number of segments
                expected[segment_path(stream_id, segment)] = (
                    stream.end if segment == stream.segment else None
                )
            self._full_segments(stream_id, stream)
        unknown = longer = 0
        for folder in source.disk.list(STREAMS):
            for name in source.disk.list(f"{STREAMS}/{folder}"):
                path = f"{STREAMS}/{folder}/{name}"
                if path not in expected:
                    unknown += source.disk.size(path) > 0
                elif (end := expected[path]) is not None and source.disk.size(path) > end:
                    longer += 1
        if unknown:
            self.notes.append(
                f"{unknown} files in {STREAMS}/ belong to no stream (saved meanwhile?)"
            )
        if longer:
            self.notes.append(
                f"{longer} segments go on behind their last message (saved meanwhile?)"
            )

    def _full_segments(self, stream_id: str, stream: _Stream) -> None:
        """Who reads a stream from one segment to the next stumbles over what stands between them."""
        for segment, (end, revision, position) in stream.full.items():
            path = segment_path(stream_id, segment)
            if self.snapshot.source.disk.size(path) > end:
                place = {"revision": revision, "position": position}
                reason = "the segment goes on behind its last record"
                self._found(CorruptRecord(path, end, reason, stream_id=stream_id, **place))

    def _sessions(self) -> None:
        snapshot = self.snapshot
        sessions = snapshot.sessions.all()
        self.session_count = len(sessions)
        self.bytes_checked += snapshot.sessions_end
        recorded = session_counts(snapshot, sessions)
        recounted = session_counts(snapshot, sessions, recount=True)
        for session in sessions:
            if (session.end_position or 0) > snapshot.rows:
                continue  # it ended after this snapshot was taken
            if recorded[session.number] != recounted[session.number]:
                reason = f"the counts of session {session.session_id} are not those of the index"
                self._found(CorruptRecord(SESSIONS, 0, reason))

    # ------------------------------------------------------------ findings

    def _attempt(self, part: Callable[[], object]) -> bool:
        """Whether nothing was wrong."""
        try:
            part()
        except CorruptRecord as error:
            self._found(error)
            return False
        except OSError as error:
            self._found(CorruptRecord(str(error.filename or "store"), 0, words(error)))
            return False
        return True

    def _found(self, error: CorruptRecord) -> None:
        if len(self.findings) < _FINDINGS_MAX:
            self.findings.append(
                Finding(
                    error.path,
                    error.offset,
                    error.problem,
                    error.stream_id,
                    error.revision,
                    error.position,
                )
            )
