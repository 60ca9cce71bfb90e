"""What a long save has done so far, for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msgstore.format.record import Encoded
    from msgstore.model.draft import DraftsSaved
    from msgstore.model.saved import SaveResult

_STREAMS_MAX = 100_000


class Tally:
    """Counts results. Distinct streams are counted exactly up to 100,000, so that memory is bounded."""

    def __init__(self) -> None:
        self.messages = 0
        self.duplicates = 0
        self.first_position = 0
        self.last_position = 0
        self._streams: set[str] = set()

    def add(self, results: "Sequence[SaveResult]") -> None:
        new = [result for result in results if not result.duplicate]
        self.duplicates += len(results) - len(new)
        self.messages += len(new)
        if new:
            self.first_position = self.first_position or new[0].first_position
            self.last_position = new[-1].last_position
        if len(self._streams) < _STREAMS_MAX:
            self._streams.update([result.stream_id for result in new])

    def add_encoded(self, encoded: "Sequence[Encoded]", saved: "DraftsSaved") -> None:
        """Counts drafts that were saved, all of them new."""
        self.messages += saved.messages
        if saved.messages:
            self.first_position = self.first_position or saved.first_position
            self.last_position = saved.first_position + saved.messages - 1
        if len(self._streams) < _STREAMS_MAX:
            self._streams.update([stream_id for stream_id, *_ in encoded])

    def __str__(self) -> str:
        """`8,577 messages to 1,434 streams, positions 1–8577 (12 duplicates)`."""
        text = f"{counted(self.messages, 'message')}"
        if self.messages:
            more = " or more" if len(self._streams) >= _STREAMS_MAX else ""
            text += f" to {counted(len(self._streams), 'stream', more)}, {self._positions()}"
        return text + (f" ({counted(self.duplicates, 'duplicate')})" if self.duplicates else "")

    def _positions(self) -> str:
        if self.first_position == self.last_position:
            return f"position {self.first_position}"
        return f"positions {self.first_position}–{self.last_position}"


def counted(number: int, noun: str, more: str = "") -> str:
    """`1 message`, `1,434 streams`."""
    return f"{number:,}{more} {noun}" + ("" if number == 1 else "s")
