"""The redo log on disk: its slots, its entries, and room for the next one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.format.hint import HINT_BYTES, Hint, decode_hint, encode_hint
from msgstore.format.journal import (
    ENTRIES_START,
    ENTRY_ALIGNMENT,
    ENTRY_HEAD_BYTES,
    ENTRY_MAGIC,
    GENERATION_BYTES_MAX,
    JOURNAL_BYTES_MAX,
    SLOT_BYTES,
    SLOT_STRIDE,
    EntryHead,
    Slot,
    Write,
    are_of_a_commit,
    decode_entry_head,
    decode_slot,
    decode_writes,
    entry_is_whole,
    padded_length,
)
from msgstore.format.names import JOURNAL, LOCK
from msgstore.model.errors import CorruptRecord

JOURNAL_BYTES_FIRST = 256 * 1024
"""What a new journal is filled with zeros up to; it grows by doubling up to the mark below."""
JOURNAL_BYTES_CHECKPOINT = 4 * 1024 * 1024
"""A generation that has grown past this is ended by a checkpoint before the next commit."""
assert JOURNAL_BYTES_CHECKPOINT < GENERATION_BYTES_MAX
_IN_VAIN_TIMES_MAX = 16
_ZEROS_AT_ONCE = 1024 * 1024
_SCAN_BYTES = 1024 * 1024
_ENTRY_START = ENTRY_MAGIC.to_bytes(4, "little")


class Tail(NamedTuple):
    """Where the journal stands: the slot of its generation, and the hint that says how far it got."""

    slot: Slot
    hint: Hint


class Entry(NamedTuple):
    """A whole entry and its place in the journal."""

    offset: int
    head: EntryHead
    raw: bytes
    writes: list[Write]

    @property
    def end(self) -> int:
        return self.offset + padded_length(self.head.length)


def read_hint(disk: Disk) -> Hint | None:
    """The hint, or None where there is none or it is torn."""
    try:
        return decode_hint(disk.read(LOCK, 0, HINT_BYTES))
    except FileNotFoundError:
        return None


def write_hint(disk: Disk, hint: Hint) -> None:
    disk.write(LOCK, 0, encode_hint(hint))


def read_slots(disk: Disk) -> list[Slot]:
    """The valid slots, the one of the highest generation last."""
    try:
        head = disk.read(JOURNAL, 0, SLOT_STRIDE + SLOT_BYTES)
    except FileNotFoundError:
        return []
    return list(_valid_slots(head[:SLOT_BYTES], head[SLOT_STRIDE:]))


@lru_cache(maxsize=4)
def _valid_slots(even: bytes, odd: bytes) -> tuple[Slot, ...]:
    """Cached by the very bytes: slots are read at every save, and change at a checkpoint."""
    slots = [decode_slot(even), decode_slot(odd)]
    valid = [s for at, s in enumerate(slots) if s is not None and s.generation % 2 == at]
    return tuple(sorted(valid, key=lambda slot: slot.generation))


def next_slot(tail: Tail, row_crc: int, store_uuid: bytes) -> Slot:
    """The slot of the generation after this one, based on all that the hint knows to be applied."""
    hint = tail.hint
    return Slot(
        generation=tail.slot.generation + 1,
        salt=int.from_bytes(os.urandom(8), "little"),
        rows=hint.rows,
        sequence=hint.sequence,
        row_crc=row_crc,
        entry_crc=hint.entry_crc,
        sessions_end=hint.sessions_end,
        catalog_end=hint.catalog_end,
        store_uuid=store_uuid,
    )


def read_entry(disk: Disk, offset: int) -> Entry | None:
    """The whole, well-formed entry at `offset`, of whatever generation; None where there is none."""
    head = _read_head(disk, offset)
    return None if head is None else _read_whole(disk, offset, head)


def _read_head(disk: Disk, offset: int) -> EntryHead | None:
    return decode_entry_head(disk.read(JOURNAL, offset, ENTRY_HEAD_BYTES))


def _read_whole(disk: Disk, offset: int, head: EntryHead) -> Entry | None:
    raw = disk.read(JOURNAL, offset, head.length)
    if not entry_is_whole(raw, head):
        return None
    writes = decode_writes(raw, head)
    if writes is None or not are_of_a_commit(writes, head):
        return None
    return Entry(offset, head, raw, writes)


def entries_after(
    disk: Disk, slot: Slot, offset: int, sequence: int, entry_crc: int, rows: int
) -> Iterator[Entry]:
    """The chain of entries from `offset` on: each the successor of the one before it."""
    while offset < ENTRIES_START + GENERATION_BYTES_MAX:
        head = _read_head(disk, offset)
        if head is None:
            return
        if (head.generation, head.salt) != (slot.generation, slot.salt):
            return
        if (head.sequence, head.previous_crc, head.first_row) != (sequence + 1, entry_crc, rows):
            return
        # Only now: behind the end there is mostly a whole entry, of a generation long past.
        entry = _read_whole(disk, offset, head)
        if entry is None:
            return
        yield entry
        offset, sequence, entry_crc = entry.end, head.sequence, head.crc
        rows += head.rows


def entries_of_generation(disk: Disk, slot: Slot) -> Iterator[Entry]:
    """Every entry since the base of the slot's generation."""
    return entries_after(disk, slot, ENTRIES_START, slot.sequence, slot.entry_crc, slot.rows)


def first_head(disk: Disk) -> EntryHead | None:
    """What stands in the head of the journal's first entry, whole or not, of whatever generation."""
    return _read_head(disk, ENTRIES_START)


def stray_entries(
    disk: Disk, offset: int, is_wanted: Callable[[EntryHead], bool]
) -> Iterator[Entry]:
    """Whole entries at any place of the journal from `offset` on, whether they chain or not.

    Only those are read whose head `is_wanted`. Raises CorruptRecord where so many of these turn out
    to be none that no crash can have left them.
    """
    size = min(disk.size(JOURNAL), JOURNAL_BYTES_MAX)
    in_vain_bytes = 0
    while offset < size:
        window = disk.read(JOURNAL, offset, _SCAN_BYTES)
        for at in _entry_starts(window):
            head = decode_entry_head(window[at : at + ENTRY_HEAD_BYTES])
            if head is None or not is_wanted(head):
                continue
            if entry := read_entry(disk, offset + at):
                yield entry
                continue
            in_vain_bytes += min(head.length, size)
            if in_vain_bytes > _IN_VAIN_TIMES_MAX * size:
                raise CorruptRecord(JOURNAL, offset + at, "the journal is full of broken entries")
        offset += _SCAN_BYTES


def _entry_starts(window: bytes) -> Iterator[int]:
    """Where in a window of sectors one begins as an entry does; most of a journal is zeros."""
    at = window.find(_ENTRY_START)
    while at >= 0:
        if at % ENTRY_ALIGNMENT == 0:
            yield at
        at = window.find(_ENTRY_START, at + 1)


def make_room(disk: Disk, end: int) -> bool:
    """Fills the journal with zeros up to `end` or further; True if it did, and a sync is due.

    A commit into room that is there changes no file size, and its fdatasync writes no metadata.
    """
    size = max(0, disk.size(JOURNAL))
    if end <= size:
        return False
    target = max(end, min(2 * size, JOURNAL_BYTES_CHECKPOINT), JOURNAL_BYTES_FIRST)
    for offset in range(size, target, _ZEROS_AT_ONCE):
        disk.write(JOURNAL, offset, bytes(min(_ZEROS_AT_ONCE, target - offset)))
    return True
