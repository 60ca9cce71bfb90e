"""Long random sequences: several store objects take turns, calls are refused, machines go down.

A run is told by two numbers, and is the same whenever it is made: `wander/7/42` is run 42 of seed 7.
"""

from __future__ import annotations

import errno
import random
import time
from zlib import crc32

from laboratory.actions import World
from laboratory.bench import (
    CHANCE,
    CHECKPOINT_BYTES,
    CHECKPOINT_BYTES_MAX,
    full_journal,
    laboratory,
    sync_all_preferred,
)
from laboratory.claims import Claims, Violation, insist, look
from laboratory.expected import State
from laboratory.explore import Counts, Inspection
from laboratory.outcomes import Film, Moment, at_random
from msgstore import MsgStoreError, StoreClosed, StoreUnavailable
from msgstore.testing.crashing_disk import CrashingDisk, Fault, Operation

STEPS = 40
_SIZES = (0, 5, 5, 40, 200, 300, 400, 430, 520, 900, 1024, 3000)
_STAGE = 1000
_LOOKED_AT = 3


def explore_random(
    seconds: float | None = None,
    states: int | None = None,
    seed: int = 0,
    share: tuple[int, int] = (0, 1),
    until_found: bool = False,
) -> Counts:
    """Random runs until the time is up or so many states were checked."""
    assert (seconds is None) != (states is None), "one of them says when to stop"
    counts = Counts()
    deadline = time.monotonic() + (seconds or 0)
    number = share[0]
    while True:
        wander(seed, number, counts)
        number += share[1]
        if counts.states >= states if states is not None else time.monotonic() > deadline:
            return counts
        if until_found and counts.violations:
            return counts


def wander(seed: int, number: int, counts: Counts) -> None:
    """One run; what it finds is added to `counts`."""
    name = f"wander/{seed}/{number}"
    with laboratory():
        run = _Run(name, counts)
        if run.chance.random() < 0.2:
            with sync_all_preferred():
                run.walk()
        else:
            run.walk()


def replay(name: str, counts: Counts | None = None) -> Counts:
    """Makes the whole run once more that a state with this id belongs to."""
    counts = counts or Counts()
    _, seed, number, *_ = name.split("/")
    wander(int(seed), int(number), counts)
    return counts


