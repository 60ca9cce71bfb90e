"""Counts by name while messages arrive, and how fast they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

SECONDS_SHOWN = 30


class Rate(NamedTuple):
    """`history`: how many came in each of the last 30 seconds, the present one last."""

    name: str
    number: int
    history: tuple[int, ...]

    @property
    def a_second(self) -> float:
        """The mean of the last ten seconds that have passed."""
        return sum(self.history[-11:-1]) / 10


class LiveCounts:
    """`count`s of what was there, and of what is added; times are whole seconds of any clock."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = dict(counts)
        self._arrivals: deque[tuple[int, dict[str, int]]] = deque()

    def add(self, name: str, second: int) -> int:
        """One more; how many there are now."""
        if not self._arrivals or self._arrivals[-1][0] != second:
            self._arrivals.append((second, {}))
        arrived = self._arrivals[-1][1]
        arrived[name] = arrived.get(name, 0) + 1
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]

    def clear(self) -> None:
        """The store was emptied."""
        self._counts.clear()
        self._arrivals.clear()

    def is_moving(self, second: int) -> bool:
        """Whether something came within the seconds that are shown."""
        self._forget(second)
        return bool(self._arrivals)

    def rates(self, second: int) -> list[Rate]:
        self._forget(second)
        history: dict[str, list[int]] = {}
        for when, arrived in self._arrivals:
            for name, count in arrived.items():
                past = history.setdefault(name, [0] * SECONDS_SHOWN)
                past[when - second - 1] += count
        still = (0,) * SECONDS_SHOWN
        return [
            Rate(name, count, tuple(history.get(name, still)))
            for name, count in self._counts.items()
        ]

    def _forget(self, second: int) -> None:
        while self._arrivals and self._arrivals[0][0] <= second - SECONDS_SHOWN:
            self._arrivals.popleft()
