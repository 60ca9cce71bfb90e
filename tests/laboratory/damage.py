"""Rot: every file of a store is damaged, place by place; nothing acknowledged may go silently.

With `always`, a damaged store either holds everything that was acknowledged, or says what is wrong
(CorruptStore) and has changed nothing. The one thing that cannot be told (docs/guarantees.md): if
only the journal had reached the disk and its last entry rots, that entry is taken for a torn one.

An id is `damage/journal/8292/nothing`: file, byte, and what else had reached the disk.
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
from laboratory.outcomes import KEEPS
from msgstore import CorruptStore, MsgStoreError
from msgstore.format.journal import ENTRIES_START, ENTRY_ALIGNMENT, SLOT_STRIDE
from msgstore.format.names import CATALOG, INDEX, JOURNAL, LOCK, SESSIONS
from msgstore.format.row import ROW_BYTES
from msgstore.testing.crashing_disk import CrashingDisk, Keep, Piece, keep_all, keep_nothing

SEQUENCE = "sntEcbsnEs"
"""A generation that was ended, and one of several entries after it."""
_STEP_BYTES = 7


def _journal_and_hint(piece: Piece) -> bool:
    return piece.path in (JOURNAL, LOCK)


KEPT: dict[str, Keep] = {
    "all": keep_all,
    "nothing": keep_nothing,
    "hint": _journal_and_hint,
    "index": KEEPS["index"],
}


class Damage(NamedTuple):
    """One change of one file. `is_last` where it falls into the journal's last entry."""

    name: str
    path: str
    apply: Callable[[CrashingDisk], None]
    is_last: bool = False


def damage(step_bytes: int = _STEP_BYTES, until_found: bool = False) -> Counts:
    """Damages every `step_bytes`th byte of each file, and every structure as a whole."""
    counts = Counts()
    with laboratory():
        world = _filled()
        for kept, keep in KEPT.items():
            lost_power = world.disk.power_loss(keep)
            for one in _damages(lost_power, step_bytes):
                _check(f"damage/{one.name}/{kept}", lost_power, one, world, kept, counts)
                if until_found and counts.violations:
                    return counts
        for one in _damages(world.disk, step_bytes):
            if one.path != JOURNAL:
                _check(f"damage/{one.name}/running", world.disk, one, world, "running", counts)
                if until_found and counts.violations:
                    return counts
    return counts


@cache
def _filled() -> World:
    world = continued(begun("always"))
    for letter in SEQUENCE:
        ACTIONS[letter](world)
    return world


def _check(
    name: str, before: CrashingDisk, one: Damage, world: World, kept: str, counts: Counts
) -> None:
    disk = before.killed()
    one.apply(disk)
    counts.met(name, disk)
    damaged = disk.content()
    CHANCE.restart(1)
    try:
        found = _read(disk)
    except _Refused:
        unchanged = _without_holder(disk.content()) == _without_holder(damaged)
        if not unchanged:
            counts.found(name, Violation("refused unchanged", "it refused, and changed files"))
        return
    except Violation as violation:
        counts.found(name, violation)
        return
    allowed = [None, world.state]
    if one.is_last and kept == "nothing":
        allowed.append(world.states[-2])
    if found not in allowed:
        words = "not all that was acknowledged is there, and no error says so"
        counts.found(name, Violation("damage is told", words))


class _Refused(Exception):
    """The store could not be opened for damage."""


def _read(disk: CrashingDisk) -> State | None:
    """All that is in a damaged store, or None where a read says that it is damaged."""
    try:
        store = LaboratoryStore(disk, "always")
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
