"""A share of the laboratory with fixed seeds; scripts run more of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from laboratory import explore as exploring
from laboratory import refuse as refusing
from laboratory import wander as wandering
from laboratory.bench import laboratory
from laboratory.damage import damage
from laboratory.explore import Counts, Inspection, crash_last, explore
from laboratory.mutants import MUTANTS
from laboratory.mutation import PACKAGE, TESTS, run
from laboratory.refuse import cases, refuse
from laboratory.turns import take_turns
from laboratory.wander import explore_random
from msgstore.testing.crashing_disk import CrashingDisk


def test_every_action_crashed_everywhere() -> None:
    """Each single action, and the making of a store, cut off anywhere: nothing promised is broken."""
    counts = explore(1, ("always", "os"))
    assert counts.violations == []
    assert counts.complete
    assert counts.states > 10_000


def test_a_share_of_all_pairs() -> None:
    """Of two actions in a row, the second cut off anywhere."""
    counts = explore(2, share=(0, 100))
    assert counts.violations == []


def test_refused_calls() -> None:
    """A call that the disk refuses fails as it says, and the store goes on."""
    counts = refuse(1, share=(4, 26))
    assert counts.violations == []
    assert counts.faults > 50


def test_long_random_runs() -> None:
    """Dozens of actions by several objects, with faults and crashes in between."""
    counts = explore_random(states=400, seed=1)
    assert counts.violations == []


def test_objects_that_take_turns() -> None:
    """Each knows where the other has left the streams, whatever was saved between its own saves."""
    counts = take_turns("os")
    assert counts.violations == []
    assert counts.states == 2 * 3**5


@pytest.mark.parametrize("durability", ["always", "os"])
def test_rot(durability: str) -> None:
    """No damaged byte of any file goes unnoticed where it matters; what refuses changes nothing."""
    counts = damage(17, durability)
    assert counts.violations == []
    assert counts.states > 1_000


# ---------------------------------------------------------------- the laboratory itself


class Remembered(Counts):
    """Keeps the digest of each state by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.digests: dict[str, int] = {}

    def met(self, name: str, disk: CrashingDisk) -> None:
        before, self.digest = self.digest, 0
        super().met(name, disk)
        self.digests[name], self.digest = self.digest, self.digest ^ before


def some(digests: dict[str, int]) -> list[str]:
    """Some ids, those of crashed recoveries among them."""
    names = sorted(digests, key=lambda name: name.count("/"))
    return [*names[:: max(1, len(names) // 7)], names[-1]]


def test_an_id_names_one_state() -> None:
    """What stands in the disk of a crash, or of a crash in its recovery, is made again by its id."""
    for durability, sequence in (("always", "nc"), ("os", "")):
        explored = Remembered()
        with laboratory():
            crash_last(durability, sequence, Inspection(durability, explored))
        for name in some(explored.digests):
            again = Remembered()
            exploring.replay(name, again)
            assert again.violations == []
            assert again.digests[name] == explored.digests[name], name


def test_an_id_names_one_refusal() -> None:
    """The same for a call that was refused."""
    refused = Remembered()
    with laboratory():
        case = [case for case in cases("os", "r", reads=False) if case.way == "eio-for-good"][4]
        case.run(refused)
    for name in some(refused.digests):
        again = Remembered()
        refusing.replay(name, again)
        assert again.digests[name] == refused.digests[name], name


STEPS = 12
RUNS = f"""
from laboratory import wander
wander.STEPS = {STEPS}
print(wander.explore_random(states=1, seed=3))
"""


def test_runs_repeat_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is done in every process, whatever was done before and what its hashes are."""
    monkeypatch.setattr(wandering, "STEPS", STEPS)
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    one, other = (
        subprocess.run(
            [sys.executable, "-c", RUNS],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert one == other
    assert one == f"{wandering.replay('wander/3/0')}\n"
    assert "0 states" not in one


# ---------------------------------------------------------------- mutants


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
