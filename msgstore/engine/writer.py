"""Saving: one straight path under the lock.

Lock, enter, decide (the caller does), make the commit's writes, put them on record (`Recorder`),
unlock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, Self

from msgstore.disk.lock import FileLock
from msgstore.engine.commit import CommitContext, StreamCursor, Totals, build_commit, totals_at
from msgstore.engine.cursors import Cursors
from msgstore.engine.entering import Surroundings, enter
from msgstore.engine.failures import unavailable
from msgstore.engine.holding import holding
from msgstore.engine.identity import Durability
from msgstore.engine.journal import read_hint
from msgstore.engine.marks import is_resetting, is_swapping
from msgstore.engine.opened import OpenedStore
from msgstore.engine.place import make_place
from msgstore.engine.recorder import Recorder
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.format.hint import Hint
from msgstore.format.journal import Write
from msgstore.format.names import SESSIONS
from msgstore.format.record import Encoded
from msgstore.format.row import MESSAGE_ID_WORD, ROW_BYTES, decode_row, stored_crc
from msgstore.format.session_log import SessionEvent, encode_session_event
from msgstore.model.clock import Clock
from msgstore.model.errors import CorruptRecord, StoreClosed
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


class Writer(Recorder):
    """All that changes a store. One per store object; its threads take turns.

    Everything but `exclusive` may only be used inside `with writer.exclusive():`.
    """

    def __init__(self, opened: OpenedStore, lock: FileLock, settings: WriterSettings) -> None:
        super().__init__(opened.disk)
        self._opened = opened
        self._lock = lock
        self._settings = settings
        self._turn = RLock()
        self._forget()

    def _forget(self) -> None:
        # The next three are believed only while the journal stands at `_known_at`.
        self._tail = self._known_at = None
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
        # Where all the streams that the store has are known, another one is new: nothing to look for.
        if cursor is None and len(self._cursors) != self._read_totals().streams:
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
