"""How it is timed: in turn, and whole processes with what they used."""

from __future__ import annotations

import sys

import pytest

from benchmark import processes
from benchmark.timing import ProcessFailed, in_turn, peak_bytes, run


def test_sides_take_turns() -> None:
    """Each side works once a round, every other round the other way about, the first for nothing."""
    calls: list[str] = []
    values = iter(range(100))

    def side(name: str) -> float:
        calls.append(name)
        return next(values)

    times = in_turn([lambda: side("a"), lambda: side("b")], 3)
    assert "".join(calls) == "abbaabba"
    assert [one.rounds for one in times] == [(3, 4, 7), (2, 5, 6)]
    assert times[0].median == 4


def test_a_command_that_fails_is_not_measured() -> None:
    """Its exit code and what it said are in the error."""
    code = "import sys; print('no such thing', file=sys.stderr); sys.exit(5)"
    with pytest.raises(ProcessFailed, match="exit 5: no such thing"):
        run([sys.executable, "-c", code])
    with pytest.raises(ProcessFailed, match="exit 5"):
        peak_bytes([sys.executable, "-c", code])


def test_peak_memory_is_that_of_the_command() -> None:
    """It sees 100 MB that a command had, and nothing of what this process has."""
    ours = bytearray(200 << 20)
    ours[:: 1 << 12] = bytes(len(ours) >> 12)[: len(ours[:: 1 << 12])] or b""
    small = peak_bytes([sys.executable, "-c", "pass"])
    large = peak_bytes([sys.executable, "-c", "b'x' * (100 << 20)"])
    assert small < 100 << 20
    assert 80 << 20 < large - small < 120 << 20
    assert len(ours) == 200 << 20


def test_percentiles_are_of_those_seen() -> None:
    """p99 of a hundred is the largest, p50 of three the middle one."""
    assert processes.percentile([float(n) for n in range(100)], 0.99) == 99
    assert processes.percentile([3.0, 1.0, 2.0], 0.5) == 2
