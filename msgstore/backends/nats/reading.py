"""Reads, a page at a time: what the server can select it selects, the rest is filtered on the way.

The server knows subjects, sequences and times: so the stream, positions and times of a filter narrow
what is fetched, and all else of it is asked of each message that comes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from msgstore.backends.nats.getting import Getter, Snapshot
from msgstore.backends.nats.names import encode_token
from msgstore.backends.nats.records import Raw, decode, format_time_us
from msgstore.model.arguments import Direction
from msgstore.model.clock import to_us
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

PAGE_MIN, PAGE_MAX = 64, 512
_TIMES_KEPT = 4096
_COMMIT_MESSAGES_MAX = 1000
_CLOCK_SLACK_US = 60_000_000
"""Servers' clocks differ, and so times may go back when another becomes the leader: by times the
search begins so much earlier."""


class Decoder:
    """Makes messages of what the server gives; knows the times of commits that it has seen."""

    def __init__(self, getter: Getter) -> None:
        self._getter = getter
        self._prefix_length = len(getter.place.subjects)
        self._times_us: OrderedDict[int, int] = OrderedDict()

    async def decode(self, raws: Sequence[Raw]) -> list[PositionalMessage]:
        """Raises CorruptStore for what msgstore did not write."""
        times_us = await self.times_us(raws)
        length = self._prefix_length
        return [decode(raw, length, us) for raw, us in zip(raws, times_us, strict=True)]

    async def times_us(self, raws: Sequence[Raw]) -> list[int]:
        """The time of a commit is that of its first message, wherever that one is."""
        times_us = self._times_us
        for raw in raws:
            if raw.batch_place == 1:
                times_us[raw.sequence] = raw.time_us
        firsts = {raw.first_of_commit for raw in raws if raw.batch_place > 1}
        known = {first: times_us[first] for first in firsts if first in times_us}
        for first in await self._getter.many_at(sorted(firsts - known.keys())):
            known[first.sequence] = times_us[first.sequence] = first.time_us
        while len(times_us) > _TIMES_KEPT:
            times_us.popitem(last=False)
        return [r.time_us if r.batch_place < 2 else known[r.first_of_commit] for r in raws]


class Pages(Protocol):
    """What is read, in pages; an empty one is the end."""

    async def next(self) -> list[Raw]: ...


class Forwards:
    """The messages of a subject, or all, from a sequence on up to one that is known to be there."""

    def __init__(
        self, getter: Getter, subject: str | None, first: int, last: int, newest: int
    ) -> None:
        """`last` is the last that is wanted, `newest` the newest of the subject."""
        self._getter = getter
        self._subject = subject
        self._next = first
        self._last = last
        self._end = newest if subject else min(last, newest)
        self._size = PAGE_MIN

    async def next(self) -> list[Raw]:
        deadline = self._getter.deadline()
        while self._next <= min(self._end, self._last):
            size = self._size if self._subject else min(self._size, self._last - self._next + 1)
            raws = await self._getter.page(self._subject, self._next, size)
            if not raws:  # a replica that is behind
                await self._getter.wait_for_replica(deadline)
                continue
            self._next = raws[-1].sequence + 1
            self._size = min(2 * self._size, PAGE_MAX)
            if wanted := [raw for raw in raws if raw.sequence <= self._last]:
                return wanted
        return []


class Backwards:
    """All messages between two sequences, the newest first."""

    def __init__(self, getter: Getter, first: int, last: int) -> None:
        self._getter = getter
        self._first = first
        self._last = last
        self._size = PAGE_MIN

    async def next(self) -> list[Raw]:
        if self._last < self._first:
            return []
        start = max(self._first, self._last - self._size + 1)
        raws = await _all_of(Forwards(self._getter, None, start, self._last, self._last))
        self._last = start - 1
        self._size = min(2 * self._size, PAGE_MAX)
        return raws[::-1]


class StreamPages:
    """The messages of one stream between two revisions, found by seeking."""

    def __init__(
        self, getter: Getter, head: Raw, first: int, last: int, direction: Direction
    ) -> None:
        self._getter = getter
        self._head = head
        self._low, self._high = first, min(last, head.revision)
        self._backwards = direction == "backwards"
        self._size = PAGE_MIN
        self._next_sequence: int | None = None

    async def next(self) -> list[Raw]:
        if self._low > self._high:
            return []
        if self._backwards:
            start = max(self._low, self._high - self._size + 1)
            raws = await self._fetch(start, self._high, None)
            self._high = start - 1
            raws.reverse()
        else:
            stop = min(self._high, self._low + self._size - 1)
            raws = await self._fetch(self._low, stop, self._next_sequence)
            self._low = stop + 1
            self._next_sequence = raws[-1].sequence + 1
        self._size = min(2 * self._size, PAGE_MAX)
        return raws

    async def _fetch(self, first: int, last: int, sequence: int | None) -> list[Raw]:
        """Revisions `first` to `last`, which are there; `sequence` is one at or before the first."""
        if sequence is None:
            sequence = await self._seek(first)
        raws: list[Raw] = []
        deadline = self._getter.deadline()
        while len(raws) <= last - first:
            more = last - first + 1 - len(raws)
            found = await self._getter.page(self._head.subject, sequence, more)
            raws += found
            if found:
                sequence = found[-1].sequence + 1
            else:
                await self._getter.wait_for_replica(deadline)
        return raws

    async def _seek(self, revision: int) -> int:
        """A sequence from which on the first of the stream has this revision: by interpolation and halves.

        Between `low` and `high` are the revisions from `low_revision` to `high_revision`.
        """
        if revision == self._head.revision:
            return self._head.sequence
        low, low_revision = 1, 0
        high, high_revision = self._head.sequence, self._head.revision
        is_estimate = True
        while low_revision < revision:
            share = (revision - low_revision) * (high - low) // (high_revision - low_revision)
            guess = low + (share if is_estimate else (high - low) // 2)
            is_estimate = not is_estimate
            raw = await self._getter.first_from(self._head.subject, guess)
            if raw.revision == revision:
                return raw.sequence
            if raw.revision < revision:
                low, low_revision = raw.sequence + 1, raw.revision + 1
            else:
                high, high_revision = guess - 1, raw.revision - 1
        return low


async def _all_of(pages: Pages) -> list[Raw]:
    raws: list[Raw] = []
    while page := await pages.next():
        raws += page
    return raws


# ---------------------------------------------------------------- filters


@dataclass(slots=True)
class Range:
    """Between which sequences matches can be."""

    first: int
    last: int


async def narrow(getter: Getter, wanted: MessageFilter, snapshot: Snapshot) -> Range:
    """Positions as they are; times by asking the server where it stood then."""
    found = Range(max(1, wanted.from_position or 1), snapshot.last)
    if wanted.to_position is not None:
        found.last = min(found.last, wanted.to_position)
    since, until = await asyncio.gather(
        _stood_at(getter, None if wanted.since is None else to_us(wanted.since) - _CLOCK_SLACK_US),
        _stood_at(getter, None if wanted.until is None else to_us(wanted.until) + _CLOCK_SLACK_US),
    )
    if wanted.since is not None:
        found.first = max(found.first, snapshot.last + 1 if since is None else since)
    if until is not None:
        # The rest of a commit has the time of its first message.
        found.last = min(found.last, until + _COMMIT_MESSAGES_MAX)
    return found


async def _stood_at(getter: Getter, time_us: int | None) -> int | None:
    """The sequence of the first message that is no older; None where none is."""
    if time_us is None:
        return None
    raw = await getter.first_since(format_time_us(max(0, time_us)))
    return None if raw is None else raw.sequence


class Hints(NamedTuple):
    """Where matches can be, as far as that is known from elsewhere."""

    positions: list[int] | None
    """The only ones; None where that is not known."""
    after: int
    """None is at this position or before it."""


async def select(
    getter: Getter, wanted: MessageFilter, direction: Direction, hints: Hints
) -> Pages:
    """Pages that hold every match, in order, as the store is now."""
    snapshot = await getter.snapshot()
    between = await narrow(getter, wanted, snapshot)
    between.first = max(between.first, hints.after + 1)
    if hints.positions is not None:
        between.first = max(between.first, min(hints.positions, default=1))
        between.last = min(between.last, max(hints.positions, default=0))
    if wanted.stream_id is None or hints.positions is not None:
        if direction == "backwards":
            return Backwards(getter, between.first, between.last)
        return Forwards(getter, None, between.first, between.last, between.last)
    head = await head_of(getter, wanted.stream_id, snapshot)
    if head is None:
        return Backwards(getter, 1, 0)
    if direction == "backwards":
        return StreamPages(getter, head, 0, head.revision, direction)
    return Forwards(getter, head.subject, between.first, between.last, head.sequence)


async def select_stream(
    getter: Getter,
    stream_id: str,
    first: int,
    last: int | None,
    direction: Direction,
    count: int | None,
) -> Pages:
    """Pages of one stream between two revisions, and no more of them than are asked for."""
    head = await head_of(getter, stream_id, await getter.snapshot())
    if head is None:
        return Backwards(getter, 1, 0)
    last = head.revision if last is None else min(last, head.revision)
    if count is not None and direction == "forwards":
        last = min(last, first + count - 1)
    elif count is not None:
        first = max(first, last - count + 1)
    return StreamPages(getter, head, first, last, direction)


async def head_of(getter: Getter, stream_id: str, snapshot: Snapshot) -> Raw | None:
    """The last message of a stream up to a snapshot."""
    if not snapshot.last:
        return None
    subject = getter.place.subjects + encode_token(stream_id)
    return (await getter.lasts([subject], snapshot)).get(subject)
