"""Which columns fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from msgstore.cli.render.layout import ESSENTIAL, GAP, Wish, fit


def wish(name: str, natural: int, **more: int) -> Wish:
    given = {"comfortable": natural, "least": natural, "rank": 0, "whole": False} | more
    return Wish(name, natural, **given)  # type: ignore[arg-type]


def test_without_a_limit_everything_is_natural() -> None:
    """No width, no limits."""
    assert fit([wish("a", 500), wish("b", 3, rank=1)], None) == {"a": 500, "b": 3}


def test_extras_go_before_comfort() -> None:
    """An extra column is dropped before data has less than it is comfortable with."""
    columns = [
        wish("id", 10),
        wish("extra", 10, rank=1),
        wish("data", 50, comfortable=30, least=10),
    ]
    assert fit(columns, 54) == {"id": 10, "extra": 10, "data": 30}
    assert fit(columns, 53) == {"id": 10, "data": 41}


def test_data_shrinks_before_essential_columns_go() -> None:
    """Data gives way down to its least, then the least dear column goes."""
    columns = [wish("id", 10), wish("time", 8, rank=ESSENTIAL), wish("data", 50, least=10)]
    assert fit(columns, 32) == {"id": 10, "time": 8, "data": 10}
    assert fit(columns, 31) == {"id": 10, "data": 19}


def test_whole_columns_have_two_sizes() -> None:
    """A column that is of use only whole stays at its least until all of it fits."""
    columns = [wish("kind", 9, least=1, whole=1), wish("data", 50, least=10)]
    assert fit(columns, 20) == {"kind": 1, "data": 17}
    assert fit(columns, 21) == {"kind": 9, "data": 10}


def test_what_cannot_be_dropped_is_cut() -> None:
    """In the end the widest column is cut."""
    assert fit([wish("id", 10), wish("name", 30)], 20) == {"id": 9, "name": 9}


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 15), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    st.integers(30, 200),
)
def test_nothing_runs_over(columns: list[tuple[int, int, int, bool]], width: int) -> None:
    """Whatever the columns, what is shown fits into the width."""
    wishes = [
        Wish(str(i), natural, natural, min(natural, least), rank, whole)
        for i, (natural, least, rank, whole) in enumerate(columns)
    ]
    widths = fit(wishes, width)
    assert sum(widths.values()) + GAP * (len(widths) - 1) <= width
