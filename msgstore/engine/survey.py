"""What is left of a store, whatever state it is in: every surviving message and where it stands.

Nothing is changed, and no message is kept in memory: 16 bytes a position say where its record is.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence

from msgstore.disk.files import Disk
from msgstore.disk.overlay import OverlayDisk
from msgstore.engine.claims import Claims
from msgstore.engine.index import Index
from msgstore.engine.journal import Entry, read_hint, read_slots, stray_entries
from msgstore.engine.recovery import Standing, standing
from msgstore.engine.remains import SegmentFile, Stream, Survivor
from msgstore.engine.segment_files import find_segment_files
from msgstore.engine.whole_frames import (
    catalog_entries,
    catalog_entries_in,
    is_foreign_catalog,
    is_foreign_session_log,
    session_events,
    whole_frames,
)
from msgstore.format.catalog import CatalogEntry
from msgstore.format.frame import FRAME_BYTES_MIN
from msgstore.format.journal import ENTRIES_START
from msgstore.format.names import CATALOG, JOURNAL
from msgstore.format.record import (
    HEAD,
    RECORD_ELEMENTS,
    RecordHead,
    decode_head,
    decode_record,
    is_record,
    record_session,
)
from msgstore.format.row import Row
from msgstore.format.session_log import SessionEvent
from msgstore.model.errors import CorruptRecord
from msgstore.model.values import is_json

_POSITIONS_PLAUSIBLE = 1 << 24
"""A position up to here is believed of a record whatever else is left of the store."""


class Survey:
    """Looks at everything when it is made. Raises CorruptRecord for what cannot be made sense of."""

    def __init__(self, disk: Disk, store_uuid: bytes, *, with_index: bool) -> None:
        self.disk = OverlayDisk(disk)
        self.store_uuid = store_uuid
        self._index = Index(self.disk)
        self._hears_index = with_index and self._index_is_ours()
        self.journal_problem: str | None = None
        self.changed: set[str] = set()
        """Files for which the journal has what they do not have yet."""
        self._standing = self._hear_journal()
        self._names: set[str] = set()
        self.references = self._catalog()
        self.events = self._events()
        self.files, self.leftovers = self._find_files()
        """Every segment, and what else is in `streams/` but of no use."""
        self._positions_max = self._plausible_positions()
        self._sessions_seen: dict[str, tuple[int, int]] = {}
        self._claims = self._scan()
        self.places = self._claims.places
        self.streams: dict[str, Stream] = {}
        self._take_stock()
        self.rows = self._count_rows()
        self.places.reach(self.rows)
        self.sessions = self._find_sessions() if self.strays else self._sessions_seen
        """First position and its time of each session that a surviving message names."""

    # ------------------------------------------------------------ journal, index, catalog, sessions

    def _index_is_ours(self) -> bool:
        problem = self._index.header_problem(self.store_uuid)
        return problem in (None, "the header is damaged")

    def row(self, position: int) -> Row | None:
        """The whole row at a position, if the index is to be heard."""
        return self._index.read(position) if self._hears_index else None

    def _hear_journal(self) -> Standing | None:
        """Lays the journal over the files. None if it cannot be relied on to be all there was."""
        found: Standing | None = None
        try:
            found = standing(self.disk, self.store_uuid, with_index=self._hears_index)
        except CorruptRecord as error:
            self.journal_problem = error.problem
        for entry in found.entries if found else self._last_generation():
            for write in entry.writes:
                present = max(0, self.disk.size(write.path))
                end = write.offset + len(write.data)
                known = (
                    self.disk.read(write.path, write.offset, len(write.data)) if present else b""
                )
                if present < end or known != write.data:
                    self.disk.write(write.path, write.offset, write.data)
                    self.changed.add(write.path)
        return found

    def _last_generation(self) -> list[Entry]:
        """Every whole entry of the newest generation that is left, in order."""
        entries = [e for e in self._entries() if e.head.generation == self.generation]
        return sorted(entries, key=lambda entry: entry.head.sequence)

    def _entries(self) -> Iterator[Entry]:
        if not self._has_journal:
            return iter(())
        return stray_entries(self.disk, ENTRIES_START, lambda head: True)

    @property
    def _has_journal(self) -> bool:
        if self.disk.size(JOURNAL) < 0:
            return False
        return all(slot.store_uuid == self.store_uuid for slot in read_slots(self.disk))

    @property
    def generation(self) -> int:
        """The newest generation of the journal that anything tells of."""
        hint = read_hint(self.disk)
        known = [slot.generation for slot in read_slots(self.disk)]
        known += [entry.head.generation for entry in self._entries()]
        return max([0, hint.generation if hint else 0, *known])

    @property
    def sequence(self) -> int:
        """The highest sequence number that anything tells of, and never less than the positions."""
        hint = read_hint(self.disk)
        known = [slot.sequence for slot in read_slots(self.disk)]
        known += [entry.head.sequence for entry in self._entries()]
        return max([self.rows, hint.sequence if hint else 0, *known])

    def _catalog(self) -> dict[int, CatalogEntry]:
        """What the catalog has, and what only the journal knows of it; all names go to `_names`."""
        references = {}
        if not is_foreign_catalog(self.disk, self.store_uuid):
            for reference, entry in catalog_entries(self.disk):
                self._names.add(entry.stream_id)
                if self._is_rooted(reference, entry) is not False:
                    references[reference] = entry
        writes = (write for entry in self._entries() for write in entry.writes)
        for write in writes:
            for reference, entry in catalog_entries_in(write) if write.path == CATALOG else ():
                self._names.add(entry.stream_id)
                if self._is_rooted(reference, entry):
                    references.setdefault(reference, entry)
        return references

    def _is_rooted(self, reference: int, entry: CatalogEntry) -> bool | None:
        """Whether the stream's first message is of this reference, None where its row is damaged.

        Frames of a catalog may stand in what is in its place now, or be of one before a repair.
        """
        row = self.row(entry.first_position)
        return row and (row.stream, row.revision) == (reference, 0)

    def _events(self) -> list[SessionEvent]:
        if is_foreign_session_log(self.disk, self.store_uuid):
            return []
        end = self._standing.sessions_end if self._standing else None
        return list(session_events(self.disk, end))

    # ------------------------------------------------------------ segments

    def _find_files(self) -> tuple[list[SegmentFile], list[str]]:
        return find_segment_files(self.disk, self.store_uuid, self.changed, self._names)

    def _plausible_positions(self) -> int:
        """How many positions there can be: more cannot be held by what is or was there."""
        segment_bytes = sum(self.disk.size(file.path) for file in self.files)
        smallest = HEAD.size + FRAME_BYTES_MIN
        return max(_POSITIONS_PLAUSIBLE, self._known_rows(), segment_bytes // smallest)

    def _known_rows(self) -> int:
        """The last position that anything but a record tells of."""
        if self._standing is not None:
            return self._standing.rows
        hint = read_hint(self.disk)
        known = [hint.rows if hint else 0, self._index.row_count() if self._hears_index else 0]
        known += [slot.rows for slot in read_slots(self.disk) if self._has_journal]
        known += [entry.head.first_row + entry.head.rows for entry in self._last_generation()]
        known += [event.position for event in self.events]
        known += [entry.first_position for entry in self.references.values()]
        return max(known)

    def _count_rows(self) -> int:
        last = max((stream.last_position for stream in self.streams.values()), default=0)
        return self._known_rows() if self._standing else max(self._known_rows(), last)

    def _scan(self) -> Claims:
        """Finds the survivors."""
        names = {reference: entry.stream_id for reference, entry in self.references.items()}
        claims = Claims(self.files, self.row, self._head_at, names)
        for number, file in enumerate(self.files):
            for one in self._records(file):
                if _is_message(one.frame) and self._can_stand(file, one.head):
                    claims.take(number, one)
                    _see_session(self._sessions_seen, one)
                else:
                    claims.refuse(number)
        claims.settle()
        return claims

    def _can_stand(self, file: SegmentFile, head: RecordHead) -> bool:
        """Whether there can be a message at the position of the record."""
        last = self._standing.rows if self._standing else None
        if head.position == 0 or (last is not None and head.position > last):
            return False
        if head.position > self._positions_max:
            reason = f"a record has position {head.position:,}, which nothing else accounts for"
            raise CorruptRecord(file.path, 0, reason, stream_id=file.stream_id)
        return True

    def _take_stock(self) -> None:
        """Sorts the survivors by stream, and their files."""
        streams = [Stream(stream_id) for stream_id in self._claims.stream_ids]
        standing: list[set[int]] = [set() for _ in streams]
        for position, place in self.places.all():
            streams[place.stream].take(position, place.revision)
            standing[place.stream].add(place.file)
        for stream, numbers in zip(streams, standing, strict=True):
            files = [self.files[number] for number in numbers]
            for file in files:
                file.has_messages = True
            stream.files = sorted(files, key=lambda file: (file.number, file.path))
        self.streams = {stream.stream_id: stream for stream in streams if stream.files}
        self.leftovers += [file.path for file in self.files if not file.has_messages]

    def _find_sessions(self) -> dict[str, tuple[int, int]]:
        """What was seen of sessions without what the records tell that are none."""
        sessions: dict[str, tuple[int, int]] = {}
        for file in self.files:
            for one in self.survivors(file):
                _see_session(sessions, one)
        return sessions

    def _records(self, file: SegmentFile) -> Iterator[Survivor]:
        for offset, frame in whole_frames(self.disk, file.path, RECORD_ELEMENTS):
            head = decode_head(frame) if is_record(frame) else None
            if head is not None:
                yield Survivor(offset, head, frame)

    # ------------------------------------------------------------ what others ask

    @property
    def strays(self) -> int:
        """Whole records that are no messages, or those of others once more."""
        return self._claims.strays + self._claims.copies + self._claims.ambiguous

    @property
    def ambiguous(self) -> int:
        """Positions that stood in two records, where nothing but what they say decided."""
        return self._claims.ambiguous

    def survivors(self, file: SegmentFile) -> Iterator[Survivor]:
        """The surviving records in a file, in the order in which they stand there."""
        for one in self._records(file):
            place = self.places.get(one.head.position)
            if place and (self.files[place.file], place.offset) == (file, one.offset):
                yield one

    def positions(self, stream_ids: Collection[str]) -> dict[str, Sequence[int]]:
        """The positions of the survivors of some streams, in order: 8 bytes each."""
        found = {stream_id: array("Q") for stream_id in stream_ids}
        by_number = [found.get(stream_id) for stream_id in self._claims.stream_ids]
        for position, place in self.places.all():
            wanted = by_number[place.stream]
            if wanted is not None:
                wanted.append(position)
        return dict(found)

    def record(self, position: int) -> bytes:
        """The surviving record at a position that is not lost."""
        place = self.places.get(position)
        assert place is not None, "it is not lost"
        length = self._head_at(place.file, place.offset).length
        return self.disk.read(self.files[place.file].path, place.offset, length)

    def head_of(self, position: int) -> RecordHead | None:
        """The head of the surviving record at a position, None for a lost one."""
        place = self.places.get(position)
        return None if place is None else self._head_at(place.file, place.offset)

    def _head_at(self, number: int, offset: int) -> RecordHead:
        head = decode_head(self.disk.read(self.files[number].path, offset, HEAD.size))
        assert head is not None, "only whole records have a place"
        return head


def _is_message(frame: memoryview) -> bool:
    """Whether a whole record is what msgstore writes: of what it is not, nothing can be kept."""
    try:
        message = decode_record(frame, "").message
    except ValueError:
        return False
    return is_json(message.data) and is_json(message.metadata)


def _see_session(sessions: dict[str, tuple[int, int]], one: Survivor) -> None:
    session_id = record_session(one.frame)
    if session_id is not None:
        mine = (one.head.position, one.head.time_us)
        sessions[session_id] = min(mine, sessions.get(session_id, mine))
