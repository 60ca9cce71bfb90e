"""What a repair found, what it made anew, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgstore.model.results import Finding
from msgstore.model.values import Json

LOST_TYPE = "msgstore.Lost"
"""The type of the event that stands in the place of a lost message."""
LOST_STREAM = "msgstore-lost"
"""The stream of those whose own stream nothing tells of any more."""

Placing = Literal["known", "deduced", "assumed", "unknown"]
"""How the stream and revision of a lost message were found: its row said so; only this one was
possible; it was one of several that are possible; or not at all."""


@dataclass(frozen=True, slots=True)
class LostMessages:
    """Messages that are lost: a run of revisions in one stream, first and last inclusive."""

    stream_id: str
    first_revision: int
    last_revision: int
    first_position: int
    last_position: int
    count: int
    placing: Placing

    def to_json(self) -> dict[str, Json]:
        return {
            "streamId": self.stream_id,
            "firstRevision": self.first_revision,
            "lastRevision": self.last_revision,
            "firstPosition": self.first_position,
            "lastPosition": self.last_position,
            "count": self.count,
            "placing": self.placing,
        }


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What is or was wrong with a store, and what was done; with `applied` False nothing was changed.

    `messages` counts the positions of the store, lost ones too. `rebuilt` are the files that were or
    would be made anew, `quarantine` the folder in the store that the old ones went to.
    """

    messages: int
    damage: tuple[Finding, ...]
    lost: tuple[LostMessages, ...]
    rebuilt: tuple[str, ...]
    quarantine: str | None
    applied: bool
    notes: tuple[str, ...] = ()

    @property
    def lost_count(self) -> int:
        return sum(run.count for run in self.lost)

    @property
    def is_due(self) -> bool:
        """Whether there is something to do that was not done."""
        return bool(self.rebuilt) and not self.applied

    def to_json(self) -> dict[str, Json]:
        return {
            "messages": self.messages,
            "damage": [finding.to_json() for finding in self.damage],
            "lost": [run.to_json() for run in self.lost],
            "lostCount": self.lost_count,
            "rebuilt": list(self.rebuilt),
            "quarantine": self.quarantine,
            "applied": self.applied,
            "notes": list(self.notes),
        }
