"""The catalog's frames: one per stream, in the order of creation. See docs/format.md, "catalog"."""

from __future__ import annotations

from typing import NamedTuple

from msgstore.format import FORMAT_VERSION
from msgstore.format.frame import (
    FRAME_BYTES_MIN,
    decode_frame,
    header_uuid,
    pack_elements,
    seal,
)
from msgstore.format.stored import stored_number, stored_text

CATALOG_KIND = "msgstore-catalog"
ALIGNMENT = 8


class CatalogEntry(NamedTuple):
    """A stream: its 0-based number in the order of creation, and where its first message stands."""

    ordinal: int
    first_position: int
    stream_id: str


def encode_catalog_header(store_uuid: bytes) -> bytes:
    return _padded([CATALOG_KIND, FORMAT_VERSION, store_uuid])


def decode_catalog_header(frame: bytes | memoryview) -> bytes | None:
    """The store's uuid, or None if the frame is no catalog header of this version."""
    return header_uuid(frame, CATALOG_KIND)


def encode_catalog_entry(entry: CatalogEntry) -> bytes:
    return _padded([entry.ordinal, entry.first_position, entry.stream_id])


def decode_catalog_entry(frame: bytes | memoryview) -> CatalogEntry:
    """Raises ValueError for a frame that is whole, and yet not what msgstore writes."""
    ordinal, first_position, stream_id, *_ = [*decode_frame(frame), None, None, None]
    return CatalogEntry(
        stored_number(ordinal, "stream's number"),
        stored_number(first_position, "first position", 1),
        stored_text(stream_id, "stream id"),
    )


def _padded(elements: list[object]) -> bytes:
    body = pack_elements(elements)
    # A byte string of up to 7 bytes takes two more.
    padding = bytes(-(FRAME_BYTES_MIN + len(body) + 2) % ALIGNMENT)
    return seal(len(elements) + 4, body + pack_elements([padding]))
