"""Which messages belong together: whatever is linked to a message, and to that, and so on.

Ids are asked for, which costs about the same in a store of any size. Only child correlations that
nothing else links cannot be asked for: their ids are known by how they begin, and the index knows
whole ids only. They are looked for where they are likely: in the positions just after each message
of their parent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from msgstore.analysis.links import parents_of
from msgstore.backends.protocol import MessageStore
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

Part = Literal["message_id", "request_id", "correlation_id", "causation_id"]
"""The parts of a filter that the index answers."""
Span = tuple[int, int]
"""A stretch of positions, both ends included."""


@dataclass(frozen=True, slots=True)
class Closure:
    """In order of position. `is_cut`: there is more, which was left out."""

    messages: tuple[PositionalMessage, ...]
    is_cut: bool


def find_closure(
    store: MessageStore,
    starts: Iterable[PositionalMessage],
    wanted: MessageFilter,
    count_max: int,
    look_ahead: int,
) -> Closure:
    """All that is linked to `starts`, as far as it matches `wanted`; at most `count_max` messages.

    One question to the index for each id of each kind that comes up, and `look_ahead` positions
    read after each message of a correlation, each position once.
    """
    search = _Search(store, wanted, count_max)
    for stored in starts:
        search.take(stored)
    search.follow_links()
    while look_ahead and search.look_ahead(look_ahead):
        search.follow_links()
    return Closure(tuple(search.found[at] for at in sorted(search.found)), search.is_cut)


class _Search:
    def __init__(self, store: MessageStore, wanted: MessageFilter, count_max: int) -> None:
        self.found: dict[int, PositionalMessage] = {}
        self.is_cut = False
        self._store = store
        self._wanted = wanted
        self._count_max = count_max
        self._fresh: deque[PositionalMessage] = deque()
        self._asked: set[tuple[str, str]] = set()
        self._correlations: set[str] = set()
        self._looked_at: list[Span] = []

    def take(self, stored: PositionalMessage) -> None:
        if stored.position in self.found:
            return
        if len(self.found) >= self._count_max:
            self.is_cut = True
            return
        self.found[stored.position] = stored
        self._fresh.append(stored)
        if stored.message.correlation_id is not None:
            self._correlations.add(stored.message.correlation_id)

    def follow_links(self) -> None:
        while self._fresh and not self.is_cut:
            for part, text in _questions(self._fresh.popleft()):
                self._ask(part, text)

    def look_ahead(self, count: int) -> bool:
        """Whether child correlations were found behind messages of their parents."""
        if self.is_cut:
            return False
        before = len(self.found)
        spans = [
            (stored.position + 1, stored.position + count)
            for stored in self.found.values()
            if stored.message.correlation_id is not None
        ]
        fresh = uncovered(spans, self._looked_at)
        self._looked_at = merged([*self._looked_at, *spans])
        for first, last in fresh:
            for stored in self._between(first, last):
                correlation_id = stored.message.correlation_id
                if correlation_id is not None and self._is_below(correlation_id):
                    self.take(stored)
        return len(self.found) > before

    def _is_below(self, correlation_id: str) -> bool:
        return any(above in self._correlations for above in parents_of(correlation_id))

    def _between(self, first: int, last: int) -> Iterator[PositionalMessage]:
        low = max(first, self._wanted.from_position or first)
        high = min(last, self._wanted.to_position or last)
        return self._store.get_all_messages(
            replace(self._wanted, from_position=low, to_position=high)
        )

    def _ask(self, part: Part, text: str) -> None:
        if (part, text) in self._asked:
            return
        self._asked.add((part, text))
        wanted = having(self._wanted, part, text)
        for stored in self._store.get_all_messages(wanted) if wanted else ():
            self.take(stored)
            if self.is_cut:
                return


def having(wanted: MessageFilter, part: Part, text: str) -> MessageFilter | None:
    """The filter with one id more, or None where it asks for another one already."""
    asked: Any = {part: text}
    return replace(wanted, **asked) if getattr(wanted, part) in (None, text) else None


def _questions(stored: PositionalMessage) -> Iterator[tuple[Part, str]]:
    """Parts of a filter, and what to ask for: causes first, so that a cut tree has its roots."""
    message = stored.message
    if message.causation_id is not None:
        yield "message_id", message.causation_id
    if message.request_id is not None:
        yield "request_id", message.request_id
    if message.correlation_id is not None:
        yield "correlation_id", message.correlation_id
        for above in parents_of(message.correlation_id):
            yield "correlation_id", above
    if message.id is not None:
        yield "causation_id", message.id


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same positions in as few stretches as can be, rising."""
    out: list[Span] = []
    for first, last in sorted(spans):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        else:
            out.append((first, last))
    return out


def uncovered(spans: Iterable[Span], covered: list[Span]) -> list[Span]:
    """What of `spans` does not lie in `covered`, which is merged. O(n) but for the sorting."""
    out: list[Span] = []
    at = 0
    for first, last in merged(spans):
        while at < len(covered) and covered[at][1] < first:
            at += 1
        index = at
        while index < len(covered) and covered[index][0] <= last:
            if covered[index][0] > first:
                out.append((first, covered[index][0] - 1))
            first = covered[index][1] + 1
            index += 1
        if first <= last:
            out.append((first, last))
    return out
