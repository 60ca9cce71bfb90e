"""Looking into the data of many messages: segment by segment, and given back in order of position.

Positions go from stream to stream, and reading in their order would open a file for every few
messages. So the rows of many positions are taken together, and what they mean is read stream by
stream. Every record is checked; what cannot match is neither unpacked nor made a message.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from zlib import crc32

from msgstore.engine.needles import needle_of
from msgstore.engine.query import RowSieve, passing_windows, stretches
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import segment_path
from msgstore.format.record import (
    CRC_START,
    LOOK,
    LOOK_START,
    RECORD_ELEMENTS,
    decode_record,
    record_data,
)
from msgstore.format.row import ROW_BYTES, STREAM_WORD, column_32
from msgstore.model.errors import CorruptRecord
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

_CHUNK_ROWS_FIRST = 256
_CHUNK_ROWS_MAX = 1024 * 1024
_STREAMS_MAX = 32 * 1024
"""In one chunk; with the rows it bounds what is kept of them, some 40 MiB."""
_HELD_BYTES_MAX = 2 * 1024 * 1024
"""Of records that match; those behind are read a second time, in order."""
_FETCHED_AT_ONCE = 256
_GAP_BYTES_MAX = 4096
_READ_BYTES_MAX = 1024 * 1024

# What is kept of a row, with the place of its parts: flags, segment, stream, offset … revision.
_KEPT = struct.Struct("<4x24s68x")
assert _KEPT.size == ROW_BYTES
_KEPT_BYTES = 24
_PLACE = struct.Struct("<2xH4xIIII")
assert _PLACE.size == _KEPT_BYTES

Place = tuple[int, int, int, int, int]
"""Segment, offset, length, checksum, revision."""


def scan(
    snapshot: Snapshot, sieve: RowSieve, wanted: MessageFilter, *, backwards: bool
) -> Iterator[PositionalMessage]:
    """The messages that match, in order of position. Raises CorruptRecord where it meets damage.

    Damage is told behind all matches that stand before it.
    """
    low, high = sieve.first, sieve.last
    rows, rows_max = _CHUNK_ROWS_FIRST, _CHUNK_ROWS_MAX
    while low <= high:
        count = min(rows, high - low + 1)
        first = high - count + 1 if backwards else low
        chunk = _Chunk(snapshot, wanted, backwards)
        if not chunk.take(replace(sieve, first=first, last=first + count - 1)):
            rows = rows_max = rows // 4
            continue
        yield from chunk.matches()
        if backwards:
            high -= count
        else:
            low += count
        rows = min(rows * 4, rows_max)


class _Chunk:
    """Some positions one behind the other: their rows, by stream, and then what matches of them."""

    def __init__(self, snapshot: Snapshot, wanted: MessageFilter, backwards: bool) -> None:
        self._snapshot = snapshot
        self._wanted = wanted
        self._backwards = backwards
        self._needle, *self._other_needles = needle_of(wanted)
        self._first = 0
        self._kept = bytearray()
        self._streams: dict[int, array[int]] = {}
        self._found = bytearray()
        self._held: dict[int, PositionalMessage] = {}
        self._held_bytes = 0
        self._damage: CorruptRecord | None = None
        self._damaged_at = 0

    def take(self, sieve: RowSieve) -> bool:
        """Sifts the rows; False where they are of too many streams to be kept."""
        self._first = sieve.first
        by_stream = self._streams
        for window, start, passing in passing_windows(self._snapshot, sieve, backwards=False):
            self._kept += b"".join([kept for (kept,) in _KEPT.iter_unpack(window)])
            streams = column_32(window, STREAM_WORD).tolist()
            for position in passing:
                stream = streams[position - start]
                if stream in by_stream:
                    by_stream[stream].append(position - self._first)
                else:
                    by_stream[stream] = array("I", (position - self._first,))
            if len(by_stream) > _STREAMS_MAX:
                return False
        self._found = bytearray(len(self._kept) // _KEPT_BYTES)
        return True

    def matches(self) -> Iterator[PositionalMessage]:
        source = self._snapshot.source
        named = [(source.catalog.stream_id(stream), stream) for stream in self._streams]
        # By path: segments of one folder one behind the other, so that it is opened once.
        for stream_id, stream in sorted(named, key=lambda name: segment_path(name[0], 0)):
            self._scan_stream(stream_id, self._streams[stream])
        source.check_still_there()
        yield from self._in_order()
        if self._damage is not None:
            raise self._damage

    def _in_order(self) -> Iterator[PositionalMessage]:
        """What was found, before the first damage; what was not held is read again."""
        index, records = self._snapshot.source.index, self._snapshot.source.records
        positions = self._positions()
        while part := list(islice(positions, _FETCHED_AT_ONCE)):
            missing = [(p, index.row(p)) for p in part if p not in self._held]
            for group in stretches([missing]):
                self._held.update((m.position, m) for m in records.fetch_many(group))
            for position in part:
                stored = self._held.pop(position)
                if self._wanted.matches(stored):
                    yield stored

    def _positions(self) -> Iterator[int]:
        """Where matches stand, in order, up to the first damage."""
        first, found = self._first, self._found
        if self._backwards:
            low = self._damaged_at + 1 - first if self._damage else 0
            at = found.rfind(1, low)
            while at >= 0:
                yield first + at
                at = found.rfind(1, low, at)
            return
        high = self._damaged_at - first if self._damage else len(found)
        at = found.find(1, 0, high)
        while at >= 0:
            yield first + at
            at = found.find(1, at + 1, high)

    # ------------------------------------------------------------ one stream

    def _scan_stream(self, stream_id: str, ordinals: array[int]) -> None:
        kept = self._kept
        places = [_PLACE.unpack_from(kept, ordinal * _KEPT_BYTES) for ordinal in ordinals]
        for low, high in _runs(places):
            self._scan_run(stream_id, places[low:high], ordinals[low:high])

    def _scan_run(self, stream_id: str, places: list[Place], ordinals: array[int]) -> None:
        """Records that stand together. Any that is not beyond doubt is fetched for itself.

        Written out in one loop: this is what a scan costs for each message.
        """
        segment, start, *_ = places[0]
        end = places[-1][1] + places[-1][2]
        buffer = b""
        if end - start <= _READ_BYTES_MAX:
            buffer = self._read(segment_path(stream_id, segment), start, end - start)
        look, first, wanted = LOOK.unpack_from, self._first, self._wanted
        needle, others = self._needle, self._other_needles
        for (_, offset, length, crc, revision), ordinal in zip(places, ordinals, strict=True):
            at = offset - start
            behind = at + length
            body = buffer[at + CRC_START : behind]
            try:
                head = look(buffer, at)
            except struct.error:  # not so many bytes are there
                head = None
            if (
                head != (LOOK_START, crc, 0xCE, length, 0xCF, first + ordinal, 0xCF, 0xCE, revision)
                or crc32(body, RECORD_ELEMENTS) != crc
            ):
                self._fetch(first + ordinal)
                continue
            if needle not in body:
                for other in others:
                    if other in body:
                        break
                else:
                    continue
            frame = memoryview(buffer)[at:behind]
            try:
                if wanted.matches_data(record_data(frame)):
                    self._keep(first + ordinal, decode_record(frame, stream_id), length)
            except ValueError:
                self._fetch(first + ordinal)

    def _read(self, path: str, offset: int, size: int) -> bytes:
        try:
            return self._snapshot.source.disk.read(path, offset, size)
        except FileNotFoundError:
            return b""

    def _fetch(self, position: int) -> None:
        """A long record, or a damaged one; of these the first in the order of reading is told."""
        try:
            stored = self._snapshot.source.fetch(position)
        except CorruptRecord as error:
            if self._damage is None or (position < self._damaged_at) is not self._backwards:
                self._damage, self._damaged_at = error, position
            return
        if self._wanted.matches_data(stored.message.data):
            self._keep(position, stored, _HELD_BYTES_MAX)

    def _keep(self, position: int, stored: PositionalMessage, size: int) -> None:
        self._found[position - self._first] = 1
        if self._held_bytes + size <= _HELD_BYTES_MAX:
            self._held[position] = stored
            self._held_bytes += size


def _runs(places: list[Place]) -> Iterator[tuple[int, int]]:
    """Which places of one stream, rising, are read together: parted at what nobody asked for."""
    size = places[-1][1] + places[-1][2] - places[0][1]
    is_one = places[0][0] == places[-1][0] and size <= _READ_BYTES_MAX
    if is_one and size == sum(place[2] for place in places):
        yield 0, len(places)  # nearly always: one behind the other
        return
    low = 0
    for at in range(1, len(places)):
        segment, offset, length, *_ = places[at]
        end = places[at - 1][1] + places[at - 1][2]
        if (
            segment != places[low][0]
            or not 0 <= offset - end <= _GAP_BYTES_MAX
            or offset + length - places[low][1] > _READ_BYTES_MAX
        ):
            yield low, at
            low = at
    yield low, len(places)
