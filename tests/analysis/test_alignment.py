"""Longest common subsequences."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.analysis.alignment import align, common

keys = st.text("abcd", max_size=14)


def length(left: str, right: str) -> int:
    """By the definition."""

    @cache
    def best(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if left[i - 1] == right[j - 1]:
            return best(i - 1, j - 1) + 1
        return max(best(i - 1, j), best(i, j - 1))

    return best(len(left), len(right))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", []),
        ("abc", "", []),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "xyz", []),
        ("abcde", "axcye", [(0, 0), (2, 2), (4, 4)]),
        ("aab", "ab", [(0, 0), (2, 1)]),
    ],
)
def test_common(left: str, right: str, expected: list[tuple[int, int]]) -> None:
    """Pairs of equal keys, rising on both sides."""
    assert common(left, right) == expected


@given(keys, keys)
def test_as_long_as_can_be(left: str, right: str) -> None:
    """The pairs are of equal keys, rise on both sides, and there is no longer such list."""
    pairs = common(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    assert len(pairs) == length(left, right)


@given(keys, keys)
def test_sides_may_be_swapped(left: str, right: str) -> None:
    """The other way round it is the same pairs."""
    assert common(right, left) == [(j, i) for i, j in common(left, right)]


@given(keys, keys)
def test_finer_keys_go_first(left: str, right: str) -> None:
    """What the first key pairs stays paired; the second one pairs only between."""
    first = common(left, right)
    both = align(left, right, lambda x: x, lambda x: x in "ab")
    assert {*first} <= {*both}
    assert all(left[i] == right[j] or (left[i] in "ab") == (right[j] in "ab") for i, j in both)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(both))


def test_thousands_that_are_all_but_alike() -> None:
    """Twenty thousand keys of ten kinds, in which every hundredth is another one."""
    left = [f"{n * n % 10}" for n in range(20_000)]
    right = ["x" if n % 100 == 50 else key for n, key in enumerate(left)]
    assert len(common(left, right)) == 19_800
