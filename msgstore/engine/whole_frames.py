"""Reading files that may be damaged: every whole frame is found, whatever stands between them.

A frame is its own witness: tags, both lengths and the CRC must hold. Behind damage the next one is
where the damaged one says that it ends, or else the next place at which a whole one starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from msgstore.disk.files import Disk
from msgstore.engine.catalog import HEADER_BYTES as CATALOG_HEADER_BYTES
from msgstore.engine.log import walk_frames
from msgstore.engine.segments import RECORD_BYTES_MAX
from msgstore.format.catalog import (
    ALIGNMENT,
    CatalogEntry,
    decode_catalog_entry,
    decode_catalog_header,
)
from msgstore.format.frame import FRAME_BYTES_MIN, HEAD, frame_length, frame_problem
from msgstore.format.journal import Write
from msgstore.format.names import CATALOG, SESSIONS
from msgstore.format.session_log import HEADER_BYTES as SESSIONS_HEADER_BYTES
from msgstore.format.session_log import (
    SessionEvent,
    decode_session_event,
    decode_sessions_header,
)
from msgstore.model.errors import CorruptRecord

_WINDOW_BYTES = 1024 * 1024
_CATALOG_ELEMENTS = 7
_SESSION_ELEMENTS = 11


def whole_frames(disk: Disk, path: str, elements: int) -> Iterator[tuple[int, memoryview]]:
    """Offset and bytes of every whole frame, in order; damage is passed over.

    Behind damage only frames of so many `elements` are looked for. A missing file has none.
    """
    size = max(0, disk.size(path))
    offset = 0
    while offset < size:
        try:
            for at, frame in walk_frames(disk, path, offset, size):
                yield at, frame
                offset = at + len(frame)
        except CorruptRecord:
            offset = _next_frame(disk, path, offset, size, elements)


def _next_frame(disk: Disk, path: str, damaged: int, size: int, elements: int) -> int:
    """Where to go on behind a damaged frame; `size` where nothing whole follows."""
    claimed = _claimed_end(disk, path, damaged, size, elements)
    if claimed is not None:
        return claimed
    mark = b"\xdc" + elements.to_bytes(2, "big") + b"\xce"
    start = damaged + 1
    while start < size:
        window = disk.read(path, start, _WINDOW_BYTES)
        at = window.find(mark)
        while at >= 0:
            if _is_whole(disk, path, start + at, size, elements):
                return start + at
            at = window.find(mark, at + 1)
        if len(window) < _WINDOW_BYTES:
            return size
        start += len(window) - len(mark) + 1
    return size


def _claimed_end(disk: Disk, path: str, damaged: int, size: int, elements: int) -> int | None:
    """Where the damaged frame says it ends, if that is a border: it keeps what it contains."""
    head = disk.read(path, damaged, HEAD.size)
    if len(head) < HEAD.size:
        return None
    array, _, crc_tag, _, length_tag, length = HEAD.unpack(head)
    end = damaged + length
    if (array, crc_tag, length_tag) != (0xDC, 0xCE, 0xCE) or length < FRAME_BYTES_MIN:
        return None
    return end if end == size or _is_whole(disk, path, end, size, elements) else None


def _is_whole(disk: Disk, path: str, offset: int, size: int, elements: int) -> bool:
    head = disk.read(path, offset, HEAD.size)
    if len(head) < HEAD.size:
        return False
    length = frame_length(head)
    if not FRAME_BYTES_MIN <= length <= min(size - offset, RECORD_BYTES_MAX):
        return False
    return frame_problem(disk.read(path, offset, length), 0, elements) is None


def first_frame(disk: Disk, path: str, size: int) -> bytes | None:
    """The whole frame at the front of a file, if it is no longer than `size`."""
    buffer = disk.read(path, 0, size) if disk.size(path) >= 0 else b""
    return None if frame_problem(buffer) else buffer[: frame_length(buffer)]


def is_foreign_catalog(disk: Disk, store_uuid: bytes) -> bool:
    """Whether the file is the catalog of another store."""
    header = first_frame(disk, CATALOG, CATALOG_HEADER_BYTES)
    return header is not None and decode_catalog_header(header) != store_uuid


def is_foreign_session_log(disk: Disk, store_uuid: bytes) -> bool:
    """Whether the file is the session log of another store."""
    header = first_frame(disk, SESSIONS, SESSIONS_HEADER_BYTES)
    return header is not None and decode_sessions_header(header) != store_uuid


def catalog_entries(disk: Disk) -> Iterator[tuple[int, CatalogEntry]]:
    """Reference and entry of every stream that the catalog still tells of."""
    for offset, frame in whole_frames(disk, CATALOG, _CATALOG_ELEMENTS):
        if offset % ALIGNMENT or frame_problem(frame, 0, _CATALOG_ELEMENTS):
            continue
        with suppress(ValueError):  # the header has as many elements
            yield offset // ALIGNMENT, decode_catalog_entry(frame)


def catalog_entries_in(write: Write) -> Iterator[tuple[int, CatalogEntry]]:
    """Reference and entry of every stream that a write to the catalog brings into it."""
    data, at = write.data, 0
    while frame_problem(data, at, _CATALOG_ELEMENTS) is None:
        end = at + frame_length(data, at)
        with suppress(ValueError):
            yield (write.offset + at) // ALIGNMENT, decode_catalog_entry(data[at:end])
        at = end


def session_events(disk: Disk, end: int | None) -> Iterator[SessionEvent]:
    """Every event that the session log still tells of, up to `end` if that is known."""
    for offset, frame in whole_frames(disk, SESSIONS, _SESSION_ELEMENTS):
        if end is not None and offset >= end:
            return
        if frame_problem(frame, 0, _SESSION_ELEMENTS) is None:
            with suppress(ValueError):
                yield decode_session_event(frame)
