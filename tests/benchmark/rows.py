"""What a row of the table is, and how its figures are held against the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from benchmark.stores import Cache
from benchmark.timing import Times

SHARE_MAX = 1e6
"""Instead of an infinity, which JSON does not have."""


@dataclass(frozen=True, slots=True)
class Target:
    """With a unit the target is for what was measured here, without for its ratio to the peer."""

    sign: Literal["≤", "≥"]
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g} {self.unit}".rstrip()

    def is_met(self, value: float) -> bool:
        return value <= self.value if self.sign == "≤" else value >= self.value

    def share(self, value: float) -> float:
        """1 where the target is just met, more where it is missed: how far the bar goes."""
        above, below = (value, self.value) if self.sign == "≤" else (self.value, value)
        if above <= 0:
            return 0.0
        return min(above / below, SHARE_MAX) if below > 0 else SHARE_MAX


def at_most(value: float, unit: str = "") -> Target:
    return Target("≤", value, unit)


def at_least(value: float, unit: str = "") -> Target:
    return Target("≥", value, unit)


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison: `here` and, where there is a peer, `there`, in the same unit.

    Without a target it is told for comparison only. `value`, what the target is for, is the ratio
    of the medians, or `here` if the target has a unit, unless it is given.
    """

    what: str
    unit: str
    here: Times
    target: Target | None = None
    peer: str = ""
    there: Times | None = None
    given_value: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.here.median / self.there.median if self.there and self.there.median else None

    @property
    def value(self) -> float | None:
        if self.given_value is not None:
            return self.given_value
        if self.target and self.target.unit:
            return self.here.median
        return self.ratio

    @property
    def is_met(self) -> bool | None:
        """None where there is nothing to meet."""
        if self.target is None or self.value is None:
            return None
        return self.target.is_met(self.value)


class Sizes(NamedTuple):
    """How much of everything is measured."""

    name: str
    small: int
    large: int
    huge: int
    """Messages in the stores of that name; the huge one is used if it is there, and never built."""
    streams: int
    """Streams of each of these stores."""
    lines: int
    """JSON Lines that go into `save -`."""
    stream_length: int
    saves: int
    """Single saves in a block; a tenth of it are the batches of 100."""
    saves_each: int
    """Saves of each of four processes."""
    follows: int
    """Saves that `tail -f` is watched printing."""
    idle_s: float
    journal_saves: int
    """Saves that a kill leaves in the journal."""
    commands: int
    """So many of the commands of P13 and of P14."""
    rounds: int
    short_rounds: int
    """Rounds of what takes a tenth of a second."""


FULL = Sizes(
    name="full",
    small=1_000,
    large=1_000_000,
    huge=10_000_000,
    streams=20_000,
    lines=200_000,
    stream_length=100_000,
    saves=500,
    saves_each=1_000,
    follows=300,
    idle_s=20,
    journal_saves=1_000,
    commands=99,
    rounds=5,
    short_rounds=21,
)
QUICK = FULL._replace(
    name="quick",
    large=100_000,
    huge=1_000_000,
    lines=20_000,
    stream_length=20_000,
    saves=100,
    saves_each=100,
    follows=40,
    idle_s=3,
    journal_saves=300,
    rounds=3,
    short_rounds=5,
)
TINY = Sizes(
    name="tiny",
    small=100,
    large=600,
    huge=10_000_000,
    streams=20,
    lines=60,
    stream_length=300,
    saves=10,
    saves_each=3,
    follows=3,
    idle_s=0.2,
    journal_saves=5,
    commands=2,
    rounds=1,
    short_rounds=1,
)
"""To see that every row still runs; its figures say nothing."""


@dataclass
class Bench:
    """What a row works with: how much, where, and whom to tell what was left out."""

    sizes: Sizes
    cache: Cache
    scratch: Path
    """An empty folder of this run, on the same file system as the cache."""
    notes: list[str] = field(default_factory=list)
    warm_up: bool = True

    def note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)

    def skip(self, what: str, reason: str) -> None:
        self.note(f"skipped {what}: {reason}")


Measure = Callable[[Bench], Iterator[Figure]]


@dataclass(frozen=True, slots=True)
class Row:
    """`work` and `peer` are sentences for people; `measure` does both in turn."""

    name: str
    work: str
    peer: str
    targets: tuple[Target, ...]
    measure: Measure


_ROWS: dict[str, Row] = {}


def row(name: str, work: str, peer: str, *targets: Target) -> Callable[[Measure], Row]:
    """Makes a function that yields figures a row of the table."""

    def add(measure: Measure) -> Row:
        assert name not in _ROWS
        _ROWS[name] = Row(name, work, peer, targets, measure)
        return _ROWS[name]

    return add


def all_rows() -> Sequence[Row]:
    """Every row, in the order of their names: P1, P2, P3a …"""
    from benchmark import ingest, kills, memory, processes, reads, saves, whole_commands

    modules = (ingest, kills, memory, processes, reads, saves, whole_commands)
    assert all(modules)
    rows = [one for one in _ROWS.values() if one.name.startswith("P")]
    return sorted(rows, key=lambda one: (int(one.name[1:].rstrip("ab")), one.name))


def extra_rows() -> Sequence[Row]:
    """Those that are measured only where they are named: they need more than this machine's disk."""
    from benchmark import over_nats

    return [over_nats.over_nats]
