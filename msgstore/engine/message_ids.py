"""Which positions may hold a message with a given id: the id column of the index, kept in memory.

Four bytes a message, read when the first id is asked for and kept up as the store grows.
"""

from __future__ import annotations

from msgstore.engine.index import Index
from msgstore.format.row import MESSAGE_ID_WORD, column_32, hash32

_WINDOW_ROWS = 8192
_WORD_BYTES = 4


class MessageIds:
    """Candidates by hash; a hit is only a hint to look at the record."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._hashes = bytearray()

    def candidates(self, message_id: str, rows: int) -> list[int]:
        """Positions up to `rows` whose row carries the hash of this id."""
        self._catch_up(rows)
        wanted = hash32(message_id).to_bytes(_WORD_BYTES, "little")
        found = []
        at = self._hashes.find(wanted)
        while at >= 0:
            if at % _WORD_BYTES == 0:
                found.append(at // _WORD_BYTES + 1)
            at = self._hashes.find(wanted, at + 1)
        return [position for position in found if position <= rows]

    def _catch_up(self, rows: int) -> None:
        known = len(self._hashes) // _WORD_BYTES
        if known > rows:  # positions were given out again after a power loss
            self._hashes.clear()
            known = 0
        while known < rows:
            count = min(_WINDOW_ROWS, rows - known)
            window = self._index.checked_window(known + 1, count)
            self._hashes += column_32(window, MESSAGE_ID_WORD).tobytes()
            known += count
