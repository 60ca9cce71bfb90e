"""Where streams end, as a writer remembers it."""

from __future__ import annotations

from collections.abc import Mapping

from msgstore.engine.commit import StreamCursor
from msgstore.format.row import Row

_CURSORS_MAX = 65536


class Cursors:
    """The ends of some streams, by their ids, and by how rows name them."""

    def __init__(self) -> None:
        self._by_id: dict[str, StreamCursor] = {}
        self._by_reference: dict[int, StreamCursor] = {}

    def __len__(self) -> int:
        """How many streams these are."""
        return len(self._by_id)

    def get(self, stream_id: str) -> StreamCursor | None:
        return self._by_id.get(stream_id)

    def clear(self) -> None:
        self._by_id.clear()
        self._by_reference.clear()

    def remember(self, cursors: Mapping[str, StreamCursor]) -> None:
        if len(self._by_id) + len(cursors) > _CURSORS_MAX:
            self.clear()
        self._by_id.update(cursors)
        for cursor in cursors.values():
            self._by_reference[cursor.stream] = cursor

    def pass_by(self, row: Row) -> None:
        """Somebody else has saved this message."""
        cursor = self._by_reference.get(row.stream)
        if cursor is not None:
            cursor.revision, cursor.segment = row.revision, row.segment
            cursor.end = row.offset + row.length
