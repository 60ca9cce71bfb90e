"""Rot: every file of a store is damaged, place by place; nothing durable may go silently.

A damaged store either holds everything that was durable, up to the border of a commit (with
`always`, all that was acknowledged), or says what is wrong (CorruptStore) and has changed nothing.
The one thing that cannot be told (docs/guarantees.md): what only the journal knows. An entry that
was synced looks like a torn one when it rots, unless a later entry, a row or the hint that knows of
the sync has reached the disk; with `always` that is the last entry, with `os` what the last flush
has synced.

An id is `damage/always/journal/8292/nothing`: durability, file, byte, and what had reached the disk
besides what was synced; `running` is a process that was killed, on a machine that goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from laboratory.actions import ACTIONS, World, begun, continued
from laboratory.bench import CHANCE, LaboratoryStore, laboratory
from laboratory.claims import Violation, look
from laboratory.expected import State
from laboratory.explore import Counts
from laboratory.outcomes import KEEPS, at_random
from msgstore import CorruptStore, Message, MsgStoreError
from msgstore.format.journal import ENTRIES_START, ENTRY_ALIGNMENT, SLOT_STRIDE, decode_slot
from msgstore.format.names import CATALOG, INDEX, JOURNAL, LOCK, SESSIONS
from msgstore.format.row import ROW_BYTES
from msgstore.testing.crashing_disk import CrashingDisk, Keep, Piece, keep_all, keep_nothing

SEQUENCES = {"always": "sntEcbsnEs", "os": "sntEcbsfnEs"}
"""A generation that was ended, and one of several entries after it; of `os` some are flushed."""
_STEP_BYTES = 7


def _journal_and_hint(piece: Piece) -> bool:
    return piece.path in (JOURNAL, LOCK)


KEPT: dict[str, Keep] = {
    "all": keep_all,
    "nothing": keep_nothing,
    "hint": _journal_and_hint,
    "index": KEEPS["index"],
    "some": at_random("damage"),
}


class Damage(NamedTuple):
    """One change of one file. `is_last` where it falls into the journal's last entry, `of_base` where
    it takes what the last checkpoint left: then who recovers has to refuse, and not go on over it.
    """

    name: str
    path: str
    apply: Callable[[CrashingDisk], None]
    is_last: bool = False
    of_base: bool = False


def damage(
    step_bytes: int = _STEP_BYTES,
    durability: str = "always",
    until_found: bool = False,
    only: str | None = None,
) -> Counts:
    """Damages every `step_bytes`th byte of each file, and every structure as a whole."""
    counts = Counts()
    with laboratory():
        for name, before, one, allowed in _cases(step_bytes, durability):
            if only in (None, name):
                _check(name, before, one, durability, allowed, counts)
            if until_found and counts.violations:
                break
    return counts


def replay(name: str) -> Counts:
    """Does the damage with this id once more."""
    return damage(step_bytes=1, durability=name.split("/")[1], only=name)


Case = tuple[str, CrashingDisk, "Damage", list[State]]


def _cases(step_bytes: int, durability: str) -> Iterator[Case]:
    """Every damage with its id, the disk before it, and what may be found without an error."""
    filled = _filled(durability)
    for kept, keep in KEPT.items():
        lost_power = filled.world.disk.power_loss(keep)
        for one in _damages(lost_power, step_bytes):
            allowed = filled.allowed(one, kept)
            yield f"damage/{durability}/{one.name}/{kept}", lost_power, one, allowed
    for one in _damages(filled.world.disk, step_bytes):
        if one.path != JOURNAL:
            name = f"damage/{durability}/{one.name}/running"
            yield name, filled.world.disk, one, [filled.world.state]


class _Filled(NamedTuple):
    """A store; `checkpoint` says how many of its states the last checkpoint has on the disk."""

    world: World
    checkpoint: int

    def allowed(self, damage: Damage, kept: str) -> list[State]:
        """What may be found after a power loss and this damage."""
        world, floor = self.world, self.world.floor
        if kept in ("nothing", "index", "some"):  # it may be that no hint tells what was synced
            if world.durability != "always":
                floor = self.checkpoint
            elif damage.is_last and kept != "index":
                floor -= 1
        return list(world.states[floor:])


@cache
def _filled(durability: str) -> _Filled:
    world, checkpoint = continued(begun(durability)), 0
    for letter in SEQUENCES[durability]:
        if letter == "c":
            checkpoint = len(world.states) - 1
        ACTIONS[letter](world)
    return _Filled(world, checkpoint)


def _check(
    name: str,
    before: CrashingDisk,
    one: Damage,
    durability: str,
    allowed: list[State],
    counts: Counts,
) -> None:
    disk = before.killed()
    one.apply(disk)
    counts.met(name, disk)
    damaged = disk.content()
    CHANCE.restart(1)
    try:
        found = _read(disk, durability)
    except _Refused:
        unchanged = _without_holder(disk.content()) == _without_holder(damaged)
        if not unchanged:
            counts.found(name, Violation("refused unchanged", "it refused, and changed files"))
    except Violation as violation:
        counts.found(name, violation)
    else:
        if found is not None and found not in allowed:
            words = "not all that was durable is there, and no error says so"
            counts.found(name, Violation("damage is told", words))
        elif one.of_base and not name.endswith("/running"):
            counts.found(name, Violation("refused", "recovery went on over a damaged base"))
        else:
            _save_on(name, disk, durability, allowed, counts)


def _save_on(
    name: str, disk: CrashingDisk, durability: str, allowed: list[State], counts: Counts
) -> None:
    """Into a stream that is damaged nothing is saved, or it is saved behind all that was there."""
    store = LaboratoryStore(disk, durability)
    for stream_id in dict.fromkeys(saved.stream_id for saved in allowed[-1].messages):
        revisions = [sum(s.stream_id == stream_id for s in state.messages) for state in allowed]
        try:
            given = store.save_message(stream_id, Message("After", {})).first_revision
        except CorruptStore:
            continue
        if given not in revisions:
            words = f"{stream_id} had {revisions}, and revision {given} was given out again"
            counts.found(name, Violation("revisions", words))


class _Refused(Exception):
    """The store could not be opened for damage."""


def _read(disk: CrashingDisk, durability: str) -> State | None:
    """All that is in a damaged store, or None where a read says that it is damaged."""
    try:
        store = LaboratoryStore(disk, durability)
        store.enter()
    except CorruptStore as error:
        raise _Refused from error
    except (MsgStoreError, AssertionError, LookupError, ValueError) as error:
        raise Violation("damage is told", f"{type(error).__name__}: {error}") from error
    try:
        return look(store)
    except Violation as violation:
        if violation.claim == "verify" or isinstance(violation.__cause__, CorruptStore):
            return None
        raise


def _without_holder(content: dict[str, bytes]) -> dict[str, bytes]:
    """The lock file aside: who enters leaves its process id there."""
    return {path: data for path, data in content.items() if path != LOCK}


# ---------------------------------------------------------------- what is damaged


def _damages(disk: CrashingDisk, step_bytes: int) -> Iterator[Damage]:
    content = disk.content()
    starts = _entries(content[JOURNAL])
    yield from _slots(starts)
    for number, start in enumerate(starts):
        yield from _in_entry(content[JOURNAL], start, number == len(starts) - 1, step_bytes)
    for path in sorted(content):
        if path in (INDEX, CATALOG, SESSIONS) or path.startswith("streams/"):
            for at in range(0, len(content[path]), step_bytes):
                yield Damage(f"{path}/{at}", path, _flip(path, at))
    for rows in (1, 3):
        size = len(content[INDEX]) - rows * ROW_BYTES
        if size > 0:
            yield Damage(f"index cut by {rows}", INDEX, _cut(INDEX, size))
    yield from _of_base(content[JOURNAL])


def _of_base(journal: bytes) -> Iterator[Damage]:
    """What the last checkpoint left is cut, or its last row damaged."""
    slots = [decode_slot(journal, at) for at in (0, SLOT_STRIDE)]
    base = max((slot for slot in slots if slot), key=lambda slot: slot.generation)
    ends = {INDEX: (base.rows + 1) * ROW_BYTES}
    ends |= {SESSIONS: base.sessions_end, CATALOG: base.catalog_end}
    for path, end in ends.items():
        yield Damage(f"{path} cut at {end - 1}", path, _cut(path, end - 1), of_base=True)
    for at in range(ends[INDEX] - ROW_BYTES, ends[INDEX], 5):
        yield Damage(f"base row/{at}", INDEX, _flip(INDEX, at), of_base=True)


def _entries(journal: bytes) -> list[int]:
    """Where the present generation's entries start: their sequence rises from the first on."""
    found: list[int] = []
    last = 0
    for at in range(ENTRIES_START, len(journal), ENTRY_ALIGNMENT):
        if journal[at : at + 4] == b"MSJE":
            sequence = int.from_bytes(journal[at + 32 : at + 40], "little")
            if sequence < last:
                break  # left over from the generation before
            last = sequence
            found.append(at)
    return found


