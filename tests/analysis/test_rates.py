"""Counts while messages arrive."""

from __future__ import annotations

from msgstore.analysis.rates import LiveCounts


def test_counts_go_on() -> None:
    """What arrives is added to what was there; names that are new begin at 1."""
    counts = LiveCounts({"A": 5})
    assert (counts.add("A", 100), counts.add("B", 100)) == (6, 1)
    assert [(rate.name, rate.number) for rate in counts.rates(100)] == [("A", 6), ("B", 1)]


def test_the_history() -> None:
    """Each of the last thirty seconds has what came in it, the present one last."""
    counts = LiveCounts({})
    for second in (71, 98, 98, 100):
        counts.add("A", second)
    [rate] = counts.rates(100)
    assert rate.history == (1, *[0] * 26, 2, 0, 1)
    [rate] = counts.rates(101)
    assert rate.history == (*[0] * 26, 2, 0, 1, 0)


def test_the_rate_is_of_seconds_that_passed() -> None:
    """The mean of the ten seconds before the present one, which is not over."""
    counts = LiveCounts({})
    for second in (89, *[95] * 20, 99, 100):
        counts.add("A", second)
    assert counts.rates(100)[0].a_second == 2.1


def test_it_comes_to_rest() -> None:
    """After thirty seconds without a message nothing moves any more."""
    counts = LiveCounts({})
    assert not counts.is_moving(100)
    counts.add("A", 100)
    assert counts.is_moving(129)
    assert not counts.is_moving(130)


def test_an_emptied_store() -> None:
    """After a reset counts begin anew."""
    counts = LiveCounts({"A": 5})
    counts.add("A", 100)
    counts.clear()
    assert counts.rates(100) == []
    assert counts.add("A", 100) == 1
