"""Times between two types."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.analysis.latency import Bin, Pairing, histogram, measure, percentile
from msgstore.model.message import PositionalMessage

from .messages import stored


def pairs(*messages: PositionalMessage, end: str = "B") -> list[tuple[int, int]]:
    return [(a.position, b.position) for a, b in Pairing("A", end).pairs(messages)]


def a(position: int, correlation: str | None = "k", **fields: str) -> PositionalMessage:
    return stored(position, "A", correlation_id=correlation, **fields)


def b(position: int, correlation: str | None = "k", **fields: str) -> PositionalMessage:
    return stored(position, "B", correlation_id=correlation, **fields)


def test_within_a_correlation() -> None:
    """A B takes an A of its own correlation only."""
    assert pairs(a(1, "k"), a(2, "m"), b(3, "m"), b(4, "k")) == [(2, 3), (1, 4)]


def test_the_one_that_waits_longest() -> None:
    """Without links the As are taken in order, each once."""
    assert pairs(a(1), a(2), b(3), b(4), b(5)) == [(1, 3), (2, 4)]


def test_the_cause_goes_first() -> None:
    """A B takes the A that it names as its cause, else the one of its request, else the oldest."""
    first, second, third = a(1, id="1", request_id="r1"), a(2, id="2", request_id="r2"), a(3)
    assert pairs(first, second, third, b(4, causation_id="2", request_id="r1")) == [(2, 4)]
    assert pairs(first, second, third, b(4, causation_id="?", request_id="r2")) == [(2, 4)]
    assert pairs(first, second, third, b(4, causation_id="?", request_id="?")) == [(1, 4)]
    again = b(4, causation_id="2"), b(5, causation_id="2"), b(6, request_id="r2")
    assert pairs(first, second, third, *again) == [(2, 4), (1, 5), (3, 6)]


def test_the_same_type_twice() -> None:
    """Between two of one type: each from the one before; the last one waits."""
    assert pairs(a(1), a(2), a(3), end="A") == [(1, 2), (2, 3)]
    found = measure([a(1), a(2), a(5)], "A", "A")
    assert (found.count, found.open_starts, found.stray_ends) == (2, 1, 0)
    assert (found.min_us, found.max_us) == (1000, 3000)


def test_what_is_counted_besides() -> None:
    """As without a B, Bs without an A before them, messages without a correlation; others are nothing."""
    found = measure([b(1), a(2), a(3), b(4), a(5, None), b(6, None), stored(7, "C")], "A", "B")
    assert (found.count, found.open_starts, found.stray_ends, found.uncorrelated) == (1, 1, 1, 2)
    assert found.to_json() == {
        "from": "A",
        "to": "B",
        "count": 1,
        "minMs": 2.0,
        "p50Ms": 2.0,
        "p90Ms": 2.0,
        "p95Ms": 2.0,
        "p99Ms": 2.0,
        "maxMs": 2.0,
        "meanMs": 2.0,
        "slowest": {"correlationId": "k", "fromPosition": 2, "toPosition": 4},
        "unmatchedFrom": 1,
        "unmatchedTo": 1,
        "uncorrelated": 2,
        "untimed": 0,
        "histogram": [{"fromMs": 2.0, "toMs": 5.0, "count": 1}],
    }


def test_nothing_was_measured() -> None:
    """Without a pair there are no times."""
    assert measure([], "A", "B").to_json() == {
        "from": "A",
        "to": "B",
        "count": 0,
        "unmatchedFrom": 0,
        "unmatchedTo": 0,
        "uncorrelated": 0,
        "untimed": 0,
        "histogram": [],
    }


def test_times_of_producers() -> None:
    """By the producers' clocks a pair without a time is counted apart, and times may be negative."""
    early, late = "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z"
    found = measure(
        [a(1, timestamp=late), b(2, timestamp=early), a(3), b(4, timestamp=late)],
        "A",
        "B",
        "produced",
    )
    assert (found.count, found.untimed, found.min_us) == (1, 1, -1_000_000)
    assert found.bins == (Bin(None, 0, 1),)


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 5), (90, 9), (91, 10), (95, 10), (99, 10), (1, 1)]
)
def test_percentiles(percent: int, expected: int) -> None:
    """Nearest rank: the least value that so many percent do not exceed."""
    assert percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], percent) == expected


@given(st.lists(st.integers(-5, 10**13)))
def test_every_time_is_in_one_bin(times: list[int]) -> None:
    """Bins follow each other without gaps, begin and end where the times do, and hold each once."""
    bins = [*histogram(sorted(times))]
    assert sum(part.count for part in bins) == len(times)
    assert all(x.to_us == y.from_us for x, y in pairwise(bins))
    for part in bins:
        inside = [
            t for t in times if (part.from_us is None or t >= part.from_us) and t < part.to_us
        ]
        assert part.count == len(inside)
    assert not bins or (bins[0].count and bins[-1].count)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["k", "m", None])), max_size=30))
def test_each_takes_part_once(drawn: list[tuple[str, str | None]]) -> None:
    """Every A is paired or waits, every B is paired or a stray; a B is never before its A."""
    messages = [stored(n, t, correlation_id=c) for n, (t, c) in enumerate(drawn, 1)]
    pairing = Pairing("A", "B")
    found = [*pairing.pairs(messages)]
    assert all(x.position < y.position for x, y in found)
    assert all(x.message.correlation_id == y.message.correlation_id for x, y in found)
    starts, ends = {x.position for x, _ in found}, {y.position for _, y in found}
    assert len(starts) == len(ends) == len(found)
    correlated = [t for t, c in drawn if c is not None]
    assert len(found) + pairing.waiting == correlated.count("A")
    assert len(found) + pairing.strays == correlated.count("B")
