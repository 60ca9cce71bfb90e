"""The tree of causes: each message once, below what led to it.

A message stands below the message that its `causation_id` names; else, if it is an event, below the
command with its `request_id`; else, if its correlation is a child (`<parent>-<ms>-<random>`), below
the first message of the nearest correlation above that is there. Links are laid in this order, and
one that would close a circle is not laid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgstore.analysis.links import Clock, Link, parents_of, time_us
from msgstore.model.message import MessageType, PositionalMessage
from msgstore.model.values import Json

GUIDES_MAX = 24


@dataclass(frozen=True, slots=True)
class Node:
    """A message in its place; messages are named by their positions.

    `is_orphan`: it names a cause that is not in the tree. `cycle`: what it is caused by and causes
    again, beginning with itself; of a cycle the message of the lowest position is the root.
    """

    stored: PositionalMessage
    parent: int | None
    link: Link | None
    depth: int
    is_orphan: bool
    cycle: tuple[int, ...]
    offset_us: int | None
    """Since the earliest message of the tree."""
    gap_us: int | None
    """Since its parent."""
    is_slowest: bool
    guides: tuple[bool, ...]
    """Whether something follows on each level above and on its own; the innermost 24."""
    is_start: bool

    def to_json(self) -> dict[str, Json]:
        """The JSON of the message, and under `trace` its place; absent fields are left out."""
        trace: dict[str, Json] = {"depth": self.depth}
        if self.parent is not None:
            trace |= {"parent": self.parent, "link": str(self.link)}
        if self.offset_us is not None:
            trace["offsetMs"] = self.offset_us / 1000
        if self.gap_us is not None:
            trace["gapMs"] = self.gap_us / 1000
        if self.cycle:
            trace["cycle"] = list(self.cycle)
        flags = {"slowest": self.is_slowest, "orphan": self.is_orphan, "start": self.is_start}
        trace |= {name: True for name, holds in flags.items() if holds}
        return self.stored.to_json() | {"trace": trace}


@dataclass(frozen=True, slots=True)
class Tree:
    """`nodes` from the roots down, each followed by what is below it, by position."""

    nodes: tuple[Node, ...]
    slowest: Node | None
    """Where most time passed between a message and its cause, or a command and its event."""


def build_tree(
    messages: Iterable[PositionalMessage],
    clock: Clock = "recorded",
    starts: frozenset[int] = frozenset(),
) -> Tree:
    """Every message once, whatever the links between them say. O(n log n).

    `starts` are positions that were asked for.
    """
    by_position = {stored.position: stored for stored in messages}
    forest = _Forest(by_position)
    forest.grow()
    times = {position: time_us(stored, clock) for position, stored in by_position.items()}
    begun = min((time for time in times.values() if time is not None), default=0)
    gaps = {
        position: _between(times[parent], times[position])
        for position, (parent, _) in forest.parents.items()
    }
    slowest = _slowest(forest, gaps)
    nodes = []
    for position, depth, guides in forest.walk():
        parent, link = forest.parents.get(position, (None, None))
        node = Node(
            stored=by_position[position],
            parent=parent,
            link=link,
            depth=depth,
            is_orphan=position in forest.orphans,
            cycle=forest.cycles.get(position, ()),
            offset_us=_between(begun, times[position]),
            gap_us=gaps.get(position),
            is_slowest=position == slowest,
            guides=guides,
            is_start=position in starts,
        )
        nodes.append(node)
    return Tree(tuple(nodes), next((node for node in nodes if node.is_slowest), None))


def _between(start_us: int | None, end_us: int | None) -> int | None:
    return None if start_us is None or end_us is None else end_us - start_us


def _slowest(forest: _Forest, gaps: dict[int, int | None]) -> int | None:
    """Child correlations do not count: from the first message above to theirs is no one's doing."""
    certain = [
        (gap, -position)
        for position, gap in gaps.items()
        if gap is not None and gap > 0 and forest.parents[position][1] is not Link.CORRELATION
    ]
    return -max(certain)[1] if certain else None


