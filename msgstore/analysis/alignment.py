"""What two sequences have in common: a longest common subsequence.

By bit vectors, after H. Hyyrö, "Bit-parallel LCS-length computation revisited" (2004): a row of the
table of lengths is one whole number, with a 0 where the length rises. A row costs a few operations
on such a number, so n keys and m keys take n·m/64 steps of the machine. Of the rows every k-th is
kept, and those between are made again on the way back: memory is about 2·√n·m/8 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from math import isqrt
from typing import Any, TypeVar

T = TypeVar("T")
Pair = tuple[int, int]


def align(left: Sequence[T], right: Sequence[T], *keys: Callable[[T], Any]) -> list[Pair]:
    """Index pairs, rising on both sides, of items that are equal under one of the keys.

    The first key pairs as many as it can; between these pairs the next one does, and so on. Keys are
    ordered values. Swapping the sides swaps the pairs and changes nothing else.
    """
    pairs: list[Pair] = [(-1, -1), (len(left), len(right))]
    for key in keys:
        kept: list[Pair] = [pairs[0]]
        for (i, j), (i_next, j_next) in pairwise(pairs):
            part = [key(item) for item in left[i + 1 : i_next]]
            other = [key(item) for item in right[j + 1 : j_next]]
            kept += [(i + 1 + a, j + 1 + b) for a, b in common(part, other)]
            kept.append((i_next, j_next))
        pairs = kept
    return pairs[1:-1]


def common(left: Sequence[Any], right: Sequence[Any]) -> list[Pair]:
    """Index pairs of a longest common subsequence of ordered keys; of several always the same one."""
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    pairs = [(i, i) for i in range(start)]
    inner = _common_inner(left[start : len(left) - end], right[start : len(right) - end])
    pairs += [(start + i, start + j) for i, j in inner]
    return pairs + [(len(left) - k, len(right) - k) for k in range(end, 0, -1)]


def _common_inner(left: Sequence[Any], right: Sequence[Any]) -> list[Pair]:
    """Leaves out keys that stand on one side only, and puts the sides in an order of their own."""
    shared = {*left} & {*right}
    if not shared:
        return []
    rows = [i for i, key in enumerate(left) if key in shared]
    columns = [j for j, key in enumerate(right) if key in shared]
    a, b = [left[i] for i in rows], [right[j] for j in columns]
    if (len(a), a) > (len(b), b):
        found = [(j, i) for i, j in _longest(b, a)]
    else:
        found = _longest(a, b)
    return [(rows[i], columns[j]) for i, j in found]


def _longest(rows: Sequence[Hashable], columns: Sequence[Hashable]) -> list[Pair]:
    table = _Table(rows, columns)
    pairs: list[Pair] = []
    row, column = len(rows), len(columns)
    while row and column:
        if table.is_level(row, column):
            column -= 1
            continue
        row -= 1
        if row and not table.is_level(row, column):
            continue
        column -= 1
        pairs.append((row, column))
    return pairs[::-1]


class _Table:
    """Row r says of each column whether its first r keys have more in common with one column more."""

    def __init__(self, rows: Sequence[Hashable], columns: Sequence[Hashable]) -> None:
        self._rows = rows
        self._all = (1 << len(columns)) - 1
        self._masks: dict[Hashable, int] = dict.fromkeys(rows, 0)
        self._every = max(1, isqrt(len(rows)))
        for key, places in _places(columns).items():
            if key in self._masks:
                self._masks[key] = _mask(places, len(columns))
        self._kept = [self._all]
        value = self._all
        for number, key in enumerate(rows, 1):
            value = self._next(value, key)
            if number % self._every == 0:
                self._kept.append(value)
        self._stretch: list[int] = []
        self._stretch_first = -1

    def is_level(self, row: int, column: int) -> bool:
        """Whether the first `row` keys have no more in common with `column` columns than with one less."""
        number = row // self._every
        if number != self._stretch_first:
            self._stretch_first = number
            self._stretch = [self._kept[number]]
            first = number * self._every
            for key in self._rows[first : first + self._every - 1]:
                self._stretch.append(self._next(self._stretch[-1], key))
        return bool(self._stretch[row - number * self._every] >> (column - 1) & 1)

    def _next(self, value: int, key: Hashable) -> int:
        hits = value & self._masks[key]
        return ((value + hits) | (value - hits)) & self._all


def _places(columns: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = {}
    for index, key in enumerate(columns):
        places.setdefault(key, []).append(index)
    return places


def _mask(places: Sequence[int], size: int) -> int:
    """A number with these bits: set byte by byte, for `1 << n` costs n bits each time."""
    data = bytearray(size // 8 + 1)
    for place in places:
        data[place // 8] |= 1 << place % 8
    return int.from_bytes(data, "little")
