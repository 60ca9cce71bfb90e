"""Texts and JSON values: what is accepted, and the path of what is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.model import values
from msgstore.model.errors import InvalidMessage
from msgstore.model.values import (
    MISSING,
    check_json,
    check_text,
    join_key,
    json_equal,
    look_up,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


OFFENDERS: dict[str, tuple[Any, str, str]] = {
    "NaN in the data itself": (float("nan"), "data", "NaN is not JSON"),
    "NaN deep within": (
        {"items": [0, 1, {"price": float("nan")}]},
        "data.items[2].price",
        "NaN is not JSON",
    ),
    "Infinity": ([float("inf")], "data[0]", "Infinity is not JSON"),
    "-Infinity": ([float("-inf")], "data[0]", "-Infinity is not JSON"),
    "2**64": ({"n": 2**64}, "data.n", "the integer does not fit into 64 bits"),
    "-2**63 - 1": ({"n": -(2**63) - 1}, "data.n", "the integer does not fit into 64 bits"),
    "a huge integer": (
        {"n": 1 << 20_000},
        "data.n",
        "the integer does not fit into 64 bits",
    ),
    "bytes": ({"raw": b"x"}, "data.raw", "bytes is not JSON"),
    "a set": ({"s": set()}, "data.s", "a set is not JSON"),
    "a datetime": ([datetime(2026, 1, 1)], "data[0]", "a datetime is not JSON"),
    "an object": ({"x": OSError()}, "data.x", "a value of type OSError is not JSON"),
    "a number for a key": ({"a": {1: 2}}, "data.a", "key 1 is a value of type int, not text"),
    "bytes for a key": ({b"a": 2}, "data", "key b'a' is bytes, not text"),
    "a surrogate": (["\ud800"], "data[0]", "lone surrogate U+D800 is not Unicode text"),
    "a surrogate in a key": ({"\udcff": 1}, "data", "lone surrogate U+DCFF is not Unicode text"),
    "a key that needs brackets": ({"a b": b""}, "data['a b']", "bytes is not JSON"),
    "a key with a dot": ({"a.b": b""}, "data['a.b']", "bytes is not JSON"),
    "a key with an escape": ({"\x1b[2J": b""}, "data['\\x1b[2J']", "bytes is not JSON"),
    "within a tuple": ((1, b""), "data[1]", "bytes is not JSON"),
    "the first of two": ([1, b"", float("nan")], "data[1]", "bytes is not JSON"),
    "101 levels": (nested(101), "data" + "[0]" * 24 + "[...", "nested deeper than 100"),
}


@pytest.mark.parametrize("case", OFFENDERS)
def test_an_offender(case: str) -> None:
    """The error names the path of the first offender, and what is wrong with it."""
    value, path, problem = OFFENDERS[case]
    with pytest.raises(InvalidMessage) as caught:
        check_json(value, "data")
    assert (caught.value.path, caught.value.problem) == (path, problem)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, 2**64 - 1, -(2**63), -0.0, 1e308, "", "\x00", "🛒", [], {}, ()),
        {"": {"a": [1, (2.5, None)]}},
        nested(100),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_json_value(value: Any) -> None:
    """JSON values pass, up to 100 levels and the bounds of 64 bits."""
    check_json(value, "data")


def test_a_value_within_itself() -> None:
    """A list that holds itself is too deep, not an endless loop."""
    knot: list[Any] = []
    knot.append(knot)
    with pytest.raises(InvalidMessage, match="nested deeper than 100"):
        check_json(knot, "data")


def test_a_long_path_is_cut() -> None:
    """The path in an error is at most 80 characters long."""
    with pytest.raises(InvalidMessage) as caught:
        check_json({"k" * 500: b""}, "data")
    assert len(caught.value.path) == 80
    assert caught.value.path.endswith("kkk...")


BAD_TEXTS: dict[str, tuple[Any, str]] = {
    "empty": ("", "must not be empty"),
    "1,025 bytes": ("x" * 1025, "takes 1,025 bytes; the limit is 1,024"),
    "513 umlauts": ("ä" * 513, "takes 1,026 bytes; the limit is 1,024"),
    "a line feed": ("a\nb", "holds the control character U+000A"),
    "a NUL": ("\x00", "holds the control character U+0000"),
    "a DEL": ("a\x7f", "holds the control character U+007F"),
    "a C1 control": ("\x9b", "holds the control character U+009B"),
    "a surrogate": ("\udfff", "holds a lone surrogate, which is not Unicode text"),
    "None": (None, "must be text, not a value of type NoneType"),
    "bytes": (b"a", "must be text, not bytes"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_a_bad_text(case: str) -> None:
    """A text that names nothing is refused with what is wrong with it."""
    value, problem = BAD_TEXTS[case]
    with pytest.raises(InvalidMessage) as caught:
        check_text(value, "stream_id")
    assert (caught.value.path, caught.value.problem) == ("stream_id", problem)


@pytest.mark.parametrize(
    "text", ["a", " ", "ä" * 512, "x" * 1024, "\u2028", "\xa0", "../x", "$all"]
)
def test_a_text(text: str) -> None:
    """Any other text is returned as it is."""
    assert check_text(text, "stream_id") == text


def test_joining_keys() -> None:
    """A plain name follows a dot, anything else stands in brackets and in ASCII."""
    assert join_key("data", "total") == "data.total"
    assert join_key("data", "a-b_1") == "data.a-b_1"
    assert join_key("data", "1a") == "data['1a']"
    assert join_key("data", "ä\n") == "data['\\xe4\\n']"


EQUAL: dict[str, tuple[Any, Any, bool]] = {
    "1 and 1.0": (1, 1.0, True),
    "0.0 and -0.0": (0.0, -0.0, True),
    "1 and true": (1, True, False),
    "0.0 and false": (0.0, False, False),
    "true and true": (True, True, True),
    "null and false": (None, False, False),
    "null and 0": (None, 0, False),
    "text and number": ("1", 1, False),
    "2**53 + 1 and its float": (2**53 + 1, float(2**53), False),
    "objects in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
    "an object with more": ({"a": 1}, {"a": 1, "b": 2}, False),
    "null and absent": ({"a": None}, {"b": None}, False),
    "a tuple and a list": ((1, [2]), [1, (2,)], True),
    "a list with more": ([1], [1, 2], False),
    "a list and an object": ([], {}, False),
    "true deep within": ({"a": [{"b": 1}]}, {"a": [{"b": True}]}, False),
}


@pytest.mark.parametrize("case", EQUAL)
def test_equality(case: str) -> None:
    """Values are equal as JSON has it, in both directions."""
    left, right, equal = EQUAL[case]
    assert json_equal(left, right) is equal
    assert json_equal(right, left) is equal


DATA = {
    "orderId": "o-1",
    "a.b": "literal",
    "a": {"b": "dotted", "c": None, "0": "key"},
    "items": [{"sku": "x"}, [10, 20]],
    "": {"": 1},
}

PATHS: dict[str, Any] = {
    "orderId": "o-1",
    "a.b": "literal",
    "a.c": None,
    "a.0": "key",
    "items.0.sku": "x",
    "items.1.1": 20,
    "items.01.1": 20,
    "": {"": 1},
    ".": 1,
    "items": [{"sku": "x"}, [10, 20]],
    "nowhere": MISSING,
    "a.c.d": MISSING,
    "orderId.0": MISSING,
    "items.2": MISSING,
    "items.-1": MISSING,
    "items.x": MISSING,
    "items.²": MISSING,
    "items." + "9" * 5000: MISSING,
    "a.": MISSING,
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:20])
def test_looking_up(path: str) -> None:
    """A literal key wins; dots part steps, and a step into a list is an index."""
    assert look_up(DATA, path) == PATHS[path]


@pytest.mark.parametrize("data", [None, 5, "text", True])
def test_looking_into_nothing(data: Any) -> None:
    """There is nothing to be found in a scalar."""
    assert look_up(data, "0") is MISSING


class Text(str):
    """A text of another class."""


ODD = st.sampled_from(
    [b"", 2**64, -(2**63) - 1, float("nan"), float("inf"), "\ud800", "ä", Text("x"), (1,), set()]
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**64 + 1)
    | st.floats()
    | st.text(max_size=3)
    | ODD,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=2) | st.integers(0, 3) | ODD.filter(bool).map(repr), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(value=ANYTHING)
def test_the_quick_look_lets_nothing_pass(value: Any) -> None:
    """What is taken for JSON at a glance is so for the closer look too."""
    if values._is_plain(value, values.NESTING_MAX):
        values._check(value, values.NESTING_MAX)