class _Forest:
    """Parents by position, and no circle among them."""

    def __init__(self, messages: dict[int, PositionalMessage]) -> None:
        self._messages = dict(sorted(messages.items()))
        self.parents: dict[int, tuple[int, Link]] = {}
        self.orphans: set[int] = set()
        self.cycles: dict[int, tuple[int, ...]] = {}
        self._above: dict[int, int] = {}

    def grow(self) -> None:
        self._lay_causation()
        self._lay_requests()
        self._lay_correlations()

    def walk(self) -> Iterator[tuple[int, int, tuple[bool, ...]]]:
        """Position, depth and guides of each message, parents first."""
        below: defaultdict[int | None, list[int]] = defaultdict(list)
        for position in reversed(self._messages):
            below[self.parents[position][0] if position in self.parents else None].append(position)
        waiting: list[tuple[int, int, tuple[bool, ...]]] = []
        waiting += [(position, 0, ()) for position in below[None]]
        while waiting:
            position, depth, guides = waiting.pop()
            yield position, depth, guides
            inner = below.get(position, ())
            for index, child in enumerate(inner):  # the last of them comes first
                waiting.append((child, depth + 1, (*guides, index > 0)[-GUIDES_MAX:]))

    def _lay_causation(self) -> None:
        """From the last position down, so that what closes a cycle is the lowest one in it."""
        by_id: dict[str, int] = {}
        for position, stored in self._messages.items():
            if stored.message.id is not None:
                by_id.setdefault(stored.message.id, position)
        for position, stored in reversed(self._messages.items()):
            if stored.message.causation_id is None:
                continue
            cause = by_id.get(stored.message.causation_id)
            if cause is None:
                self.orphans.add(position)
            elif not self._lay(position, cause, Link.CAUSATION):
                self.cycles[position] = (position, *self._up(cause, position))

    def _lay_requests(self) -> None:
        commands: defaultdict[str, list[PositionalMessage]] = defaultdict(list)
        for stored in self._messages.values():
            if stored.message.request_id and stored.message_type is MessageType.COMMAND:
                commands[stored.message.request_id].append(stored)
        for position, stored in self._messages.items():
            asked = commands.get(stored.message.request_id or "", ())
            if asked and stored.message_type is MessageType.EVENT and self._is_free(position):
                self._lay(position, _command_of(stored, asked).position, Link.REQUEST)

    def _lay_correlations(self) -> None:
        first: dict[str, int] = {}
        for position, stored in self._messages.items():
            if stored.message.correlation_id is not None:
                first.setdefault(stored.message.correlation_id, position)
        for position, stored in self._messages.items():
            if stored.message.correlation_id is None or not self._is_free(position):
                continue
            above = parents_of(stored.message.correlation_id)
            parent = next((first[one] for one in above if one in first), None)
            if parent is not None and parent < position:
                self._lay(position, parent, Link.CORRELATION)

    def _is_free(self, position: int) -> bool:
        return position not in self.parents and position not in self.cycles

    def _lay(self, child: int, parent: int, link: Link) -> bool:
        """Puts a root below another message; False, and nothing is changed, if that is below it."""
        if self._top(parent) == child:
            return False
        self.parents[child] = (parent, link)
        self._above[child] = parent
        return True

    def _top(self, position: int) -> int:
        """The root above; ways that were gone once are made short."""
        passed = []
        while (above := self._above.get(position)) is not None:
            passed.append(position)
            position = above
        for one in passed:
            self._above[one] = position
        return position

    def _up(self, position: int, top: int) -> Iterator[int]:
        while position != top:
            yield position
            position = self.parents[position][0]


def _command_of(event: PositionalMessage, commands: list[PositionalMessage]) -> PositionalMessage:
    """Where several have its request id: one of its correlation, of its session, the latest before it."""

    def worth(command: PositionalMessage) -> tuple[bool, bool, bool, int]:
        before = command.position < event.position
        return (
            command.message.correlation_id == event.message.correlation_id,
            command.session_id == event.session_id,
            before,
            command.position if before else -command.position,
        )

    return max(commands, key=worth)
