"""Looks for the first claim that does not hold, in the likely place first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

from laboratory.bench import laboratory
from laboratory.claims import Violation
from laboratory.damage import damage
from laboratory.explore import Counts, Inspection, crash_last, explore
from laboratory.refuse import RECOVERIES_CRASHED_EVERY, cases, refuse
from laboratory.turns import take_turns
from laboratory.wander import explore_random

_EXPERIMENTS: tuple[Callable[[], Counts], ...] = (
    lambda: explore(1, ("always", "os"), until_found=True),
    lambda: damage(11, "always", until_found=True),
    lambda: damage(11, "os", until_found=True),
    lambda: refuse(1, reads=False, until_found=True),
    lambda: explore(2, ("always", "os"), seconds=60, until_found=True),
    lambda: explore_random(seconds=60, until_found=True),
)


def hunt(place: str) -> tuple[str, int]:
    """The first violation and how many states it took; "" if there is none.

    `place` is an experiment with its durability and actions: `explore/always/nc`, `refuse/os/r`,
    `damage/always`; how calls are refused may follow, `refuse/os/r/eio`, and `all` where each
    recovery is to be cut off, not some. Or it is a seed: `wander/1`; or two objects: `turns/os`.
    If nothing is found there, everything is tried.
    """
    counts = Counts()
    for step in _steps(place):
        try:
            counts.add(step())
        except (NameError, ImportError, AttributeError):
            raise  # no engine was broken, but its text
        except Exception as error:  # whatever a broken engine raises is a find
            counts.found(place, Violation("breaks down", repr(error)))
        if counts.violations:
            return counts.violations[0], counts.states
    return "", counts.states


def _steps(place: str) -> Iterator[Callable[[], Counts]]:
    yield lambda: _at(*place.split("/"))
    yield from _EXPERIMENTS


def _at(
    experiment: str, durability: str, sequence: str = "", way: str = "", which: str = ""
) -> Counts:
    if experiment == "damage":
        return damage(11, durability, until_found=True)
    if experiment == "turns":
        return take_turns(durability)
    if experiment == "wander":
        return explore_random(states=4_000, seed=int(durability), until_found=True)
    counts = Counts()
    with laboratory():
        if experiment == "explore":
            crash_last(durability, sequence, Inspection(durability, counts))
            return counts
        for case in cases(durability, sequence, reads=False):
            if way in ("", case.way):
                case.run(counts, recoveries_every=1 if which == "all" else RECOVERIES_CRASHED_EVERY)
            if counts.violations:
                break
    return counts


if __name__ == "__main__":
    print(json.dumps(hunt(sys.argv[1])))
