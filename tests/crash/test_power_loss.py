"""Killed or cut off after any operation on the disk, a store comes back with what it promised."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import chain

import pytest
from workbench import Item, keepers, open_writer, read_all, save, small_journal, workload

from msgstore.testing.crashing_disk import CrashingDisk, Killed

COMMITS = 6
SEEDS = [1, 2]


def run_until_killed(
    disk: CrashingDisk, durability: str, batches: list[list[Item]]
) -> tuple[list[Item], list[Item]]:
    """What was acknowledged, and what was being saved when the disk's budget ran out."""
    acknowledged: list[Item] = []
    in_flight: list[Item] = []
    try:
        store = open_writer(disk, durability)
        for batch in batches:
            in_flight = batch
            save(store, batch)
            acknowledged, in_flight = acknowledged + batch, []
    except Killed:
        pass
    return acknowledged, in_flight


def operations_of(durability: str, batches: list[list[Item]]) -> int:
    disk = CrashingDisk()
    run_until_killed(disk, durability, batches)
    return disk.operations


def crash_during_recovery(
    disk: CrashingDisk, durability: str, chance: random.Random, power: bool
) -> CrashingDisk:
    """The same disk after recovery was cut off too."""
    other = disk.killed()
    other.kill_after(chance.randrange(24))
    with suppress(Killed):
        read_all(other, durability)
    return other.power_loss(chance.choice(keepers(chance))) if power else other.killed()


@pytest.mark.parametrize("seed", SEEDS)
def test_always_loses_nothing_acknowledged(seed: int) -> None:
    """With `always`, any kill or power loss, also during recovery, keeps every acknowledged save."""
    chance = random.Random(seed)
    batches = workload(chance, COMMITS)
    with small_journal():
        for budget in range(operations_of("always", batches) + 1):
            disk = CrashingDisk()
            disk.kill_after(budget, torn_bytes=chance.randrange(600))
            acknowledged, in_flight = run_until_killed(disk, "always", batches)
            ends = [disk.killed(), *(disk.power_loss(keeps) for keeps in keepers(chance))]
            ends += [
                crash_during_recovery(e, "always", chance, chance.random() < 0.5) for e in ends
            ]
            for end in ends:
                found = read_all(end, "always")
                assert found in (acknowledged, acknowledged + in_flight)
                more = [("s0", "after"), ("new", "after")]
                save(open_writer(end, "always"), more)
                again = end.power_loss(chance.choice(keepers(chance)))
                # A reader does not yet see what stands in the journal alone; the writer finishes it.
                assert read_all(again, "always") in (found + more, acknowledged + in_flight + more)


@pytest.mark.parametrize("seed", SEEDS)
def test_os_keeps_whole_commits(seed: int) -> None:
    """With `os`, a kill loses nothing, and a power loss leaves a run of whole commits."""
    chance = random.Random(seed)
    batches = workload(chance, COMMITS)
    prefixes = [list(chain(*batches[:count])) for count in range(len(batches) + 1)]
    with small_journal():
        for budget in range(operations_of("os", batches) + 1):
            disk = CrashingDisk()
            disk.kill_after(budget, torn_bytes=chance.randrange(600))
            acknowledged, in_flight = run_until_killed(disk, "os", batches)
            assert read_all(disk.killed(), "os") in (acknowledged, acknowledged + in_flight)
            for keeps in keepers(chance):
                end = disk.power_loss(keeps)
                found = read_all(end, "os")
                assert found in prefixes
                save(open_writer(end, "os"), [("s0", "after")])
                assert read_all(end, "os") == [*found, ("s0", "after")]
