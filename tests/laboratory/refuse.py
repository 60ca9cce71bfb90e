"""The disk refuses calls: each call of an action in turn, in every way, and then life goes on.

An id is `refuse/always/c/17.eio-all/…`: durability, actions, the call of the last action and how it
was refused; then a moment and its outcome as in `explore`, or `same` or `other` for who went on, and
`same-settled` for what stood when the next writer had entered.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from laboratory.actions import ACTIONS, World, continued
from laboratory.bench import laboratory
from laboratory.claims import Violation, insist, look
from laboratory.explore import Counts, Inspection, begun_once, sequences
from laboratory.outcomes import Film, at_random
from msgstore import MsgStoreError, StoreClosed, StoreUnavailable
from msgstore.testing.crashing_disk import Fault, Operation, keep_all, keep_nothing

READS = ("read", "size", "list", "identity")
_WAYS: dict[str, tuple[tuple[str, Fault], ...]] = {
    "write": (
        ("eio", Fault(errno.EIO)),
        ("enospc", Fault(errno.ENOSPC)),
        ("short", Fault(errno.ENOSPC, written=40)),
        ("eio-short", Fault(errno.EIO, written=600)),
    ),
    "sync": (
        ("eio", Fault(errno.EIO)),
        ("eio-all", Fault(errno.EIO, keep=keep_all)),
        ("eio-some", Fault(errno.EIO, keep=at_random("refuse"))),
        ("enospc", Fault(errno.ENOSPC)),
    ),
}
_OTHER_WAYS = (("eio", Fault(errno.EIO)), ("enospc", Fault(errno.ENOSPC)))
_CHANGES = ("write", "truncate", "sync", "sync_folder", "sync_all", "create", "rename", "remove")
_ALSO = {
    "eio-for-good": _CHANGES,
    "enospc-for-good": _CHANGES,
    "eio-and-syncs": ("sync",),
    "eio-too-late": ("sync",),
}
"""What is refused from then on, too. `too-late`: the first sync has brought everything to the disk, and
those after it nothing, so that what should have been struck out there stands."""
_KEEPS = ("nothing", "all")
RECOVERIES_CRASHED_EVERY = 48


def refuse(
    depth: int,
    durabilities: Sequence[str] = ("always", "os"),
    seconds: float | None = None,
    share: tuple[int, int] = (0, 1),
    until_found: bool = False,
    reads: bool = True,
) -> Counts:
    """Refuses every call of the last action of all sequences of up to `depth` actions, in every way.

    `share` (i, n): every n-th of these cases. `complete` says whether `seconds` were enough.
    """
    counts = Counts()
    deadline = None if seconds is None else time.monotonic() + seconds
    with laboratory():
        for number, case in enumerate(_all_cases(depth, durabilities, reads)):
            if number % share[1] != share[0]:
                continue
            if deadline is not None and time.monotonic() > deadline:
                counts.complete = False
                break
            case.run(counts)
            if until_found and counts.violations:
                break
    return counts


def _all_cases(depth: int, durabilities: Sequence[str], reads: bool) -> Iterator[Case]:
    for durability, sequence in sequences(depth, durabilities):
        if sequence:
            yield from cases(durability, sequence, reads)


class Case:
    """One call of one action, refused in one way."""

    def __init__(self, durability: str, sequence: str, number: int, way: str, fault: Fault) -> None:
        self.durability, self.sequence = durability, sequence
        self.number, self.way, self.fault = number, way, fault
        self.name = f"refuse/{durability}/{sequence}/{number}.{way}"

    def run(
        self,
        counts: Counts,
        only: str | None = None,
        recoveries_every: int = RECOVERIES_CRASHED_EVERY,
    ) -> None:
        counts.faults += 1
        inspection = Inspection(self.durability, counts, only)
        inspection.keeps, inspection.chances = _KEEPS, 1
        inspection.recoveries_every = recoveries_every
        for who in ("same", "other"):
            try:
                world = self._refused(inspection if who == "same" else None)
                self._go_on(world, who, inspection)
            except Violation as violation:
                counts.found(f"{self.name}/{who}", violation)
            except (MsgStoreError, AssertionError, LookupError, ValueError) as error:
                words = f"{type(error).__name__}: {error}"
                counts.found(f"{self.name}/{who}", Violation("goes on after an error", words))
            else:
                film = Film(world.disk, world.expected)
                inspection.inspect(f"{self.name}/{who}", film.stop())

    def _refused(self, inspection: Inspection | None) -> World:
        world = _prepared(self.durability, self.sequence[:-1])
        film = Film(world.disk, world.expected) if inspection else None
        calls = _Calls(world, self.fault, self.number, _ALSO.get(self.way, ()))
        with suppress(StoreUnavailable):
            ACTIONS[self.sequence[-1]](world)
        world.disk.fault = None
        if film and inspection:
            moments = film.stop()[calls.moments_before(film) :]
            inspection.inspect(self.name, [m for m in moments if not m.is_torn])
        return world

    def _go_on(self, world: World, who: str, inspection: Inspection) -> None:
        """Saves, a checkpoint, and saves again: by the same object as long as it takes them."""
        if who == "other":
            world.reopen()
        if world.under_way is not None:
            self._settle(world, who, inspection)
        for letter in "scns":
            _again_if_closed(world, ACTIONS[letter])
            if letter != "c":
                words = "reads something else"
                insist(look(world.store) == world.state, "goes on after an error", words)

    def _settle(self, world: World, who: str, inspection: Inspection) -> None:
        """After OutcomeUnknown the next writer, which may be the same, settles what stands."""
        allowed = [world.state, world.under_way]
        _again_if_closed(world, lambda world: world.store.enter())
        found = look(world.store)
        insist(found in allowed, "outcome unknown", "it is neither there nor not")
        world.settle(found)
        if world.durability == "always":
            world.is_durable()
        film = Film(world.disk, world.expected)
        inspection.inspect(f"{self.name}/{who}-settled", film.stop())


class _Calls:
    """Counts the calls of an action, and refuses one of them, and of those after it the kinds `also`."""

    def __init__(self, world: World, fault: Fault | None, at: int, also: Sequence[str]) -> None:
        self.kinds: list[str] = []
        self._also = also
        self._fault, self._at = fault, at
        self._operations_before = world.disk.operations
        self._refused_at: int | None = None
        world.disk.fault = self._ask

    def _ask(self, operation: Operation) -> Fault | None:
        number = len(self.kinds)
        self.kinds.append(operation.kind)
        hit = number == self._at or (number > self._at and operation.kind in self._also)
        if self._fault is None or not hit:
            return None
        if self._refused_at is None:
            self._refused_at = operation.number - self._operations_before
            return self._fault
        return self._fault._replace(keep=keep_nothing)

    def moments_before(self, film: Film) -> int:
        """How many of its moments were over before anything was refused."""
        at = self._refused_at or 0
        return sum(int(moment.name.partition(".")[0]) < at for moment in film.moments)


def cases(durability: str, sequence: str, reads: bool) -> Iterator[Case]:
    world = _prepared(durability, sequence[:-1])
    calls = _Calls(world, None, -1, ())
    ACTIONS[sequence[-1]](world)
    for number, kind in enumerate(calls.kinds):
        if kind in READS:
            if reads:
                yield Case(durability, sequence, number, "eio", Fault(errno.EIO))
            continue
        for way, fault in _WAYS.get(kind, _OTHER_WAYS):
            yield Case(durability, sequence, number, way, fault)
        for way in _ALSO:
            code = errno.ENOSPC if way.startswith("enospc") else errno.EIO
            keep = keep_all if way == "eio-too-late" else keep_nothing
            yield Case(durability, sequence, number, way, Fault(code, keep=keep))


def _prepared(durability: str, sequence: str) -> World:
    world = continued(begun_once(durability))
    for letter in sequence:
        ACTIONS[letter](world)
    return world


def _again_if_closed(world: World, act: Callable[[World], None]) -> None:
    try:
        act(world)
    except StoreClosed:
        world.reopen()
        act(world)


def replay(name: str, counts: Counts | None = None) -> Counts:
    """Refuses the same call in the same way once more, and checks the state with this id."""
    _, durability, sequence, call, *_ = name.split("/")
    counts = counts or Counts()
    with laboratory():
        for case in cases(durability, sequence, reads=True):
            if case.name.endswith(f"/{call}"):
                case.run(counts, only=name)
    return counts
