"""A part of what matches, for who looks at it page by page: no more is held than a window.

Pages begin at positions, so that nothing shifts while messages arrive, and none is read twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from msgstore.model.errors import CorruptRecord
from msgstore.model.message import PositionalMessage

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter

_STRETCH = 4096
"""Positions that are read together where there is damage: each of them may be lost."""


class Lost(NamedTuple):
    """A place where a message stood that cannot be read; it may or may not have matched."""

    position: int
    problem: str


Entry = PositionalMessage | Lost


class Page(NamedTuple):
    """Entries in order of position. `is_last`: nothing follows in the direction of reading."""

    entries: tuple[Entry, ...]
    is_last: bool


class Pager:
    """Reads pages of the messages that match. Of damage it tells in place, and goes on behind it."""

    def __init__(self, store: LocalMessageStore, filter: MessageFilter) -> None:
        self._store = store
        self._filter = filter

    def after(self, position: int, count: int) -> Page:
        """The first `count` behind a position; 0 is before all."""
        return self._page(position + 1, None, count, backwards=False)

    def before(self, position: int | None, count: int) -> Page:
        """The last `count` before a position; None is behind all."""
        return self._page(None, None if position is None else position - 1, count, backwards=True)

    def _page(self, first: int | None, last: int | None, count: int, *, backwards: bool) -> Page:
        wanted = _between(self._filter, first, last)
        if wanted is None:
            return Page((), True)
        try:
            found: list[Entry] = list(self._read(wanted, count, backwards))
        except CorruptRecord:
            if not tells_of_damage(self._store):
                raise  # a pack, for one, in which nothing stands behind damage
            found = self._read_around(wanted, count, backwards)
        if backwards:
            found.reverse()
        return Page(tuple(found), len(found) < count)

    def _read(
        self, wanted: MessageFilter, count: int | None, backwards: bool, **options: Any
    ) -> Iterator[PositionalMessage]:
        direction: Any = "backwards" if backwards else "forwards"
        return self._store.get_all_messages(wanted, count, direction=direction, **options)

    def _read_around(self, wanted: MessageFilter, count: int, backwards: bool) -> list[Entry]:
        """Stretch by stretch, with what is lost; in the order of reading."""
        end = self._store.get_stats().total_messages
        first = max(1, wanted.from_position or 1)
        last = end if wanted.to_position is None else min(end, wanted.to_position)
        found: list[Entry] = []
        while first <= last and len(found) < count:
            low = max(first, last - _STRETCH + 1) if backwards else first
            high = last if backwards else min(last, first + _STRETCH - 1)
            found += self._stretch(wanted, low, high, backwards)
            first, last = (first, low - 1) if backwards else (high + 1, last)
        return found[:count]

    def _stretch(
        self, wanted: MessageFilter, first: int, last: int, backwards: bool
    ) -> list[Entry]:
        lost: dict[int, Lost] = {}

        def tell(error: CorruptRecord) -> None:
            if error.position is not None:
                lost[error.position] = Lost(error.position, error.problem)

        part = replace(wanted, from_position=first, to_position=last)
        read = list(self._read(part, None, backwards, on_damage=tell))
        both: list[Entry] = [*read, *lost.values()]
        return sorted(both, key=lambda entry: entry.position, reverse=backwards)


def tells_of_damage(store: LocalMessageStore) -> bool:
    """Whether its reads take `on_damage`, and go on behind what cannot be read."""
    has_files: bool = getattr(store, "has_files", hasattr(store, "verify"))
    return has_files and hasattr(store, "fingerprint")


def _between(wanted: MessageFilter, first: int | None, last: int | None) -> MessageFilter | None:
    """What of `wanted` stands between two positions; None where nothing can."""
    low = max(first or 1, wanted.from_position or 1)
    given = [high for high in (last, wanted.to_position) if high is not None]
    high = min(given, default=None)
    if high is not None and high < low:
        return None
    return replace(wanted, from_position=low, to_position=high)


@dataclass(slots=True)
class Window:
    """Neighbours among what matches, at most `size` of them; pages are added at either end.

    What is held is always without a gap: when it is full, the far end is let go.
    """

    size: int
    entries: tuple[Entry, ...] = ()
    is_at_start: bool = True
    is_at_end: bool = True

    def show(self, page: Page, *, is_at_start: bool, is_at_end: bool) -> None:
        """Begins anew with one page."""
        self.entries = page.entries[-self.size :]
        self.is_at_start, self.is_at_end = is_at_start, is_at_end

    def append(self, page: Page) -> int:
        """Adds what comes after; returns how many were let go at the front."""
        new = _newer(page.entries, self.entries[-1].position if self.entries else 0)
        both = self.entries + new
        let_go = max(0, len(both) - self.size)
        self.entries = both[let_go:]
        self.is_at_end = page.is_last
        self.is_at_start = self.is_at_start and not let_go
        return let_go

    def prepend(self, page: Page) -> int:
        """Adds what comes before; returns how many were added at the front."""
        both = page.entries + self.entries
        self.is_at_end = self.is_at_end and len(both) <= self.size
        self.entries = both[: self.size]
        self.is_at_start = page.is_last
        return len(page.entries)

    def index_of(self, position: int) -> int:
        """Where the first entry at or behind a position is; the last one where there is none."""
        at = bisect_left(self.entries, position, key=lambda entry: entry.position)
        return max(0, min(at, len(self.entries) - 1))


def _newer(entries: tuple[Entry, ...], position: int) -> tuple[Entry, ...]:
    """Those behind a position: a page that was asked for twice counts once."""
    return entries[bisect_left(entries, position + 1, key=lambda entry: entry.position) :]
