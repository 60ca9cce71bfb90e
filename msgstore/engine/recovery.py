"""From what is on the disk to a store that can be written to, after any kind of end.

The rules R5 to R13 of docs/architecture.md; each refusal says what it found. Nothing that was
acknowledged is ever cut away: where the journal and the files disagree about that, recovery refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.engine.checkpoint import flush_files, mark_dirty
from msgstore.engine.entering import Surroundings, entries_beyond, is_believed, own_slot
from msgstore.engine.index import Index
from msgstore.engine.journal import (
    Entry,
    Tail,
    entries_of_generation,
    first_head,
    next_slot,
    read_hint,
    read_slots,
    stray_entries,
    write_hint,
)
from msgstore.format.hint import Hint
from msgstore.format.journal import (
    ENTRIES_START,
    JOURNAL_BYTES_MAX,
    EntryHead,
    Slot,
    encode_slot,
)
from msgstore.format.journal import FLAG_SYNCED as ENTRY_SYNCED
from msgstore.format.names import CATALOG, INDEX, JOURNAL, QUARANTINE, SESSIONS
from msgstore.format.row import FLAG_SYNCED, ROW_BYTES, stored_crc
from msgstore.model.errors import CorruptRecord

_LOST_ROWS_MAX = JOURNAL_BYTES_MAX // ROW_BYTES
"""Rows that no checkpoint accounts for were in the journal, each of them whole."""
_QUARANTINE_BYTES_MAX = 64 * 1024 * 1024


def apply_beyond(disk: Disk, around: Surroundings, tail: Tail, entries: list[Entry]) -> Tail:
    """Same boot: the last writer ended between its journal entry and the hint (rule R9).

    The entries are written again before they are synced: after an I/O error a page can be clean
    and yet not on the disk. Those of an `always` writer are synced by an `os` writer too: their rows
    say that they were.
    """
    hint = tail.hint
    synced_end = hint.synced_end
    if entries and (around.sync or any(entry.head.flags & ENTRY_SYNCED for entry in entries)):
        if hint.synced_end < hint.journal_end:
            mark_dirty(disk, tail)  # a failed sync may lose these, too
        for entry in entries:
            disk.write(JOURNAL, entry.offset, entry.raw)
        disk.sync(JOURNAL)
        synced_end = entries[-1].end
    ends = _Ends(hint.rows, hint.sessions_end, hint.catalog_end)
    ends.extend(entries)
    _replay(disk, entries, ends)
    after = ends.hint(around.token, tail.slot, entries, hint, synced_end)
    write_hint(disk, after)
    return Tail(tail.slot, after)


def recover(disk: Disk, around: Surroundings) -> Tail:
    """Another boot, a dirty or damaged hint, a copied store: replays the whole generation (R10)."""
    slot, entries, ends = _survey(disk, around.store_uuid)
    disk.write(JOURNAL, slot.offset, encode_slot(slot))
    for entry in entries:
        disk.write(JOURNAL, entry.offset, entry.raw)
    disk.sync(JOURNAL)
    touched = _replay(disk, entries, ends)
    flush_files(disk, touched | {INDEX, CATALOG, SESSIONS})
    base = ends.hint(around.token, slot, entries, None, ENTRIES_START)
    rows_crc = stored_crc(disk.read(INDEX, ends.rows * ROW_BYTES, ROW_BYTES)) if ends.rows else 0
    return begin_generation(disk, Tail(slot, base), rows_crc, around.store_uuid)


def overlay(disk: Disk, store_uuid: bytes) -> tuple[int, int, int]:
    """For readers that may not recover: replays onto `disk`, which keeps it in memory.

    Returns rows, and the ends of session log and catalog.
    """
    _, entries, ends = _survey(disk, store_uuid)
    _replay(disk, entries, ends, quarantine=False)
    return ends.rows, ends.sizes[SESSIONS], ends.sizes[CATALOG]


def overlay_beyond(disk: Disk, around: Surroundings) -> tuple[int, int, int] | None:
    """As `overlay`, but as a reader sees it who believes the hint; None where it is not believed.

    What no entry accounts for is only cut where there is an entry to carry out.
    """
    slots, hint = read_slots(disk), read_hint(disk)
    if hint is None or not is_believed(hint, around.token, slots):
        return None
    entries = entries_beyond(disk, Tail(own_slot(slots[-1], around.store_uuid), hint))
    ends = _Ends(hint.rows, hint.sessions_end, hint.catalog_end)
    ends.extend(entries)
    if entries:
        _replay(disk, entries, ends, quarantine=False)
    return ends.rows, ends.sizes[SESSIONS], ends.sizes[CATALOG]


class Standing(NamedTuple):
    """What the journal says of the store: its present generation, and where that ends."""

    entries: list[Entry]
    rows: int
    sessions_end: int


def standing(disk: Disk, store_uuid: bytes, *, with_index: bool) -> Standing:
    """What the journal says by itself, whatever state the files are in that it was written for.

    Raises CorruptRecord on the grounds of R11 that speak against the journal; whole rows in the
    index are heard `with_index`.
    """
    slot, entries, ends = _chain(disk, store_uuid)
    end, sequence = _end_of(slot, entries)
    _refuse_newer_entries(disk, slot)
    _refuse_hole(disk, slot, end, sequence)
    _refuse_lost_hint(disk, slot, end)
    if with_index:
        _refuse_lost_rows(disk, ends.rows)
    return Standing(entries, ends.rows, ends.sizes[SESSIONS])


def begin_generation(disk: Disk, tail: Tail, row_crc: int, store_uuid: bytes) -> Tail:
    """Everything in the files is on the disk: the journal is used again from its start."""
    slot = next_slot(tail, row_crc, store_uuid)
    disk.write(JOURNAL, slot.offset, encode_slot(slot))
    disk.sync(JOURNAL)
    hint = tail.hint._replace(
        generation=slot.generation,
        journal_end=ENTRIES_START,
        synced_end=ENTRIES_START,
        flags=0,
    )
    write_hint(disk, hint)
    return Tail(slot, hint)


# ---------------------------------------------------------------- what stands, and what does not


def _survey(disk: Disk, store_uuid: bytes) -> tuple[Slot, list[Entry], _Ends]:
    """The generation to replay, after every ground to refuse has been looked for (R11)."""
    slot, entries, ends = _chain(disk, store_uuid)
    end, sequence = _end_of(slot, entries)
    _refuse_newer_entries(disk, slot)
    _refuse_damaged_base(disk, slot)
    _refuse_hole(disk, slot, end, sequence)
    _refuse_lost_hint(disk, slot, end)
    _refuse_lost_rows(disk, ends.rows)
    return slot, entries, ends


def _chain(disk: Disk, store_uuid: bytes) -> tuple[Slot, list[Entry], _Ends]:
    slots = read_slots(disk)
    if not slots:
        raise CorruptRecord(JOURNAL, 0, "the journal has no valid header")
    slot = own_slot(slots[-1], store_uuid)
    entries = list(entries_of_generation(disk, slot))
    ends = _Ends(slot.rows, slot.sessions_end, slot.catalog_end)
    ends.extend(entries)
    return slot, entries, ends


def _end_of(slot: Slot, entries: Sequence[Entry]) -> tuple[int, int]:
    """Where the chain ends in the journal, and its last sequence number."""
    if not entries:
        return ENTRIES_START, slot.sequence
    return entries[-1].end, entries[-1].head.sequence


def _refuse_newer_entries(disk: Disk, slot: Slot) -> None:
    """A newer generation began where all do, at the first entry: its own header must have been lost.

    Nowhere else is looked: there what a message holds may stand, and it may look like an entry.
    """
    head = first_head(disk)
    if head is not None and head.generation > slot.generation:
        raise CorruptRecord(JOURNAL, ENTRIES_START, "an entry is newer than the journal's header")


def _refuse_damaged_base(disk: Disk, slot: Slot) -> None:
    if disk.size(INDEX) < (slot.rows + 1) * ROW_BYTES:
        reason = f"the index is shorter than the {slot.rows} rows of the last checkpoint"
        missing = Index(disk).row_count() + 1
        raise CorruptRecord(INDEX, missing * ROW_BYTES, reason, position=missing)
    if slot.rows:
        offset = slot.rows * ROW_BYTES
        if Index(disk).read(slot.rows) is None or (
            stored_crc(disk.read(INDEX, offset, ROW_BYTES)) != slot.row_crc
        ):
            reason = "the last row of the last checkpoint is damaged"
            raise CorruptRecord(INDEX, offset, reason, position=slot.rows)
    for path, end in ((SESSIONS, slot.sessions_end), (CATALOG, slot.catalog_end)):
        if disk.size(path) < end:
            reason = f"the file is shorter than the {end} bytes of the last checkpoint"
            raise CorruptRecord(path, max(0, disk.size(path)), reason)


def _refuse_hole(disk: Disk, slot: Slot, end: int, sequence: int) -> None:
    """A valid entry behind a bad one, written when the journal was synced beyond the bad one."""

    def tells(head: EntryHead) -> bool:
        return (
            (head.generation, head.salt) == (slot.generation, slot.salt)
            and head.sequence > sequence
            and head.durable_upto > end
        )

    for _ in stray_entries(disk, end, tells):
        raise CorruptRecord(JOURNAL, end, "a synced entry is damaged; valid ones follow it")


def _refuse_lost_hint(disk: Disk, slot: Slot, end: int) -> None:
    hint = read_hint(disk)
    if hint and hint.generation == slot.generation and hint.synced_end > end:
        raise CorruptRecord(JOURNAL, end, "a synced entry is damaged; the hint knows of it")


def _refuse_lost_rows(disk: Disk, rows: int) -> None:
    """A whole, synced commit in the index that the journal no longer holds."""
    index = Index(disk)
    if index.row_count() - rows > _LOST_ROWS_MAX:
        reason = "the index goes on further than a generation of the journal can take it"
        raise CorruptRecord(INDEX, (rows + 1) * ROW_BYTES, reason, position=rows + 1)
    for first in index.batches_after(rows):
        if first.flags & FLAG_SYNCED:
            reason = "synced rows lie beyond the journal's last entry"
            raise CorruptRecord(INDEX, (rows + 1) * ROW_BYTES, reason, position=rows + 1)


# ---------------------------------------------------------------- carrying it out


class _Ends:
    """Where each file ends once the entries are applied."""

    def __init__(self, rows: int, sessions_end: int, catalog_end: int) -> None:
        self.rows = rows
        self.sizes = {SESSIONS: sessions_end, CATALOG: catalog_end}

    def extend(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.rows += entry.head.rows
            for write in entry.writes:
                if write.path != INDEX:
                    self.sizes[write.path] = write.offset + len(write.data)

    def hint(
        self,
        token: int,
        slot: Slot,
        entries: Sequence[Entry],
        before: Hint | None,
        synced_end: int,
    ) -> Hint:
        """The hint that is true once this is applied; `before` holds where no entry is new."""
        last = entries[-1] if entries else None
        unmoved = (ENTRIES_START, slot.sequence, slot.entry_crc)
        if before is not None:
            unmoved = (before.journal_end, before.sequence, before.entry_crc)
        journal_end, sequence, entry_crc = (
            (last.end, last.head.sequence, last.head.crc) if last else unmoved
        )
        return Hint(
            token=token,
            generation=slot.generation,
            journal_end=journal_end,
            rows=self.rows,
            synced_end=synced_end,
            sequence=sequence,
            entry_crc=entry_crc,
            flags=0,
            sessions_end=self.sizes[SESSIONS],
            catalog_end=self.sizes[CATALOG],
        )


def _replay(
    disk: Disk, entries: Sequence[Entry], ends: _Ends, *, quarantine: bool = True
) -> set[str]:
    """Applies entries and cuts what no entry accounts for; returns the files it wrote to."""
    touched: set[str] = set()
    for entry in entries:
        for write in entry.writes:
            disk.write(write.path, write.offset, write.data)
            touched.add(write.path)
    for path, end in (*ends.sizes.items(), (INDEX, (ends.rows + 1) * ROW_BYTES)):
        if disk.size(path) > end:
            if quarantine and path == INDEX:
                _report_discarded(disk, ends.rows)
            if quarantine:
                _set_aside(disk, path, end)
            disk.truncate(path, end)
            touched.add(path)
    return touched


def _report_discarded(disk: Disk, rows: int) -> None:
    """Rule R12: after a power loss saves that did not wait for the disk may be gone."""
    discarded = Index(disk).last_complete(rows) - rows
    if discarded:
        first, last = rows + 1, rows + discarded
        _report(f"positions {first:,} to {last:,} had not reached the disk and are discarded")


def _set_aside(disk: Disk, path: str, end: int) -> None:
    """Keeps what is about to be cut, unless it is zeros or there is no room to keep it."""
    cut = disk.read(path, end, min(disk.size(path) - end, _QUARANTINE_BYTES_MAX))
    if not cut.strip(b"\0"):
        return
    name = f"{path.replace('/', '_')}.{end}"
    taken = set(disk.list(QUARANTINE))
    attempt = next(n for n in count() if f"{name}.{n}" not in taken)
    kept = f"{QUARANTINE}/{name}.{attempt}"
    try:
        disk.write(kept, 0, cut)
    except OSError:
        # Recovery must not depend on free space; these bytes were in no commit that stands.
        kept = "nowhere: there is no room"
    _report(f"recovery cut {len(cut):,} bytes of no whole commit from {path}; kept in {kept}")


def _report(words: str) -> None:
    """Said once, where it happens. Without a handler for the logger it goes to stderr."""
    import logging

    logging.getLogger("msgstore").warning("msgstore: %s", words)
