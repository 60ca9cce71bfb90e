"""The fast way into a store, under the lock: the hint is believed if everything bears it out (rule R5).

What a store needs after any other end is in `recovery.py`, which is loaded only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.journal import Entry, Tail, entries_after, read_slots
from msgstore.format.hint import Hint
from msgstore.format.journal import Slot
from msgstore.format.names import INDEX, JOURNAL
from msgstore.format.row import ROW_BYTES
from msgstore.format.stored import NUMBER_MAX
from msgstore.model.errors import CorruptRecord


class Surroundings(NamedTuple):
    """What recovery must know besides the disk."""

    store_uuid: bytes
    token: int
    sync: bool
    """Whether what is applied must be on the disk first (durability `always`)."""


def enter(disk: Disk, around: Surroundings, hint: Hint | None) -> Tail:
    """Where the store ends; recovers it if need be.

    `hint` was read under this lock. Costs a constant number of reads on a clean store. Raises
    CorruptRecord.
    """
    slots = read_slots(disk)
    if hint is None or not is_believed(hint, around.token, slots):
        from msgstore.engine.recovery import recover

        return recover(disk, around)
    tail = Tail(own_slot(slots[-1], around.store_uuid), hint)
    entries = entries_beyond(disk, tail)
    if not entries and disk.size(INDEX) == (hint.rows + 1) * ROW_BYTES:
        return tail
    from msgstore.engine.recovery import apply_beyond

    return apply_beyond(disk, around, tail, entries)


def is_believed(hint: Hint, token: int, slots: Sequence[Slot]) -> bool:
    if hint.token != token or hint.sequence > NUMBER_MAX or hint.is_dirty or not slots:
        return False
    return slots[-1].generation == hint.generation


def entries_beyond(disk: Disk, tail: Tail) -> list[Entry]:
    """What was put on record behind the hint."""
    hint = tail.hint
    return list(
        entries_after(disk, tail.slot, hint.journal_end, hint.sequence, hint.entry_crc, hint.rows)
    )


def own_slot(slot: Slot, store_uuid: bytes) -> Slot:
    """Raises CorruptRecord where the slot is another store's, or says what cannot be."""
    if slot.store_uuid != store_uuid:
        raise CorruptRecord(JOURNAL, slot.offset, "the journal belongs to another store")
    if max(slot.generation, slot.rows, slot.sequence) > NUMBER_MAX:
        raise CorruptRecord(JOURNAL, slot.offset, "a number in the header is one no store reaches")
    return slot
