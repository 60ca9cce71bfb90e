"""The outcome of a save."""

from __future__ import annotations

from dataclasses import dataclass

from msgstore.model.values import Json


@dataclass(frozen=True, slots=True)
class SaveResult:
    """Where the messages of one save stand. `duplicate`: they were there before this save.

    With `count` 0 nothing was saved: revisions are the stream's present one, positions are 0.
    """

    stream_id: str
    first_revision: int
    last_revision: int
    first_position: int
    last_position: int
    count: int
    duplicate: bool = False

    def to_json(self) -> dict[str, Json]:
        return {
            "streamId": self.stream_id,
            "firstRevision": self.first_revision,
            "lastRevision": self.last_revision,
            "firstPosition": self.first_position,
            "lastPosition": self.last_position,
            "count": self.count,
            "duplicate": self.duplicate,
        }
