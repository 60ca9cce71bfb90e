"""Records that the command line makes itself."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from msgstore.cli.settings import Settings

if TYPE_CHECKING:
    from msgstore.model.message import PositionalMessage
    from msgstore.model.results import SessionInfo
    from msgstore.model.values import Json


class Count(NamedTuple):
    """How many messages there are under one name; `total` of all names, `largest` of any."""

    group: str
    name: str
    number: int
    total: int
    largest: int

    def to_json(self) -> "dict[str, Json]":
        return {self.group: self.name, "count": self.number}


def counts_of(counts: Mapping[str, int], group: str) -> Iterator[Count]:
    total, largest = sum(counts.values()), max(counts.values(), default=0)
    for name, number in counts.items():
        yield Count(group, name, number, total, largest)


def zone_of(settings: Settings) -> tzinfo:
    """People read local hours, programs UTC."""
    if settings.output_format("table") not in ("table", "wide"):
        return UTC
    from msgstore.cli.times import LocalZone

    return LocalZone()


class Session(NamedTuple):
    """A session; whether it is the store's active one; and its last messages, for people."""

    info: "SessionInfo"
    is_active: bool
    latest: "Iterable[PositionalMessage]" = ()

    def to_json(self) -> "dict[str, Json]":
        return self.info.to_json() | ({"active": True} if self.is_active else {})


class StuckCommand(NamedTuple):
    """A command that no event answers, and for how long it has been on record."""

    stored: "PositionalMessage"
    age: timedelta

    @classmethod
    def at(cls, stored: "PositionalMessage", now: datetime) -> "StuckCommand":
        return cls(stored, max(now - stored.timestamp, timedelta()))

    def to_json(self) -> "dict[str, Json]":
        return {"ageMs": self.age // timedelta(milliseconds=1)} | self.stored.to_json()
