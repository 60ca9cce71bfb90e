"""What is left of a store, whatever state it is in: every surviving message and where it stands.

Nothing is changed, and no message is kept in memory: 8 bytes a position say where its record is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgstore.disk.files import Disk
from msgstore.disk.overlay import OverlayDisk
from msgstore.engine.index import Index
from msgstore.engine.journal import Entry, read_hint, read_slots, stray_entries
from msgstore.engine.origin import segment_header, segment_headers
from msgstore.engine.recovery import Standing, standing
from msgstore.engine.remains import Gap, Places, SegmentFile, Stream, Survivor
from msgstore.engine.whole_frames import (
    catalog_entries,
    is_foreign_catalog,
    is_foreign_session_log,
    session_events,
    whole_frames,
)
from msgstore.format.catalog import CatalogEntry
from msgstore.format.frame import FRAME_BYTES_MIN
from msgstore.format.journal import ENTRIES_START
from msgstore.format.names import (
    JOURNAL,
    segment_path,
    split_segment_path,
    stream_stem,
)
from msgstore.format.record import (
    HEAD,
    RECORD_ELEMENTS,
    RecordHead,
    SegmentHeader,
    decode_head,
    encode_segment_header,
    is_record,
    record_session,
)
from msgstore.format.row import Row
from msgstore.format.session_log import SessionEvent
from msgstore.model.errors import CorruptRecord

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
        self.references = self._catalog()
        self.events = self._events()
        self.files: list[SegmentFile] = []
        self.leftovers: list[str] = []
        self.superseded = 0
        """Positions that stand in two records, where nothing but their times tells them apart."""
        self.strays = 0
        """Whole records that were in no commit that stands."""
        self.streams: dict[str, Stream] = {}
        self.sessions: dict[str, tuple[int, int]] = {}
        """First position and its time of each session that a surviving message names."""
        self.places = Places()
        self._find_files()
        self._positions_max = self._plausible_positions()
        self._scan()
        self.rows = self._count_rows()
        self.places.reach(self.rows)

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
        if is_foreign_catalog(self.disk, self.store_uuid):
            return {}
        return dict(catalog_entries(self.disk))

    def _events(self) -> list[SessionEvent]:
        if is_foreign_session_log(self.disk, self.store_uuid):
            return []
        end = self._standing.sessions_end if self._standing else None
        return list(session_events(self.disk, end))

    # ------------------------------------------------------------ segments

    def _find_files(self) -> None:
        """Sorts the files of `streams/` by the streams that they belong to."""
        found = dict(segment_headers(self.disk))
        for path in self.changed:
            if split_segment_path(path):
                found[path] = segment_header(self.disk, path)
        ours = {p: h for p, h in found.items() if h and h.store_uuid == self.store_uuid}
        ids = {entry.stream_id for entry in self.references.values()}
        ids |= {header.stream_id for header in ours.values()}
        stems = {stream_stem(stream_id): stream_id for stream_id in ids}
        for path, header in sorted(found.items()):
            self._sort_in(path, header, ours, stems)
        for stream in self.streams.values():
            stream.files.sort(key=lambda one: one[1].number)

    def _sort_in(
        self,
        path: str,
        header: SegmentHeader | None,
        ours: dict[str, SegmentHeader],
        stems: dict[str, str],
    ) -> None:
        if header is not None and header.store_uuid != self.store_uuid:
            self.leftovers.append(path)
            return
        if header is not None:
            right = segment_path(header.stream_id, header.segment_number)
            if right != path and right in ours:
                self.leftovers.append(path)
                return
            length = len(encode_segment_header(header))
            file = SegmentFile(path, header.segment_number, right == path, length, length)
            stream_id = header.stream_id
        else:
            named = _named(path, stems)
            if named is None:
                self.leftovers.append(path)
                return
            stream_id, number = named
            file = SegmentFile(path, number, False, 0, 0)
        file.is_sound = file.is_sound and path not in self.changed
        stream = self.streams.setdefault(stream_id, Stream(stream_id))
        stream.files.append((len(self.files), file))
        self.files.append(file)

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

    def _scan(self) -> None:
        """Finds the survivors. A record whose place another one took over is none."""
        moved: set[str] = set()
        for stream in self.streams.values():
            moved |= self._scan_stream(stream)
        for stream_id in moved:
            stream = self.streams[stream_id]
            self.streams[stream_id] = again = Stream(stream_id, stream.files)
            self._measure(again)
        for stream in self.streams.values():
            self.leftovers += [f.path for _, f in stream.files if f.last_revision < 0]
            stream.files = [one for one in stream.files if one[1].last_revision >= 0]
        self.streams = {key: one for key, one in self.streams.items() if one.files}

    def _scan_stream(self, stream: Stream) -> set[str]:
        """Takes up a stream; returns the streams of which it turned out to hold the true records."""
        moved = set()
        for number, file in stream.files:
            for one in self._records(file):
                if not self._is_true(stream, file, one.head):
                    file.has_strays = True
                    continue
                taken = self.places.get(one.head.position)
                if taken is not None:
                    self.files[taken[0]].has_strays = True
                    moved.add(self._stream_of(taken[0]))
                self.places.put(one.head.position, number, one.offset)
                self._note(stream, file, one)
        return moved

    def _is_true(self, stream: Stream, file: SegmentFile, head: RecordHead) -> bool:
        """Whether the message at this position is that of this record, as far as is known by now.

        Of two, the one whose file says whose it is goes first, else the later one: a position is
        given out again only after what stood there was undone.
        """
        if not (self._may_follow(stream, head) and self._row_agrees(stream, head)):
            self.strays += 1
            return False
        taken = self.places.get(head.position)
        if taken is None:
            return True
        self.superseded += 1
        other = self.files[taken[0]], self._head_at(*taken)
        return (file.header_bytes > 0, head.time_us) > (other[0].header_bytes > 0, other[1].time_us)

    def _measure(self, stream: Stream) -> None:
        for _, file in stream.files:
            file.first_revision = file.last_revision = -1
            file.end = file.header_bytes
        for number, file in stream.files:
            for one in self._records(file):
                if self.places.get(one.head.position) == (number, one.offset):
                    self._note(stream, file, one)

    def _records(self, file: SegmentFile) -> Iterator[Survivor]:
        for offset, frame in whole_frames(self.disk, file.path, RECORD_ELEMENTS):
            head = decode_head(frame) if is_record(frame) else None
            if head is not None:
                yield Survivor(offset, head, frame)

    def _may_follow(self, stream: Stream, head: RecordHead) -> bool:
        """Whether the record continues its stream, at a position that there can be."""
        last = self._standing.rows if self._standing else None
        if head.position == 0 or (last is not None and head.position > last):
            return False
        if head.revision <= stream.last_revision or head.position <= stream.last_position:
            return False
        if head.position > self._positions_max:
            reason = f"a record has position {head.position:,}, which nothing else accounts for"
            raise CorruptRecord(stream.files[0][1].path, 0, reason, stream_id=stream.stream_id)
        return True

    def _row_agrees(self, stream: Stream, head: RecordHead) -> bool:
        """False where a whole row says that another record than this one has its position."""
        row = self.row(head.position)
        if row is None:
            return True
        entry = self.references.get(row.stream)
        if entry is not None and entry.stream_id != stream.stream_id:
            return False
        there = (row.record_crc, row.length, row.revision)
        return there == (head.crc, head.length, head.revision)

    def _note(self, stream: Stream, file: SegmentFile, one: Survivor) -> None:
        head = one.head
        if head.revision > stream.last_revision + 1:
            missing = (stream.last_revision + 1, head.revision - 1)
            stream.gaps.append(Gap(*missing, stream.last_position, head.position))
        if one.offset != file.end:
            file.is_sound = False
        file.end = one.offset + head.length
        file.first_revision = head.revision if file.first_revision < 0 else file.first_revision
        file.last_revision = stream.last_revision = head.revision
        stream.first_position = stream.first_position or head.position
        stream.last_position = head.position
        session_id = record_session(one.frame)
        if session_id is not None:
            first = self.sessions.get(session_id)
            if first is None or head.position < first[0]:
                self.sessions[session_id] = (head.position, head.time_us)

    def _stream_of(self, number: int) -> str:
        for stream in self.streams.values():
            if any(own == number for own, _ in stream.files):
                return stream.stream_id
        raise AssertionError("every file belongs to a stream")

    # ------------------------------------------------------------ what others ask

    def survivors(self, files: Iterable[tuple[int, SegmentFile]]) -> Iterator[Survivor]:
        """The surviving records in some files of a stream, in order."""
        for number, file in files:
            for one in self._records(file):
                if self.places.get(one.head.position) == (number, one.offset):
                    yield one

    def head_of(self, position: int) -> RecordHead | None:
        """The head of the surviving record at a position, None for a lost one."""
        place = self.places.get(position)
        return None if place is None else self._head_at(*place)

    def _head_at(self, number: int, offset: int) -> RecordHead:
        head = decode_head(self.disk.read(self.files[number].path, offset, HEAD.size))
        assert head is not None, "only whole records have a place"
        return head

    def stream_of_row(self, row: Row) -> str | None:
        """The id of the stream that a row means, as far as the catalog still tells."""
        entry = self.references.get(row.stream)
        return None if entry is None else entry.stream_id


def _named(path: str, stems: dict[str, str]) -> tuple[str, int] | None:
    """Stream and number by the name of the file alone: it holds a hash of the id."""
    parts = split_segment_path(path)
    if parts is None:
        return None
    stem, number = parts
    readable = stem.rpartition("/")[2].rpartition("~")[0]
    if stream_stem(readable) == stem:
        return readable, number
    return (stems[stem], number) if stem in stems else None