class _Run:
    def __init__(self, name: str, counts: Counts) -> None:
        self.name = name
        self.counts = counts
        self.chance = random.Random(crc32(name.encode()))
        self.durabilities = self.chance.choice((["always"], ["os"], ["os", "always"], ["batch"]))
        # Who enters with `always` vouches for what is in the journal only if all others did too.
        self.durability = "always" if self.durabilities == ["always"] else "os"
        self.crashes = 0
        self.streams = ["a", "b:command", "c", "d:command", "e"]
        self.inspection = Inspection(self.durability, counts)
        self.inspection.keeps, self.inspection.chances = ("nothing", "all"), 2
        self.inspection.recoveries_every = 64
        self.claims = Claims(self.durability)
        CHANCE.restart(_STAGE)
        self.world = World(CrashingDisk(), self._durability(), checkpoint_bytes=self._mark())

    def _durability(self) -> str:
        return self.chance.choice(self.durabilities)

    def _mark(self) -> int:
        """Where a store makes its checkpoints: often further on than the one that looks at it."""
        return self.chance.choice((CHECKPOINT_BYTES, CHECKPOINT_BYTES_MAX))

    def walk(self) -> None:
        for step in range(STEPS):
            try:
                self._step(f"{self.name}/{step}")
            except Violation as violation:
                self.counts.found(f"{self.name}/{step}", violation)
            except (MsgStoreError, AssertionError, LookupError, ValueError) as error:
                words = f"{type(error).__name__}: {error}"
                self.counts.found(f"{self.name}/{step}", Violation("goes on", words))
            if self.counts.violations:
                return

    def _step(self, name: str) -> None:
        film = Film(self.world.disk, self.world.expected)
        self._act()
        moments = film.stop()
        chosen = self.chance.sample(moments, min(_LOOKED_AT, len(moments)))
        self.inspection.inspect(name, chosen)
        if self.chance.random() < 0.08:
            self._crash(name, self.chance.choice(moments))
        elif self.world.under_way is not None:
            self._settle()

    # ------------------------------------------------------------ what is done

    def _act(self) -> None:
        world, chance = self.world, self.chance
        if chance.random() < 0.2:
            world.disk.fault = self._fault()
            self.counts.faults += 1
        try:
            self._choose(refuses=world.disk.fault is not None)
        except StoreClosed:
            world.disk.fault = None
            world.reopen()
        except StoreUnavailable:
            pass
        world.disk.fault = None

    def _choose(self, *, refuses: bool) -> None:
        world, chance = self.world, self.chance
        pick = chance.choices("stncSEfoxl", weights=(30, 10, 8, 6, 5, 6, 4, 4, 8, 5))[0]
        if pick == "s":
            world.save(chance.choice(self.streams), *self._sizes())
        elif pick == "t":
            chosen = chance.sample(self.streams, chance.randint(1, 3))
            world.transact(*((stream, self._sizes()) for stream in chosen))
        elif pick == "n":
            self.streams.append(world.new_stream())
            world.save(self.streams[-1], *self._sizes())
        elif pick == "c":
            self._checkpoint()
        elif pick == "S" and world.session is None:
            world.start()
        elif pick == "E" and world.session is not None:
            world.end()
        elif pick == "f":
            world.flush()
        elif pick == "o":
            world.reopen()
        elif pick == "x":
            world.take_turns(self._durability(), self._mark())
        elif pick == "l" and not refuses:
            world.look_by_all()

    def _checkpoint(self) -> None:
        before = len(self.world.states) - 1
        with full_journal():
            self.world.save(self.chance.choice(self.streams), *self._sizes())
        self.world.floor = max(self.world.floor, before)

    def _sizes(self) -> list[int]:
        chance = self.chance
        return [
            chance.choice(_SIZES) + chance.randrange(40) for _ in range(chance.choice((1, 1, 2, 4)))
        ]

    def _fault(self):
        """Refuses one call, or all changes from it on."""
        chance = self.chance
        code = chance.choice((errno.EIO, errno.ENOSPC))
        fault = Fault(code, chance.choice((0, 0, 30, 600)), at_random(f"{chance.random()}"))
        left = chance.randrange(40) if chance.random() < 0.5 else chance.randrange(15) * 2
        lasting = chance.random() < 0.3
        reads = chance.random() < 0.3

        def refuses(operation: Operation) -> Fault | None:
            nonlocal left
            is_read = operation.kind in ("read", "size", "list", "identity")
            if is_read and not reads:
                return None
            left -= 1
            return fault if left == 0 or (left < 0 and lasting and not is_read) else None

        return refuses

    # ------------------------------------------------------------ what becomes of it

    def _settle(self) -> None:
        """After OutcomeUnknown: whoever enters next decides."""
        world = self.world
        assert world.under_way is not None
        allowed = [world.state, world.under_way]
        try:
            world.store.enter()
        except StoreClosed:
            world.reopen()
            world.store.enter()
        found = look(world.store)
        insist(found in allowed, "outcome unknown", "it is neither there nor not")
        world.settle(found)

    def _crash(self, name: str, moment: Moment) -> None:
        """The machine or the process ends for good, and everything goes on from what is left."""
        power = self.chance.random() < 0.7
        disk = moment.disk.power_loss(at_random(name)) if power else moment.disk
        self.crashes += 1
        self.counts.met(f"{name}/crash", disk)
        found = self.claims.check(
            disk, moment.expected, power=power, stage=_STAGE + self.crashes * 100
        )
        states, floor = self._known_after(moment, found, power)
        CHANCE.restart(_STAGE + self.crashes * 100 + 50)
        made = self.world.made
        self.world = World(disk, self._durability(), states, floor, self._mark())
        self.world.made = made

    def _known_after(
        self, moment: Moment, found: State, power: bool
    ) -> tuple[tuple[State, ...], int]:
        if power:
            return (found,), 0
        states = moment.expected.states
        if found != states[-1]:
            states = (*states, found)
        return states, moment.expected.floor
