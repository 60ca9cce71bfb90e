"""The store as it was at one moment, and the questions that need no filter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.catalog import Catalog
from msgstore.engine.ends import StreamEnds
from msgstore.engine.failures import unreadable
from msgstore.engine.identity import Identity, read_identity
from msgstore.engine.index import Index
from msgstore.engine.journal import read_hint
from msgstore.engine.marks import is_swapping
from msgstore.engine.segments import Segments
from msgstore.format.names import CATALOG, INDEX, JOURNAL, LOCK, SESSIONS, STORE_JSON
from msgstore.format.session_log import HEADER_BYTES as SESSIONS_HEADER_BYTES
from msgstore.model.clock import to_datetime
from msgstore.model.errors import CorruptRecord, StoreUnavailable
from msgstore.model.message import PositionalMessage

if TYPE_CHECKING:
    from msgstore.engine.ids import Ids
    from msgstore.engine.records import Records
    from msgstore.engine.session_log import SessionLog
    from msgstore.model.results import StoreStats, StreamInfo


class Source:
    """The files of one store; another one after `reset`.

    `token` is what their hint carries, None where the journal is only laid over them in memory.
    """

    def __init__(self, disk: Disk, identity: Identity, token: int | None) -> None:
        self.disk = disk
        self.identity = identity
        self.token = token
        self.index = Index(disk)
        self.catalog = Catalog(disk)
        self.ends = StreamEnds(disk, self.index, self.catalog, identity.store_uuid)
        self.segments = Segments(disk, self.index, self.ends, identity.store_uuid)
        self._sessions: SessionLog | None = None
        self._journal = disk.identity(JOURNAL)
        self._lock = RLock()

    # A plain save needs none of these: they are loaded with the first question that does.

    @cached_property
    def ids(self) -> Ids:
        from msgstore.engine.ids import Ids

        return Ids(self.disk, self.index, self.identity.store_uuid)

    @cached_property
    def records(self) -> Records:
        from msgstore.engine.records import Records

        return Records(self.disk, self.catalog)

    def sessions(self, end: int) -> SessionLog:
        """The sessions that the log tells of up to `end`, or later ones too."""
        with self._lock:
            if self._sessions is None:
                from msgstore.engine.session_log import SessionLog

                self._sessions = SessionLog(self.disk)
            self._sessions.refresh(end)
            return self._sessions

    def seal(self, rows: int) -> None:
        """Makes runs of the first `rows`, which are on the disk. Under the writers' lock."""
        self.ends.seal(rows)
        self.ids.seal(rows)

    def reference_of(self, stream_id: str, rows: int) -> int | None:
        """How rows name a stream, asked of a store that is damaged; None for no such stream.

        Raises CorruptRecord where the catalog has lost streams, of which this may be one.
        """
        found = self.catalog.reference_of(stream_id, rows)
        return self.ends.reference_of(stream_id, rows) if found is None else found

    def check_still_there(self) -> None:
        """Raises StoreUnavailable once the store was emptied or repaired: its files are others then."""
        if self.token is None:
            return
        hint = read_hint(self.disk)
        if hint is not None and hint.token == self.token:
            return
        repaired = StoreUnavailable(self.disk.root, "was repaired while it was read; read again")
        if is_swapping(self.disk):
            raise repaired
        if hint is None:
            return
        present = read_identity(self.disk)
        if present is None or present.store_uuid != self.identity.store_uuid:
            raise StoreUnavailable(self.disk.root, "was emptied while it was read")
        if self.disk.identity(JOURNAL) != self._journal:
            raise repaired

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Names what ends a read: a refusal of the disk, or a `reset` under it, which looks like damage."""
        try:
            yield
        except CorruptRecord:
            self.check_still_there()
            raise
        except OSError as error:
            raise unreadable(self.disk.root, error) from error

    def fetch(self, position: int) -> PositionalMessage:
        """The message at a visible position. Raises CorruptRecord."""
        return self.records.fetch(position, self.index.row(position))


class Snapshot(NamedTuple):
    """The first `rows` positions of a store. What comes later is not seen."""

    source: Source
    rows: int
    sessions_end: int
    catalog_known_end: int
    """The catalog's size when the hint was written; a commit in flight may have added to it."""

    @property
    def store_uuid(self) -> bytes:
        return self.source.identity.store_uuid

    @property
    def sessions(self) -> SessionLog:
        with self.source.reading():
            return self.source.sessions(self.sessions_end)

    @property
    def catalog_end(self) -> int:
        return self.source.catalog.end(self.catalog_known_end)

    def read_stream(
        self, stream_id: str, first: int, last: int | None, *, backwards: bool
    ) -> Iterator[PositionalMessage]:
        """A stream's messages between two revisions, inclusive. Raises CorruptRecord."""
        return chain.from_iterable(self._stream_batches(stream_id, first, last, backwards))

    def _stream_batches(
        self, stream_id: str, first: int, last: int | None, backwards: bool
    ) -> Iterator[list[PositionalMessage]]:
        from msgstore.engine.stream_reading import StreamReading

        source = self.source
        with source.reading():
            head = source.segments.head(stream_id, self.rows)
            if head is None:
                return
            last = head.revision if last is None else min(last, head.revision)
            if first > last:
                return
            stream = StreamReading(source.disk, source.segments, head, source.check_still_there)
            yield from stream.read(first, last, backwards=backwards)

    def stream_info(self, stream_id: str) -> StreamInfo | None:
        with self.source.reading():
            first = next(self.read_stream(stream_id, 0, 0, backwards=False), None)
            return None if first is None else self._stream_info(stream_id, first.position)

    def streams(self) -> Iterator[StreamInfo]:
        """Every stream, in the order of creation."""
        with self.source.reading():
            for _, entry in self.source.catalog.entries(self.catalog_end, self.rows):
                yield self._stream_info(entry.stream_id, entry.first_position)

    def _stream_info(self, stream_id: str, first_position: int) -> StreamInfo:
        from msgstore.model.results import StreamInfo

        head = self.source.segments.head(stream_id, self.rows)
        created = self.source.index.row(first_position)
        if head is None or created.revision != 0:
            from msgstore.engine.stream_reading import lost

            raise lost(stream_id, 0)
        return StreamInfo(
            stream_id,
            head.revision,
            head.revision + 1,
            first_position,
            head.position,
            to_datetime(created.time_us),
            to_datetime(head.row.time_us),
        )

    def stats(self) -> StoreStats:
        """Totals; they stand in the last row and in the last session event."""
        with self.source.reading():
            return self._stats()

    def _stats(self) -> StoreStats:
        from msgstore.engine.session_log import last_event
        from msgstore.model.results import StoreStats

        index = self.source.index
        event = last_event(self.source.disk, self.sessions_end)
        sessions = event.total if event else 0
        files = (STORE_JSON, LOCK, JOURNAL, INDEX, CATALOG, SESSIONS)
        disk_bytes = sum(max(0, self.source.disk.size(path)) for path in files)
        if self.rows == 0:
            return StoreStats(0, 0, 0, 0, sessions, None, None, disk_bytes=disk_bytes)
        oldest, newest = index.row(1), index.row(self.rows)
        return StoreStats(
            self.rows,
            newest.commands,
            self.rows - newest.commands,
            newest.streams,
            sessions,
            to_datetime(oldest.time_us),
            to_datetime(newest.time_us),
            disk_bytes=disk_bytes + newest.segment_bytes,
        )

    def active_session(self) -> str | None:
        """The store's active session: one look at the end of the log."""
        if self.sessions_end <= SESSIONS_HEADER_BYTES:
            return None
        from msgstore.engine.session_log import last_event

        with self.source.reading():
            event = last_event(self.source.disk, self.sessions_end)
            return event.active_id if event else None

    def fingerprint(self, position: int) -> str | None:
        """What tells a message from any other that may come to stand at its position."""
        if not 1 <= position <= self.rows:
            return None
        with self.source.reading():
            row = self.source.index.row(position)
            return f"{row.record_crc:08x}{row.time_us:x}"
