"""What differs between two JSON values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.analysis.changes import Ignored, changes, without
from msgstore.model.errors import InvalidArgument
from msgstore.model.values import json_equal


def told(a: Any, b: Any, *ignore: str) -> list[dict[str, Any]]:
    return [change.to_json() for change in changes(a, b, "data", Ignored(ignore))]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"n": 1}, {"n": 1.0}, []),
        ({"n": 1}, {"n": True}, [{"path": "data.n", "a": 1, "b": True}]),
        ({"n": 1}, {}, [{"path": "data.n", "a": 1}]),
        ({}, {"n": None}, [{"path": "data.n", "b": None}]),
        ([1, 2], [1, 3, 4], [{"path": "data.1", "a": 2, "b": 3}, {"path": "data.2", "b": 4}]),
        ({"x": {"y": [{"z": 1}]}}, {"x": {"y": [{"z": 2}]}}, [{"path": "data.x.y.0.z", "a": 1, "b": 2}]),
        ({"x": {"y": 1}}, {"x": [1]}, [{"path": "data.x", "a": {"y": 1}, "b": [1]}]),
        ("text", {"n": 1}, [{"path": "data", "a": "text", "b": {"n": 1}}]),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, [
            {"path": "data.a", "a": 1, "b": 2}, {"path": "data.b", "a": 1, "b": 2},
        ]),
    ],
)  # fmt: skip
def test_fields(a: Any, b: Any, expected: list[dict[str, Any]]) -> None:
    """Each difference has its path and both sides; what is absent on a side is left out."""
    assert told(a, b) == expected


@pytest.mark.parametrize(
    ("pattern", "covered", "open"),
    [
        ("data.at", ["data.at", "data.at.x"], ["data.atx", "data", "data.x.at"]),
        ("data.*.id", ["data.x.id", "data.0.id.y"], ["data.id", "data.x.y.id"]),
        ("data.**.id", ["data.x.id", "data.x.y.id"], ["data.xid"]),
        ("data.**", ["data.x", "data.x.y"], ["data", "metadata.x"]),
        ("*.at", ["data.at", "metadata.at"], ["data.x.at"]),
        ("data.item?", ["data.items", "data.items.0"], ["data.item", "data.item.", "data.itemss"]),
        ("data.[ab]c", ["data.ac", "data.bc"], ["data.cc"]),
        ("data.[!ab]c", ["data.cc"], ["data.ac", "data..c"]),
        ("data.[a-c]", ["data.b"], ["data.-", "data.d"]),
        ("data.a.b", ["data.a.b"], ["data.aXb"]),
        ("data.[", ["data.["], ["data"]),
    ],
)
def test_patterns(pattern: str, covered: list[str], open: list[str]) -> None:
    """`*` is a part of one step, `**` any number of steps; what is below counts no more than it does."""
    ignored = Ignored([pattern])
    assert [path for path in covered if not ignored.covers(path)] == []
    assert [path for path in open if ignored.covers(path)] == []


@pytest.mark.parametrize("pattern", ["", ".", "data.", "data..x", "data.[z-a]"])
def test_no_pattern(pattern: str) -> None:
    """What is no path is refused: it would ignore nothing."""
    with pytest.raises(InvalidArgument):
        Ignored([pattern])


def test_what_is_ignored_is_not_told() -> None:
    """Below an ignored path nothing differs, and values that are shown are without it."""
    assert told({"at": 1, "n": 1}, {"at": 2, "n": 1}, "data.at") == []
    assert told({"x": {"at": 1, "n": 1}}, {}, "data.x.at") == [{"path": "data.x", "a": {"n": 1}}]
    assert without([1, {"at": 2}], "data", Ignored(["data.0", "data.1.at"])) == [None, {}]


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x"]) | st.just(1.0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(values, values)
def test_equal_values_have_no_differences(a: Any, b: Any) -> None:
    """There is a difference exactly where JSON equality says so, and it is the same from both sides."""
    found = list(changes(a, b, "data", Ignored()))
    assert (found == []) is json_equal(a, b)
    other = list(changes(b, a, "data", Ignored()))
    assert [(c.path, c.a, c.b) for c in found] == [(c.path, c.b, c.a) for c in other]
