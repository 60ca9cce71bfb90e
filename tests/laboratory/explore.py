"""Every short sequence of actions, crashed at every operation on the disk.

The sequences are a tree: of each only the last action is crashed, as those before it were crashed
where they were last. A state that fails has an id, `always/nS/0/7/r1` for the durability, the letters
of the actions, the seed, the moment within the last, and the outcome; a crash in its recovery adds
moment and outcome once more: `always/nS/0/7/r1/12.40/nothing`. `replay(id)` makes it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from zlib import crc32

from laboratory.actions import ACTIONS, World, begun, continued, make
from laboratory.bench import CHANCE, laboratory
from laboratory.claims import Claims, Violation
from laboratory.expected import Expected
from laboratory.outcomes import KEEPS, Film, Moment, outcomes
from msgstore.testing.crashing_disk import CrashingDisk

ALPHABETS = {"always": "sbtnSErco", "os": "sbtnSErcof", "batch": "stEcf"}
"""The actions to go through. To the engine `batch` is `os` with flushes; a timer makes them."""
CHANCES = 3
RECOVERIES_CRASHED_EVERY = 24
OVERLAYS_EVERY = 12
BEGIN = "-"
"""The empty sequence: what is crashed is the making of the store, and its first saves."""


@dataclass
class Counts:
    """What was done. `states` are outcomes that differ within their action."""

    states: int = 0
    crash_points: int = 0
    faults: int = 0
    recoveries_crashed: int = 0
    violations: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    complete: bool = True
    digest: int = 0
    """Over the ids of all states and the bytes in them: equal where the same was done, in any process."""

    def met(self, name: str, disk: CrashingDisk) -> None:
        """One more state was made."""
        self.states += 1
        self.digest = crc32(name.encode(), self.digest)
        for path, content in sorted(disk.content().items()):
            self.digest = crc32(content, crc32(path.encode(), self.digest))

    def add(self, other: Counts) -> None:
        self.states += other.states
        self.digest ^= other.digest
        self.crash_points += other.crash_points
        self.faults += other.faults
        self.recoveries_crashed += other.recoveries_crashed
        self.violations += other.violations
        self.claims += other.claims
        self.complete = self.complete and other.complete

    def found(self, name: str, violation: Violation) -> None:
        self.violations.append(f"{name}: {violation}")
        self.claims.append(violation.claim)


class Inspection:
    """Goes through the outcomes of moments; `only` is the id of the one to make again."""

    def __init__(self, durability: str, counts: Counts, only: str | None = None) -> None:
        self.counts = counts
        self.keeps: Iterable[str] = KEEPS
        self.chances = CHANCES
        self.recoveries_every = RECOVERIES_CRASHED_EVERY
        self._claims = Claims(durability)
        self._only = only
        self._seen: set[tuple[int, int, bool]] = set()

    def inspect(self, name: str, moments: Sequence[Moment], stage: int = 1) -> None:
        """Checks every outcome of these moments; of outcomes that are equal, the first."""
        # Expectations are told apart by their ids, which last as long as these moments.
        before, self._seen = self._seen, set()
        with CHANCE.kept():
            for moment in moments:
                if not self._is_elsewhere(f"{name}/{moment.name}"):
                    self.counts.crash_points += 1
                    self._inspect(f"{name}/{moment.name}", moment, stage)
        self._seen = before

    def _inspect(self, name: str, moment: Moment, stage: int) -> None:
        for outcome, disk, power in outcomes(moment, name, self.keeps, self.chances):
            if not self._is_elsewhere(f"{name}/{outcome}"):
                self._check(f"{name}/{outcome}", disk, moment, power, stage)

    def _is_elsewhere(self, name: str) -> bool:
        return self._only is not None and not f"{self._only}/".startswith(f"{name}/")

    def _check(
        self, name: str, disk: CrashingDisk, moment: Moment, power: bool, stage: int
    ) -> None:
        expected = moment.expected
        key = (hash(disk.state()), id(expected), power)
        if key in self._seen and self._only is None:
            return
        self._seen.add(key)
        self.counts.met(name, disk)
        dice = crc32(name.encode())
        before = disk.killed()
        film = None
        if stage < _STAGES_MAX and self._rolls(name, dice, self.recoveries_every):
            film = Film(disk, lambda: expected)
        try:
            found = self._claims.check(disk, expected, power=power, stage=stage)
            if power and self._rolls(name, dice >> 8, OVERLAYS_EVERY):
                self._claims.check_overlay(before, expected, stage)
        except Violation as violation:
            self.counts.found(name, violation)
            return
        if film is not None:
            self.counts.recoveries_crashed += 1
            moments = film.stop()
            if power:  # all that was found was on the disk: another crash may not change it
                settled = Expected((found,), None, 0)
                moments = [moment._replace(expected=settled) for moment in moments]
            self._deeper(name, moments, stage + 1)

    def _rolls(self, name: str, dice: int, every: int) -> bool:
        return dice % every == 0 or (self._only or "").startswith(name)

    def _deeper(self, name: str, moments: Sequence[Moment], stage: int) -> None:
        chances, self.chances = self.chances, 1
        self.inspect(name, moments, stage)
        self.chances = chances


_STAGES_MAX = 3


def explore(
    depth: int,
    durabilities: Sequence[str] = tuple(ALPHABETS),
    seconds: float | None = None,
    seed: int = 0,
    share: tuple[int, int] = (0, 1),
    until_found: bool = False,
) -> Counts:
    """Crashes all sequences of up to `depth` actions, or the `share` (i, n) of them.

    Another `seed` is another choice of what power losses keep. Stops after `seconds`, or at the
    first violation; `complete` says whether it came to the end.
    """
    counts = Counts()
    deadline = None if seconds is None else time.monotonic() + seconds
    with laboratory():
        for number, (durability, sequence) in enumerate(sequences(depth, durabilities)):
            if number % share[1] != share[0]:
                continue
            if deadline is not None and time.monotonic() > deadline:
                counts.complete = False
                break
            crash_last(durability, sequence, Inspection(durability, counts), seed)
            if until_found and counts.violations:
                break
    return counts


def sequences(depth: int, durabilities: Sequence[str]) -> Iterator[tuple[str, str]]:
    for length in range(depth + 1):
        for durability in durabilities:
            for letters in product(ALPHABETS[durability], repeat=length):
                yield durability, "".join(letters)


def crash_last(durability: str, sequence: str, inspection: Inspection, seed: int = 0) -> None:
    """Carries out a sequence and goes through the outcomes of every moment of its last action."""
    name = f"{durability}/{sequence or BEGIN}/{seed}"
    inspection.inspect(name, moments_of_last(durability, sequence))


def moments_of_last(durability: str, sequence: str) -> list[Moment]:
    if not sequence:
        CHANCE.restart(0)
        world = World(CrashingDisk(), durability)
        film = Film(world.disk, world.expected)
        make(world)
        return film.stop()
    world = continued(begun_once(durability))
    for letter in sequence[:-1]:
        ACTIONS[letter](world)
    film = Film(world.disk, world.expected)
    ACTIONS[sequence[-1]](world)
    return film.stop()


@cache
def begun_once(durability: str) -> World:
    return begun(durability)


def replay(name: str, counts: Counts | None = None) -> Counts:
    """Makes the state with this id once more, and checks it; `Counts.violations` says what was found.

    What leads there is made and counted, too: the state whose recovery was crashed, for one.
    """
    durability, sequence, seed, *_ = name.split("/")
    counts = counts or Counts()
    with laboratory():
        inspection = Inspection(durability, counts, only=name)
        crash_last(durability, sequence.replace(BEGIN, ""), inspection, int(seed))
    return counts
