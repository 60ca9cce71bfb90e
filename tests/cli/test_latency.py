"""`msgstore latency`: from one type to another."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Cli, plain


def at(second: int, type: str, correlation: str | None = "k") -> dict[str, Any]:
    fields = {} if correlation is None else {"correlationId": correlation}
    time = f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z"
    return {"streamId": "s", "type": type, "timestamp": time, **fields}


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    shared_cli.save(
        *(at(0, "A", "k"), at(0, "A", "m"), at(2, "B", "m"), at(30, "B", "k"), at(31, "B", "k")),
        *(at(40, "A", "n"), at(50, "A", None), at(60, "C", "n")),
    )
    return shared_cli


def test_by_the_times_of_producers(store: Cli) -> None:
    """One object with count, percentiles, what found no partner, and a histogram."""
    [found] = store("latency", "A", "B", "--produced").lines
    histogram = found.pop("histogram")
    assert found == {
        "from": "A",
        "to": "B",
        "count": 2,
        "minMs": 2000.0,
        "p50Ms": 2000.0,
        "p90Ms": 30000.0,
        "p95Ms": 30000.0,
        "p99Ms": 30000.0,
        "maxMs": 30000.0,
        "meanMs": 16000.0,
        "slowest": {"correlationId": "k", "fromPosition": 1, "toPosition": 4},
        "unmatchedFrom": 1,
        "unmatchedTo": 1,
        "uncorrelated": 1,
        "untimed": 0,
    }
    assert [(part["fromMs"], part["count"]) for part in histogram] == [
        *((2000.0, 1), (5000.0, 0), (10000.0, 0), (20000.0, 1)),
    ]


def test_by_the_times_of_recording(store: Cli) -> None:
    """What was saved in one commit took no time."""
    [found] = store("latency", "A", "B").lines
    assert (found["count"], found["maxMs"]) == (2, 0.0)
    assert found["histogram"] == [{"fromMs": 0.0, "toMs": 0.001, "count": 2}]


def test_on_a_terminal(store: Cli) -> None:
    """On a terminal facts and bars, where to look for the slowest one too."""
    shown = plain(store.terminal("latency", "A", "B", "--produced").out)
    rows = [" ".join(row.split()) for row in shown.splitlines()]
    assert rows[:5] == [
        *("from A", "to B", "pairs 2", "unmatched 1 from, 1 to"),
        "left out 1 message without a correlation",
    ]
    assert "max 30.0 s (#1 to #4)" in rows
    assert "2.000 s to 5.000 s 1 50.0% " + "█" * 20 in rows
    assert "5.000 s to 10.0 s 0 0.0%" in rows


def test_filters(store: Cli) -> None:
    """Both of a pair must match."""
    [found] = store("latency", "A", "B", "--produced", "--correlation-id", "m").lines
    assert (found["count"], found["unmatchedFrom"], found["unmatchedTo"]) == (1, 0, 0)


def test_exit_status(store: Cli) -> None:
    """With -e it is exit 1 if there is no pair; without it an empty result is no error."""
    assert store("latency", "C", "A", "-e").code == 1
    assert store("latency", "C", "A").code == 0
    assert store("latency", "A", "B", "-e").code == 0


@pytest.mark.parametrize(
    "arguments", [["A"], ["A", ""], ["A", "B", "-t", "A"], ["A", "B", "-o", "raw"]]
)
def test_usage(store: Cli, arguments: list[str]) -> None:
    """Two types are needed, and no third."""
    assert store("latency", *arguments).code == 2


def test_no_store(cli: Cli) -> None:
    """latency makes no store."""
    assert cli("latency", "A", "B").code == 5
    assert not cli.store.exists()
