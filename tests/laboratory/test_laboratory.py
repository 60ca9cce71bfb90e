"""A share of the laboratory with fixed seeds; scripts run more of it."""

from __future__ import annotations

import pytest

from laboratory import explore as exploring
from laboratory import refuse as refusing
from laboratory import wander as wandering
from laboratory.damage import damage
from laboratory.explore import Counts, explore
from laboratory.mutants import MUTANTS, PACKAGE, run
from laboratory.refuse import refuse
from laboratory.wander import explore_random


def test_every_action_crashed_everywhere() -> None:
    """Each single action, and the making of a store, cut off anywhere: nothing promised is broken."""
    counts = explore(1)
    assert counts.violations == []
    assert counts.complete
    assert counts.states > 10_000


def test_a_share_of_all_pairs() -> None:
    """Of two actions in a row, the second cut off anywhere."""
    counts = explore(2, share=(0, 20))
    assert counts.violations == []


def test_refused_calls() -> None:
    """A call that the disk refuses fails as it says, and the store goes on."""
    counts = refuse(1, share=(1, 5))
    assert counts.violations == []
    assert counts.faults > 100


def test_long_random_runs() -> None:
    """Dozens of actions by several objects, with faults and crashes in between."""
    counts = explore_random(states=2_000, seed=1)
    assert counts.violations == []


def test_rot() -> None:
    """No damaged byte of any file goes unnoticed where it matters; what refuses changes nothing."""
    assert damage(step_bytes=13).violations == []


# ---------------------------------------------------------------- the laboratory itself


def test_runs_repeat_themselves() -> None:
    """The same seed makes the same states, so that an id names one."""
    one, other = (explore_random(states=300, seed=3) for _ in range(2))
    assert (one.states, one.crash_points, one.faults) == (
        other.states,
        other.crash_points,
        other.faults,
    )


@pytest.mark.parametrize(
    ("replay", "name"),
    [
        (exploring.replay, "always/nc/0/30/r1"),
        (exploring.replay, "os/-/0/20/no-names/3/nothing"),
        (refusing.replay, "refuse/os/r/14.eio/2/killed"),
    ],
)
def test_an_id_is_replayed(replay: object, name: str) -> None:
    """One state can be made again by its id alone."""
    counts: Counts = replay(name)  # type: ignore[operator]
    assert counts.violations == []
    assert 1 <= counts.states <= 60


def test_a_run_is_replayed() -> None:
    """A random run is made again by its id."""
    assert wandering.replay("wander/1/0").states > 0


def test_mutants_fit() -> None:
    """The text that a mutant changes stands in the package once."""
    for mutant in MUTANTS:
        for change in mutant.changes:
            text = (PACKAGE / change.file).read_text(encoding="utf-8")
            assert text.count(change.old) == 1, mutant.name


QUICK = (
    "acknowledged before the sync",
    "no sync of files",
    "no dirty mark at a checkpoint",
    "no look beyond the journal's end",
    "same boot: entries are not written again",
    "a hole is not refused",
)


@pytest.mark.parametrize("name", QUICK)
def test_a_mutant_is_caught(name: str) -> None:
    """The laboratory finds deliberate errors; `scripts/mutants` runs all of them."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert run(mutant).violation
