"""Two recorded runs, message by message: what is missing, extra or changed.

Each run is a tree of causes. Beginning with the roots, what stands below two messages that belong
together is compared: stream by stream (how the messages of several streams alternate is chance),
and within a stream in order, as a longest common subsequence: first of what is the same with all
that it led to, then of what is the same itself, then of what has the same type. What finds no
partner is missing or extra, with all that is below it. Ids, times, positions and revisions are
looked at by nothing here; only the tree knows them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple

import orjson

from msgstore.analysis.alignment import align
from msgstore.analysis.changes import Change, Ignored, changes, without
from msgstore.analysis.tree import Node, build_tree
from msgstore.model.message import PositionalMessage
from msgstore.model.run_messages import lasting_data, lasting_metadata
from msgstore.model.values import MISSING, Json

FIELDS = ("streamId", "messageType", "causation", "data", "metadata")
"""Where the paths of changes begin, and what can be ignored."""
_UNDER_MAX = 10

Sign = Literal["missing", "extra", "changed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """`a` is None for what is extra, `b` for what is missing.

    `under` are the types of the messages above, the nearest last, at most ten.
    """

    a: PositionalMessage | None
    b: PositionalMessage | None
    under: tuple[str, ...]
    fields: tuple[Change, ...] = ()

    @property
    def sign(self) -> Sign:
        if self.a is None:
            return "extra"
        return "missing" if self.b is None else "changed"

    @property
    def message(self) -> PositionalMessage:
        """Of the first run, where it has one."""
        found = self.a or self.b
        assert found is not None
        return found

    def to_json(self) -> dict[str, Json]:
        out: dict[str, Json] = {
            "change": self.sign,
            "type": self.message.message.type,
            "streamId": self.message.stream_id,
            "under": list(self.under),
        }
        sides = {"a": self.a, "b": self.b}
        out |= {name: side.to_json() for name, side in sides.items() if side is not None}
        if self.fields:
            out["fields"] = [change.to_json() for change in self.fields]
        return out


@dataclass(frozen=True, slots=True)
class Comparison:
    """`same` is how many messages have a partner that differs in nothing."""

    differences: tuple[Difference, ...]
    same: int


def compare(
    a: Iterable[PositionalMessage], b: Iterable[PositionalMessage], ignored: Ignored
) -> Comparison:
    """What differs between two runs, in the order of the first; both are held in memory.

    With n and m messages below one place and in one stream the time is n·m/64 steps at worst, and
    grows with n + m where the runs are alike.
    """
    return _Comparing(_Run(a, ignored), _Run(b, ignored), ignored).run()


class _Run:
    """A tree that knows what is below each message, and what it comes to."""

    def __init__(self, messages: Iterable[PositionalMessage], ignored: Ignored) -> None:
        self.nodes = {node.stored.position: node for node in build_tree(messages).nodes}
        self.by_stream = not ignored.covers("streamId")
        self._ignored = ignored
        self._below: defaultdict[int | None, list[int]] = defaultdict(list)
        for position, node in self.nodes.items():
            self._below[node.parent].append(position)
        self.own: dict[int, bytes] = {}
        self.whole: dict[int, bytes] = {}
        for position, node in reversed(self.nodes.items()):
            self.own[position] = self._digest_of(node)
            self.whole[position] = self._digest_of_all(position)

    def groups_below(self, parent: int | None) -> dict[str, list[int]]:
        """By stream, in order of their first messages."""
        groups: dict[str, list[int]] = {}
        for position in self._below.get(parent, ()):
            groups.setdefault(self.nodes[position].stored.stream_id, []).append(position)
        return groups

    def all_below(self, position: int) -> Iterator[int]:
        """Itself, and whatever is below it."""
        waiting = [position]
        while waiting:
            position = waiting.pop()
            yield position
            waiting += reversed(self._below.get(position, ()))

    def under(self, position: int) -> tuple[str, ...]:
        types: list[str] = []
        parent = self.nodes[position].parent
        while parent is not None and len(types) < _UNDER_MAX:
            types.append(self.type_of(parent))
            parent = self.nodes[parent].parent
        return tuple(reversed(types))

    def type_of(self, position: int) -> str:
        return self.nodes[position].stored.message.type

    def _digest_of(self, node: Node) -> bytes:
        values = [node.stored.message.type]
        for field, value in _values_of(node).items():
            if not self._ignored.covers(field):
                values += [field, without(value, field, self._ignored)]
        return _hash(orjson.dumps(values, option=orjson.OPT_SORT_KEYS))

    def _digest_of_all(self, position: int) -> bytes:
        groups = [
            _hash(
                stream_id.encode() if self.by_stream else b"",
                *(self.whole[inner] for inner in members),
            )
            for stream_id, members in self.groups_below(position).items()
        ]
        return _hash(self.own[position], *sorted(groups))


def _hash(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def _values_of(node: Node) -> dict[str, Json]:
    """What of a message is compared, but for its type and its stream."""
    values = {
        "messageType": node.stored.message_type.value,
        "causation": _cause_of(node),
        "data": lasting_data(node.stored.message),
    }
    metadata = lasting_metadata(node.stored.message)
    return values if metadata is None else values | {"metadata": metadata}


def _cause_of(node: Node) -> str:
    if node.cycle:
        return "cycle"
    if node.is_orphan:
        return "outside"
    return "none" if node.parent is None else "inside"


class _Place(NamedTuple):
    """Two messages whose effects are to be compared; None above the roots. `at` is where in run A."""

    a: int | None
    b: int | None
    at: int


class _Comparing:
    def __init__(self, a: _Run, b: _Run, ignored: Ignored) -> None:
        self._a, self._b, self._ignored = a, b, ignored
        self._found: list[tuple[int, int, Difference]] = []
        """With the position in run A, or before it, and the position in run B."""
        self._same = 0
        self._places = [_Place(None, None, 0)]

    def run(self) -> Comparison:
        while self._places:
            place = self._places.pop()
            a, b = self._a.groups_below(place.a), self._b.groups_below(place.b)
            for left, right in _partners(a, b, self._a, self._b):
                self._compare_group(left, right, place.at)
        self._found.sort(key=lambda found: found[:2])
        return Comparison(tuple(difference for *_, difference in self._found), self._same)

    def _compare_group(self, left: Sequence[int], right: Sequence[int], at: int) -> None:
        pairs = _align(left, right, self._a, self._b)
        i = j = 0
        for i_next, j_next in [*pairs, (len(left), len(right))]:
            for position in left[i:i_next]:
                at = position
                self._tell_missing(position)
            for position in right[j:j_next]:
                self._tell_extra(position, at)
            if i_next < len(left):
                at = left[i_next]
                self._compare_pair(left[i_next], right[j_next])
            i, j = i_next + 1, j_next + 1

    def _compare_pair(self, a: int, b: int) -> None:
        if self._a.whole[a] == self._b.whole[b]:
            self._same += sum(1 for _ in self._a.all_below(a))
            return
        fields = tuple(_changes(self._a.nodes[a], self._b.nodes[b], self._ignored))
        if fields:
            one, other = self._a.nodes[a].stored, self._b.nodes[b].stored
            self._found.append((a, b, Difference(one, other, self._a.under(a), fields)))
        else:
            self._same += 1
        self._places.append(_Place(a, b, a))

    def _tell_missing(self, top: int) -> None:
        for position in self._a.all_below(top):
            stored = self._a.nodes[position].stored
            self._found.append((position, 0, Difference(stored, None, self._a.under(position))))

    def _tell_extra(self, top: int, at: int) -> None:
        for position in self._b.all_below(top):
            stored = self._b.nodes[position].stored
            self._found.append((at, position, Difference(None, stored, self._b.under(position))))


def _align(left: Sequence[int], right: Sequence[int], a: _Run, b: _Run) -> list[tuple[int, int]]:
    items = [(a, position) for position in left], [(b, position) for position in right]
    return align(
        *items,
        lambda item: item[0].whole[item[1]],
        lambda item: item[0].own[item[1]],
        lambda item: item[0].type_of(item[1]),
    )


def _partners(
    a: dict[str, list[int]], b: dict[str, list[int]], run_a: _Run, run_b: _Run
) -> Iterator[tuple[list[int], list[int]]]:
    """Streams that belong together: of the same name, or of the same content if names do not count."""
    if run_a.by_stream:
        for name in {**a, **b}:
            yield a.get(name, []), b.get(name, [])
        return
    left, right = [*a.values()], [*b.values()]
    for key in ("whole", "types", "first"):
        pairs = _same_groups(left, right, run_a, run_b, key)
        yield from ((left[i], right[j]) for i, j in pairs)
        taken, given = {i for i, _ in pairs}, {j for _, j in pairs}
        left = [group for i, group in enumerate(left) if i not in taken]
        right = [group for j, group in enumerate(right) if j not in given]
    yield from ((group, []) for group in left)
    yield from (([], group) for group in right)


def _same_groups(
    left: list[list[int]], right: list[list[int]], run_a: _Run, run_b: _Run, key: str
) -> list[tuple[int, int]]:
    """The first with the first of the same key, the second with the second …"""
    free: defaultdict[object, list[int]] = defaultdict(list)
    for j in reversed(range(len(right))):
        free[_key_of(right[j], run_b, key)].append(j)
    pairs = []
    for i, group in enumerate(left):
        if others := free.get(_key_of(group, run_a, key)):
            pairs.append((i, others.pop()))
    return pairs


def _key_of(group: list[int], run: _Run, key: str) -> object:
    if key == "whole":
        return tuple(run.whole[position] for position in group)
    if key == "types":
        return tuple(map(run.type_of, group))
    return run.type_of(group[0])


def _changes(a: Node, b: Node, ignored: Ignored) -> Iterator[Change]:
    left, right = _values_of(a), _values_of(b)
    for field in FIELDS[1:]:
        yield from changes(left.get(field, MISSING), right.get(field, MISSING), field, ignored)
