"""Putting a commit on record: journal, sync - from then on it stands - then segments, rows, hint.

And taking it back, or saying that nobody knows, where the disk refuses on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgstore.disk.files import Disk
from msgstore.engine.checkpoint import flush_generation, mark_dirty
from msgstore.engine.failures import NO_ROOM, unavailable, words_and_file
from msgstore.engine.journal import JOURNAL_BYTES_CHECKPOINT, Tail, make_room, write_hint
from msgstore.engine.snapshot import Source
from msgstore.format.hint import Hint
from msgstore.format.journal import (
    ENTRIES_START,
    ENTRY_BYTES_MAX,
    ENTRY_HEAD_BYTES,
    Write,
    encode_entry,
)
from msgstore.format.names import INDEX, JOURNAL
from msgstore.format.row import ROW_BYTES, stored_crc
from msgstore.model.errors import MessageTooLarge, OutcomeUnknown


class Recorder:
    """The part of a writer that changes the disk; only while the lock is held.

    Whoever builds upon it sets `_tail` when it enters a store, and says what `source` and `_syncs` are.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._failure: str | None = None
        """Why nothing can be saved by this object any more."""
        self._tail: Tail | None = None
        self._known_at: Tail | None = None
        """Where the journal stood when what is remembered of the store was right."""

    @property
    def source(self) -> Source:
        raise NotImplementedError

    @property
    def _syncs(self) -> bool:
        raise NotImplementedError

    @property
    def tail(self) -> Tail:
        assert self._tail is not None, "only while the lock is held"
        return self._tail

    def sync(self) -> None:
        """On return all that is in the journal is on the disk."""
        hint = self.tail.hint
        if hint.synced_end < hint.journal_end:
            self._sync_journal()

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
            # Until the disk has it that the entry is void, nobody may believe the hint: what was
            # struck out in memory alone is there again after a power loss. Where the mark cannot
            # be made the entry is left, and stands.
            mark_dirty(self._disk, self.tail)
            self._disk.write(JOURNAL, hint.journal_end, bytes(ENTRY_HEAD_BYTES))
            self._sync_journal()
            for write in writes:
                self._cut(write.path, write.offset)
            write_hint(self._disk, self.tail.hint)
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
