"""Where a stream must stand for a save to go through: optimistic concurrency.

A revision is 0-based; a stream without messages is at revision -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgstore.model.errors import InvalidArgument
from msgstore.model.values import excerpt

_UNSPEAKABLE = 10**40
"""No stream comes to such a revision, and Python would not write out one of thousands of digits."""
EMPTY_REVISION = -1
"""The revision of a stream that holds nothing, or that nobody has written to."""


class Expectation(Protocol):
    """Answers one question: may a save go through when the stream is at `actual`?"""

    def allows(self, actual: int) -> bool: ...


class _Choice:
    """A choice without a number: one is as good as another of its kind."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


class _Any(_Choice):
    __slots__ = ()

    def allows(self, actual: int) -> bool:
        return True

    def __str__(self) -> str:
        return "any"

    def __repr__(self) -> str:
        return "ANY"


class _StreamExists(_Choice):
    __slots__ = ()

    def allows(self, actual: int) -> bool:
        return actual > EMPTY_REVISION

    def __str__(self) -> str:
        return "an existing stream"

    def __repr__(self) -> str:
        return "STREAM_EXISTS"


@dataclass(frozen=True, slots=True)
class Exactly:
    """The stream must be at `revision`: 0 or more, or -1 for "must be empty"."""

    revision: int

    def __post_init__(self) -> None:
        if isinstance(self.revision, bool) or not isinstance(self.revision, int):
            raise InvalidArgument(
                "expected_revision", f"{excerpt(self.revision)} is not a revision"
            )
        if self.revision < EMPTY_REVISION:
            raise InvalidArgument("expected_revision", f"{excerpt(self.revision)} is below -1")
        if self.revision >= _UNSPEAKABLE:
            raise InvalidArgument("expected_revision", f"{excerpt(self.revision)} is no revision")

    def allows(self, actual: int) -> bool:
        return actual == self.revision

    def __str__(self) -> str:
        return str(self.revision)


ANY = _Any()
NO_STREAM = Exactly(EMPTY_REVISION)
STREAM_EXISTS = _StreamExists()

ExpectedRevision = int | Exactly | _Any | _StreamExists | None
"""What callers may give: a number, ANY (as None), NO_STREAM or STREAM_EXISTS."""


def to_expectation(expected: ExpectedRevision) -> Expectation:
    """Raises InvalidArgument for anything that is not an ExpectedRevision."""
    if expected is None:
        return ANY
    if isinstance(expected, (Exactly, _Any, _StreamExists)):
        return expected
    return Exactly(expected)
