"""Saving: one straight path under the lock, from a decided commit to the hint.

Lock, enter, decide (the caller does), journal, sync - that is the commit - then segments, rows,
hint, unlock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, Self

from msgstore.disk.lock import FileLock
from msgstore.engine.checkpoint import flush_generation, mark_dirty
from msgstore.engine.commit import CommitContext, StreamCursor, Totals, build_commit, totals_at
from msgstore.engine.cursors import Cursors
from msgstore.engine.entering import Surroundings, enter
from msgstore.engine.failures import NO_ROOM, unavailable, words_and_file
from msgstore.engine.holding import holding
from msgstore.engine.identity import Durability
from msgstore.engine.journal import (
    JOURNAL_BYTES_CHECKPOINT,
    Tail,
    make_room,
    read_hint,
    write_hint,
)
from msgstore.engine.marks import is_resetting, is_swapping
from msgstore.engine.opened import OpenedStore
from msgstore.engine.place import make_place
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.format.hint import Hint
from msgstore.format.journal import (
    ENTRIES_START,
    ENTRY_BYTES_MAX,
    ENTRY_HEAD_BYTES,
    Write,
    encode_entry,
)
from msgstore.format.names import INDEX, JOURNAL, SESSIONS
from msgstore.format.record import Encoded
from msgstore.format.row import MESSAGE_ID_WORD, ROW_BYTES, decode_row, stored_crc
from msgstore.format.session_log import SessionEvent, encode_session_event
from msgstore.model.clock import Clock
from msgstore.model.errors import CorruptRecord, MessageTooLarge, OutcomeUnknown, StoreClosed
from msgstore.model.message import PositionalMessage
from msgstore.model.saving import Known

if TYPE_CHECKING:
    from msgstore.engine.session_log import SessionLog

_CAUGHT_UP_ROWS_MAX = 256
"""Of what others saved: so many rows are rather read than what is known is given up."""


class WriterSettings(NamedTuple):
    """How a store is opened. `durability` of None is the store's own, `always` for a new one."""

    durability: Durability | None
    create: bool
    clock: Clock


