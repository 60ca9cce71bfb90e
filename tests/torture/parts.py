"""The parts of a torture as tasks for processes of their own, cut to the time there is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

STATES, POINTS, FAULTS = "crash states", "crash points", "faults injected"
BITS, CUTS, FILES = "bits flipped", "files cut", "files lost or changed"
INPUTS, KILLS, MUTANTS = "inputs fuzzed", "kills survived", "mutants caught"
CALLS, IMAGES = "system calls failed or killed", "power losses on file systems"
SAVES = "saves acknowledged under fire"
COUNTED = (
    *(STATES, POINTS, FAULTS, BITS, CUTS, FILES),
    *(INPUTS, CALLS, IMAGES, KILLS, SAVES, MUTANTS),
)
"""What is counted, in the order of the table."""


@dataclass
class Outcome:
    """What a task did; `left_out` says what it could not do here."""

    figures: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


Work = Callable[[], Outcome]


class Task(NamedTuple):
    """`is_optional`: done as long as there is time."""

    part: str
    work: Work
    is_optional: bool = False


class Plan(NamedTuple):
    """`seconds` is the time of all processes together. `is_complete`: nothing is left to chance.

    A run that is not quite short does some things completely, too: one golden store, one save.
    """

    seconds: float
    seed: int
    is_complete: bool

    @property
    def is_long(self) -> bool:
        return self.is_complete or self.seconds >= 1800


# ---------------------------------------------------------------- in memory


def _of_laboratory(counts: object) -> Outcome:
    from laboratory.explore import Counts

    assert isinstance(counts, Counts)
    figures = {STATES: counts.states, POINTS: counts.crash_points, FAULTS: counts.faults}
    return Outcome(figures, counts.violations)


def crashes(depth: int, seed: int, share: tuple[int, int]) -> Outcome:
    from laboratory.explore import explore

    return _of_laboratory(explore(depth, seed=seed, share=share))


def wandering(states: int, seed: int) -> Outcome:
    from laboratory.wander import explore_random

    return _of_laboratory(explore_random(states=states, seed=seed))


def refusals(depth: int, share: tuple[int, int]) -> Outcome:
    from laboratory.refuse import refuse

    return _of_laboratory(refuse(depth, share=share))


def rot(step_bytes: int, durability: str) -> Outcome:
    from laboratory.damage import damage

    return _of_laboratory(damage(step_bytes, durability))


def damage_all(store: str, share: tuple[int, int]) -> Outcome:
    from damage.torture import flip_all

    return _of_damage(flip_all(store, share))


def damage_some(store: str, seed: int, count: int) -> Outcome:
    from damage.torture import sample

    return _of_damage(sample(store, seed, count, (seed % 9, 9)))


def _of_damage(counts: object) -> Outcome:
    from damage.torture import Counts

    assert isinstance(counts, Counts)
    figures = {BITS: counts.bits, CUTS: counts.cuts, FILES: counts.files}
    return Outcome(figures, counts.violations)


def fuzzing(inputs: int, seed: int) -> Outcome:
    from fuzz.driver import fuzz

    counts = fuzz(inputs, seed)
    left_out = [] if counts.engine == "atheris" else ["fuzzing: atheris is not installed"]
    return Outcome({INPUTS: counts.inputs}, counts.violations, left_out)


def mutant(number: int) -> Outcome:
    from laboratory.mutants import MUTANTS as KNOWN
    from laboratory.mutation import run

    one = KNOWN[number]
    caught = bool(run(one).violation)
    return Outcome({MUTANTS: caught}, [] if caught else [f"the mutant {one.name!r} survived"])


# ---------------------------------------------------------------- on the kernel


def calls(kind: str, scenario: int, seed: int, share: float) -> Outcome:
    from kernel.injection import inject_everywhere, why_not
    from kernel.scenarios import SCENARIOS

    if reason := why_not():
        return Outcome(left_out=[f"system calls: {reason}"])
    chance = random.Random(f"{kind} {scenario} {seed}")
    counts = inject_everywhere(kind, SCENARIOS[scenario : scenario + 1], chance=chance, share=share)
    return Outcome({CALLS: counts.faults, KILLS: counts.kills}, counts.violations)


def power(file_system: str, rounds: int, seed: int) -> Outcome:
    from kernel.mounts import why_not
    from kernel.power_loss import power_loss_images

    if reason := why_not(file_system):
        return Outcome(left_out=[f"power losses on {file_system}: {reason}"])
    counts = power_loss_images(rounds, file_system, seed=seed)
    return Outcome({IMAGES: counts.images + counts.second}, counts.violations)


def kills(seconds: float, seed: int) -> Outcome:
    from kernel.soak import soak

    counts = soak(seconds, seed=seed)
    return Outcome({KILLS: counts.kills, SAVES: counts.saves}, counts.violations)


# ---------------------------------------------------------------- how much of what


def timed(task: Task) -> tuple[Outcome, float]:
    """What a task came to, and its seconds; in a process of its own."""
    start = time.monotonic()
    try:
        outcome = task.work()
    except Exception as error:  # a laboratory that breaks has shown nothing, and must be looked at
        outcome = Outcome(violations=[f"{task.part} broke: {error!r}"])
    return outcome, time.monotonic() - start


def tasks(plan: Plan) -> Iterator[Task]:
    """Every task of a torture; those that are done as long as there is time come last."""
    yield from _mutants()
    yield from _damage(plan)
    yield from _kernel(plan)
    yield from _memory(plan)


def _mutants() -> Iterator[Task]:
    from laboratory.mutants import MUTANTS as KNOWN

    for number in range(len(KNOWN)):
        yield Task("mutants", partial(mutant, number))


def _damage(plan: Plan) -> Iterator[Task]:
    from damage.golden import RECIPES

    for durability in ("always", "os"):
        step_bytes = 1 if plan.is_complete else 7
        yield Task("rot", partial(rot, step_bytes, durability))
    for name in RECIPES:
        if plan.is_complete or (plan.is_long and name == "one-message"):
            for part in range(_DAMAGE_SHARES):
                yield Task("damage", partial(damage_all, name, (part, _DAMAGE_SHARES)))
        else:
            count = max(50, int(plan.seconds / 16))
            yield Task("damage", partial(damage_some, name, plan.seed, count))


def _kernel(plan: Plan) -> Iterator[Task]:
    from kernel.injection import KINDS
    from kernel.scenarios import SCENARIOS

    some = 1.0 if plan.is_complete else min(1.0, 0.01 * plan.seconds / 1200)
    for kind in KINDS:
        for number, scenario in enumerate(SCENARIOS):
            is_all = plan.is_long and scenario.name == "save"
            share = 1.0 if is_all else some
            yield Task("calls", partial(calls, kind, number, plan.seed, share))
    rounds = max(4, int(plan.seconds / 300))
    for name in ("ext4", "xfs", "btrfs"):
        yield Task("power", partial(power, name, rounds, plan.seed))
    yield Task("kills", partial(kills, plan.seconds / 40, plan.seed))


def _memory(plan: Plan) -> Iterator[Task]:
    inputs = 1_000_000 if plan.is_long else int(plan.seconds * 300)
    yield Task("fuzzing", partial(fuzzing, inputs, plan.seed))
    yield Task("crashes", partial(crashes, 1, plan.seed, (0, 1)))
    for part in range(_SHARES):
        share = (part, _SHARES)
        is_optional = not plan.is_complete
        yield Task("wandering", partial(wandering, 1_500, plan.seed + part), is_optional)
        if part % _REFUSED_EVERY == 0:
            refused = (part // _REFUSED_EVERY, _SHARES // _REFUSED_EVERY)
            yield Task("refusals", partial(refusals, 2, refused), is_optional)
        yield Task("crashes", partial(crashes, 4, plan.seed, share), is_optional)


_DAMAGE_SHARES = 8
_SHARES = 512
"""All sequences of four actions in so many parts, each of some 4,000 states."""
_REFUSED_EVERY = 8
