"""The catalog: which stream a row means, and every stream in the order of creation."""

from __future__ import annotations

from collections.abc import Iterator

from msgstore.disk.files import Disk
from msgstore.engine.log import as_damage, walk_frames
from msgstore.format.catalog import (
    ALIGNMENT,
    CatalogEntry,
    decode_catalog_entry,
    encode_catalog_header,
)
from msgstore.format.frame import HEAD, frame_length, frame_problem
from msgstore.format.names import CATALOG
from msgstore.model.errors import CorruptRecord

_ENTRY_BYTES_MAX = 2048
_CACHED_MAX = 65536
HEADER_BYTES = len(encode_catalog_header(bytes(16)))


class Catalog:
    """Streams by their reference: the offset of their frame, divided by 8."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._ids: dict[int, str] = {}

    def stream_id(self, reference: int) -> str:
        """The id of the stream that a row names. Raises CorruptRecord."""
        found = self._ids.get(reference)
        if found is None:
            found = self.entry(reference).stream_id
            if len(self._ids) >= _CACHED_MAX:
                self._ids.clear()
            self._ids[reference] = found
        return found

    def entry(self, reference: int) -> CatalogEntry:
        """The stream that a row names. Raises CorruptRecord."""
        offset = reference * ALIGNMENT
        buffer = self._disk.read(CATALOG, offset, _ENTRY_BYTES_MAX)
        problem = frame_problem(buffer)
        if problem or offset < HEADER_BYTES:
            raise CorruptRecord(CATALOG, offset, problem or "no stream stands here")
        with as_damage(CATALOG, offset):
            return decode_catalog_entry(buffer[: frame_length(buffer)])

    def entries(self, end: int, rows: int) -> Iterator[tuple[int, CatalogEntry]]:
        """Reference and entry of every stream whose first message is among the first `rows`.

        `end` is the size that the file is known to have; what stands behind it may be in flight.
        """
        for offset, frame in walk_frames(self._disk, CATALOG, HEADER_BYTES, end):
            try:
                entry = decode_catalog_entry(frame)
            except ValueError as error:
                raise CorruptRecord(CATALOG, offset, str(error)) from None
            if entry.first_position > rows:
                return
            yield offset // ALIGNMENT, entry

    def behind(self, start: int, count: int) -> Iterator[tuple[int, CatalogEntry, int]]:
        """Reference, entry and end of the `count` frames behind an offset. Raises CorruptRecord."""
        if count == 0:
            return  # what stands there may be in flight, and torn
        for offset, frame in walk_frames(self._disk, CATALOG, start, self._disk.size(CATALOG)):
            with as_damage(CATALOG, offset):
                entry = decode_catalog_entry(frame)
            start = offset + len(frame)
            yield offset // ALIGNMENT, entry, start
            count -= 1
            if count == 0:
                return
        raise CorruptRecord(CATALOG, start, f"{count:,} more streams should stand here")

    def reference_of(self, stream_id: str, rows: int) -> int | None:
        """The reference of a stream, by walking all of them: for when rows cannot tell."""
        for reference, entry in self.entries(self.end(HEADER_BYTES), rows):
            if entry.stream_id == stream_id:
                return reference
        return None

    def end(self, known_end: int) -> int:
        """Where the last whole frame ends, at `known_end` or behind it."""
        end = known_end
        while True:
            buffer = self._disk.read(CATALOG, end, _ENTRY_BYTES_MAX)
            if len(buffer) < HEAD.size or frame_problem(buffer):
                return end
            end += frame_length(buffer)