def _slots(starts: list[int]) -> Iterator[Damage]:
    for slot in (0, SLOT_STRIDE):
        for at in range(0, 88, 5):  # bytes 88 to 95 are zeros that the CRC covers, too
            yield Damage(f"journal/{slot + at}", JOURNAL, _flip(JOURNAL, slot + at))
    yield Damage("journal/both slots", JOURNAL, _wipe(JOURNAL, 0, 2 * SLOT_STRIDE))


def _in_entry(journal: bytes, start: int, is_last: bool, step_bytes: int) -> Iterator[Damage]:
    length = int.from_bytes(journal[start + 8 : start + 12], "little")
    places = [*range(0, 72, 3), *range(72, length, step_bytes)]
    for at in places:
        yield Damage(f"journal/{start + at}", JOURNAL, _flip(JOURNAL, start + at), is_last)
    hole = _wipe(JOURNAL, start, min(length, ENTRY_ALIGNMENT))
    yield Damage(f"journal/hole at {start}", JOURNAL, hole, is_last)


def _flip(path: str, at: int) -> Callable[[CrashingDisk], None]:
    def apply(disk: CrashingDisk) -> None:
        byte = disk.read(path, at, 1)
        disk.write(path, at, bytes([byte[0] ^ 0x10]))

    return apply


def _wipe(path: str, at: int, size: int) -> Callable[[CrashingDisk], None]:
    return lambda disk: disk.write(path, at, bytes(size))


def _cut(path: str, size: int) -> Callable[[CrashingDisk], None]:
    return lambda disk: disk.truncate(path, size)