class Writer:
    """All that changes a store. One per store object; its threads take turns.

    Everything but `exclusive` may only be used inside `with writer.exclusive():`.
    """

    def __init__(self, opened: OpenedStore, lock: FileLock, settings: WriterSettings) -> None:
        self._opened = opened
        self._disk = opened.disk
        self._lock = lock
        self._settings = settings
        self._turn = RLock()
        self._failure: str | None = None
        self._forget()

    def _forget(self) -> None:
        self._tail: Tail | None = None
        self._known_at: Tail | None = None
        """Where the journal stood when the next two were right: they are believed nowhere else."""
        self._totals: Totals | None = None
        self._cursors = Cursors()
        self._known_crc: int | None = None
        """Of the last row then, where it is known: it tells whether that is what stands there now."""
        self._source: Source | None = None

    # ------------------------------------------------------------ the lock

    @contextmanager
    def exclusive(self) -> Iterator[Self]:
        """Holds the store for one change, created or recovered if need be.

        Raises StoreLocked, StoreNotFound, StoreUnavailable, CorruptRecord.
        """
        with self._turn:
            if self._failure is not None:
                raise StoreClosed(self._disk.root, self._failure)
            if self._opened.source is None:
                make_place(self._disk, self._settings.create)
            with holding(self._disk, self._lock) as hint:
                try:
                    self._enter(hint)
                    yield self
                except OSError as error:  # of a read: writes are answered for where they are made
                    raise unavailable(self._disk.root, error) from error

    def close(self) -> None:
        """Gives back the lock's open file."""
        self._lock.close()

    def _enter(self, hint: Hint | None) -> None:
        """Reads everything afresh; what is cached holds only if nobody else wrote meanwhile."""
        source = self._opened.knows(hint) or self._attach()
        if source is not self._source:
            self._forget()
            self._source = source
        self._tail = None
        tail = enter(self._disk, self._surroundings(), hint)
        if self._known_at != tail:
            known, self._known_at = self._known_at, None  # an interrupt may come at any moment
            if known is None or not self._catch_up(known.hint.rows, tail.hint.rows):
                self._cursors.clear()
                self._totals = self._known_crc = None
            self._known_at = tail
        self._tail = tail

    def _catch_up(self, known_rows: int, rows: int) -> bool:
        """Whether what is known holds again: others have saved meanwhile, and their rows say what.

        False where these are too many, or damaged, or not behind the last row that was known: after
        an I/O error a store may have lost what was saved without a sync.
        """
        count = rows - known_rows
        if self._known_crc is None or not 0 <= count <= _CAUGHT_UP_ROWS_MAX:
            return False
        try:
            window = self.source.index.checked_window(known_rows, count + 1)
        except CorruptRecord:
            return False
        if stored_crc(window) != self._known_crc:
            return False
        for position in range(known_rows + 1, rows + 1):
            row = decode_row(position, window, (position - known_rows) * ROW_BYTES)
            if row is None:
                return False
            self._cursors.pass_by(row)
            self._totals = totals_at(position, row)
        self._known_crc = stored_crc(window, count * ROW_BYTES)
        return True

    def _attach(self) -> Source:
        """First use, another boot, or files that somebody has put in the place of those we knew."""
        clock, wanted = self._settings.clock, self._settings.durability or "always"
        if is_swapping(self._disk):
            from msgstore.engine.swap import finish_swap

            finish_swap(self._disk)
        identity = self._opened.find()
        if identity is None or is_resetting(self._disk):
            from msgstore.engine.create import make

            identity = make(self._disk, wanted, clock())
        return self._opened.attach(identity)

    def reset(self) -> None:
        """Empties the store."""
        from msgstore.engine.create import reset

        try:
            reset(self._disk, self.durability, self._settings.clock())
            self._opened.source = None
            self._enter(read_hint(self._disk))
        except OSError as error:
            raise unavailable(self._disk.root, error) from error

    def _surroundings(self) -> Surroundings:
        source = self.source
        assert source.token is not None, "a writer never works on an overlay"
        return Surroundings(source.identity.store_uuid, source.token, self._syncs)

    @property
    def source(self) -> Source:
        assert self._source is not None, "only after the store was entered"
        return self._source

    @property
    def durability(self) -> Durability:
        """What this object saves with: what it was opened for, or what the store was made for."""
        return self._settings.durability or self.source.identity.durability

    @property
    def _syncs(self) -> bool:
        return self.durability == "always"

    @property
    def tail(self) -> Tail:
        assert self._tail is not None, "only while the lock is held"
        return self._tail

    # ------------------------------------------------------------ what a decision builds on

    @property
    def rows(self) -> int:
        """The last position."""
        return self.tail.hint.rows

    def revision_of(self, stream_id: str) -> int:
        cursor = self._cursor(stream_id)
        return -1 if cursor is None else cursor.revision

    def known(self) -> Known:
        """All of what a plan asks."""
        return Known(self.revision_of, self._find, self.rows + 1)

    def _find(self, message_id: str) -> PositionalMessage | None:
        """The message with this id; the runs only say where it may stand."""
        for position in self._positions_of_id(message_id):
            stored = self.source.fetch(position)
            if stored.message.id == message_id:
                return stored
        return None

    def _positions_of_id(self, message_id: str) -> list[int]:
        ids = self.source.ids
        ids.forget_behind(self.rows)
        ids.seal_for_writer(self.tail.slot.rows)
        return ids.candidates(MESSAGE_ID_WORD, message_id, self.rows)

    def sessions(self) -> SessionLog:
        """All sessions as they stand now."""
        return self.source.sessions(self.tail.hint.sessions_end)

    def number_of(self, session_id: str | None) -> int:
        """What rows call an open session, 0 for none. Raises SessionNotFound, SessionEnded."""
        return self.sessions().open_session(session_id).number if session_id else 0

    def snapshot(self) -> Snapshot:
        """The store as it is before this change."""
        hint = self.tail.hint
        return Snapshot(self.source, hint.rows, hint.sessions_end, hint.catalog_end)

    def _cursor(self, stream_id: str) -> StreamCursor | None:
        cursor = self._cursors.get(stream_id)
        if cursor is None:
            head = self.source.segments.head(stream_id, self.rows)
            if head is None:
                return None
            cursor = StreamCursor(head.revision, head.row.stream, head.segment, head.end)
            self._cursors.remember({stream_id: cursor})
        return cursor

    def _read_totals(self) -> Totals:
        if self._totals is None:
            rows = self.rows
            self._totals = totals_at(rows, self.source.index.row(rows)) if rows else Totals(0)
        return self._totals

    # ------------------------------------------------------------ commits

    def commit(self, messages: Sequence[Encoded], session_number: int) -> None:
        """Puts decided saves on record; on return they are as durable as the store is opened for.

        The messages come in the order of their positions.

        Raises WriteFailed (nothing was saved), OutcomeUnknown, ReadOnlyStore, MessageTooLarge.
        """
        self._make_way()
        totals = self._read_totals()
        hint = self.tail.hint
        context = CommitContext(
            store_uuid=self.source.identity.store_uuid,
            sequence=hint.sequence + 1,
            time_us=max(self._settings.clock(), totals.time_us),
            session=session_number,
            synced=self._syncs,
            catalog_end=hint.catalog_end,
        )
        built = build_commit(messages, self._cursor, totals, context)
        # An interrupt may come at any moment from here on, also between two of these lines.
        self._known_at = None
        self._write(built.writes, built.rows, catalog_end=built.catalog_end)
        self._totals = built.totals
        self._cursors.remember(built.cursors)
        self._known_crc = stored_crc(built.writes[-1].data, -ROW_BYTES)
        self._known_at = self._tail

    def add_session_event(self, event: SessionEvent) -> None:
        """Puts a start, end or activation on record."""
        self._make_way()
        frame = encode_session_event(event)
        sessions_end = self.tail.hint.sessions_end
        writes = [Write(SESSIONS, sessions_end, frame)]
        self._write(writes, 0, sessions_end=sessions_end + len(frame))

    def take_over(
        self, writes: Sequence[Write], rows: int, catalog_end: int, sessions_end: int
    ) -> None:
        """Puts whole commits of another store on record, whose records are in the segments."""
        self._make_way()
        self._totals = self._known_at = None
        self._write(writes, rows, catalog_end=catalog_end, sessions_end=sessions_end)

    def checkpoint(self) -> None:
        """On return all files are on the disk, and the journal has nothing to replay."""
        self._make_way(at_once=True)

    def now_us(self) -> int:
        """The time of a commit made now: never before that of the last one."""
        return max(self._settings.clock(), self._read_totals().time_us)

    def sync(self) -> None:
        """On return all that is in the journal is on the disk."""
        hint = self.tail.hint
        if hint.synced_end < hint.journal_end:
            self._sync_journal()

    # ------------------------------------------------------------ the protocol

    def _make_way(self, at_once: bool = False) -> None:
        """Ends the journal's generation with a checkpoint once it has grown enough (rule R7)."""
        tail = self.tail
        if not at_once and tail.hint.journal_end - ENTRIES_START < JOURNAL_BYTES_CHECKPOINT:
            return
        from msgstore.engine.recovery import begin_generation

        try:
            mark_dirty(self._disk, tail)
            flush_generation(self._disk, tail)
            rows = tail.hint.rows
            row = self._disk.read(INDEX, rows * ROW_BYTES, ROW_BYTES)
            crc = stored_crc(row) if rows else 0
            self._move_to(begin_generation(self._disk, tail, crc, self.source.identity.store_uuid))
            self.source.seal(rows)
            if self._disk.size(JOURNAL) > 2 * JOURNAL_BYTES_CHECKPOINT:
                self._disk.truncate(JOURNAL, JOURNAL_BYTES_CHECKPOINT)
        except OSError as error:
            # The mark stays: the next to enter writes the whole generation again before it syncs.
            # Want of room passes; after any other error this object stops.
            if error.errno not in NO_ROOM:
                self._fail("a checkpoint failed; the store must be opened again")
            raise unavailable(self._disk.root, error) from error

    def _write(
        self,
        writes: Sequence[Write],
        rows: int,
        *,
        catalog_end: int | None = None,
        sessions_end: int | None = None,
    ) -> None:
        slot, hint = self.tail.slot, self.tail.hint
        sequence = hint.sequence + 1
        size = ENTRY_HEAD_BYTES + sum(len(w.data) + len(w.path) + 16 for w in writes)
        if size > ENTRY_BYTES_MAX:
            raise MessageTooLarge("the commit", size, ENTRY_BYTES_MAX)
        entry, crc = encode_entry(
            slot,
            sequence=sequence,
            previous_crc=hint.entry_crc,
            first_row=hint.rows,
            rows=rows,
            durable_upto=hint.synced_end,
            synced=self._syncs,
            writes=writes,
        )
        journal_end = hint.journal_end + len(entry)
        self._append(entry, journal_end)
        after = hint._replace(
            journal_end=journal_end,
            rows=hint.rows + rows,
            synced_end=journal_end if self._syncs else hint.synced_end,
            sequence=sequence,
            entry_crc=crc,
            catalog_end=hint.catalog_end if catalog_end is None else catalog_end,
            sessions_end=hint.sessions_end if sessions_end is None else sessions_end,
        )
        self._apply(writes, after)

    def _append(self, entry: bytes, journal_end: int) -> None:
        """The commit point: after this the entry stands, or an error says that it does not."""
        offset = self.tail.hint.journal_end
        try:
            if make_room(self._disk, journal_end):
                self._sync_journal(room_only=True)
        except OSError as error:
            raise unavailable(self._disk.root, error) from error
        try:
            self._disk.write(JOURNAL, offset, entry)
            if self._syncs:
                self._sync_journal()
        except BaseException as error:
            self._take_back((), error)
            raise

    def _sync_journal(self, *, room_only: bool = False) -> None:
        """On return the journal is on the disk. `room_only`: all that is new are zeros."""
        hint = self.tail.hint
        has_unsynced = hint.synced_end < hint.journal_end
        if has_unsynced:
            # A failed sync may lose older entries, whose pages then count as clean. The next to
            # enter must not trust them, even if this process ends before it can say so.
            mark_dirty(self._disk, self.tail)
        try:
            self._disk.sync(JOURNAL)
        except OSError as error:
            # Nothing is known after a failed sync. This object stops; the next writer replays.
            if not (room_only and error.errno in NO_ROOM):
                self._fail("a sync failed; the store must be opened again")
            raise
        if has_unsynced:
            self._advance(hint._replace(synced_end=hint.journal_end))

    def _apply(self, writes: Sequence[Write], after: Hint) -> None:
        """Segments first, then rows with one write, then the hint: readers see whole commits."""
        before = self.tail.hint
        try:
            for write in writes:
                self._disk.write(write.path, write.offset, write.data)
                self._cut(write.path, write.offset + len(write.data))
        except BaseException as error:
            if not self._may_be_visible(before.rows):
                self._take_back(writes, error)
            self._stands_or_not(error)
            raise
        try:
            self._advance(after)
        except BaseException as error:
            self._stands_or_not(error)
            raise

    def _cut(self, path: str, end: int) -> None:
        """Takes off what a commit that never stood may have left behind the end of a file."""
        if self._disk.size(path) > end:
            self._disk.truncate(path, end)

    def _advance(self, hint: Hint) -> None:
        write_hint(self._disk, hint)
        self._move_to(Tail(self.tail.slot, hint))

    def _move_to(self, tail: Tail) -> None:
        """What is known of the streams and of the last row goes along, if it was right before."""
        is_known = self._known_at is self._tail
        self._tail = tail
        if is_known:
            self._known_at = tail

    # ------------------------------------------------------------ when it goes wrong

    def _take_back(self, writes: Sequence[Write], error: BaseException) -> None:
        """Voids the entry, of which nothing is visible yet (rule R15), and raises WriteFailed.

        Returns where the error was none of the disk's, an interrupt say; raises OutcomeUnknown
        where the entry may still be found.
        """
        hint = self.tail.hint
        try:
            self._disk.write(JOURNAL, hint.journal_end, bytes(ENTRY_HEAD_BYTES))
            self._sync_journal()
            for write in writes:
                self._cut(write.path, write.offset)
        except OSError:
            self._stands_or_not(error)
        if isinstance(error, OSError):
            raise unavailable(self._disk.root, error) from error

    def _may_be_visible(self, rows: int) -> bool:
        """Whether readers see more than `rows`; a disk that cannot be read does not say no."""
        try:
            return self.source.index.last_complete(rows) != rows
        except OSError:
            return True

    def _stands_or_not(self, error: BaseException) -> None:
        """The entry is in the journal: the next writer, and that may be this one, settles it."""
        if isinstance(error, OSError):
            reason = (
                f"{words_and_file(error)}; whether the save stands is settled by the next writer"
            )
            raise OutcomeUnknown(self._disk.root, reason) from error

    def _fail(self, reason: str) -> None:
        self._failure = reason
        if self._tail is not None:
            try:
                mark_dirty(self._disk, self._tail)
            except OSError:
                return  # the mark is a help, not a need: the journal tells as much
