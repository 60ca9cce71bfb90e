"""No message that matches is passed over: what is sought stands in the bytes of its record."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from msgstore import MessageFilter
from msgstore.engine.needles import ANYTHING, needle_of
from msgstore.format.record import pack_body
from msgstore.model.filter import Condition
from msgstore.model.values import json_equal

KEYS = st.sampled_from(["a", "b", "a.b", "0", "1.a", "", "ä", "total"]) | st.text(max_size=3)
NUMBERS = (
    st.integers(-(1 << 63), (1 << 64) - 1)
    | st.integers(-300, 300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 0.0, -0.0, 1 << 53, float(1 << 63), 127, 128, -32, -33, 65535])
)
SCALARS = NUMBERS | st.none() | st.booleans() | st.text(max_size=40)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def paths_in(value: Any, prefix: str = "") -> list[str]:
    """Every way into `value`, by keys and by places in lists."""
    items = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        items = [(str(index), item) for index, item in enumerate(value)]
    found = []
    for key, item in items:
        found.append(prefix + key)
        found += paths_in(item, prefix + key + ".")
    return found


def other_form(value: Any) -> Any:
    """A number that is equal and packed otherwise, if there is one; maps the other way about."""
    if isinstance(value, dict):
        return dict(reversed([(key, other_form(item)) for key, item in value.items()]))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return float(value) if float(value) == value else value
    return int(value) if value == int(value) and abs(value) < 1 << 63 else value


def found_in(data: Any, wanted: MessageFilter) -> bool:
    body = pack_body((None, "Type", data, b"i" * 16, None, None, None, None, None))
    return any(form in body for form in needle_of(wanted))


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.data(), st.booleans())
def test_what_matches_holds_the_needle(data: Any, draw: st.DataObject, by_where: bool) -> None:
    path = draw.draw(st.sampled_from(paths_in(data)))
    assume(path)
    values = [data]
    for _ in range(6):  # every value in it, to ask for one that is there
        values += [
            item
            for value in values
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        ][:40]
    value = other_form(draw.draw(st.sampled_from(values[1:])))
    wanted = MessageFilter(json_filter={path: value})
    if by_where:
        wanted = MessageFilter(where=[Condition(path, "=", value)])
    if wanted.matches_data(data):
        assert found_in(data, wanted)


@given(NUMBERS, NUMBERS)
@example(0, -0.0)
@example(0.0, -0.0)
@example(-0.0, 0)
@example(1 << 53, float(1 << 53))
@example((1 << 53) + 1, float(1 << 53))
def test_equal_numbers_find_each_other(stored: float, sought: float) -> None:
    if json_equal(stored, sought):
        assert found_in({"total": stored}, MessageFilter(json_filter={"total": sought}))


def test_a_value_is_sought_with_its_key() -> None:
    """Else every message that holds a 7 anywhere would have to be unpacked."""
    wanted = MessageFilter(json_filter={"total": 7})
    assert found_in({"total": 7}, wanted)
    assert not found_in({"other": 7, "total": 8}, wanted)
    assert not found_in({"total": "7"}, wanted)


def test_where_nothing_is_known_everything_is_looked_at() -> None:
    assert needle_of(MessageFilter(where="total>7")) == ANYTHING
    assert needle_of(MessageFilter(json_filter={"list": [1, 2]})) == ANYTHING
