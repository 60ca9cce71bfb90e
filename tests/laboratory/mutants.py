"""Deliberate errors of the engine, each of which the laboratory must find.

A mutant is one change of the package's text. If that text is no longer there, that is an error of
this list, so that it cannot rot.
"""

from __future__ import annotations

from laboratory.mutation import Change, Mutant


def _one(file: str, old: str, new: str) -> tuple[Change, ...]:
    return (Change(file, old, new),)


MUTANTS = (
    Mutant(
        "no record CRC",
        "R17: a frame is whole if its CRC holds",
        _one(
            "format/frame.py",
            "    if crc32(view, elements) != crc:\n",
            "    if crc32(view, elements) != crc and False:\n",
        ),
        "damage/always",
    ),
    Mutant(
        "no row CRC",
        "every row that is looked at is checked",
        (
            Change(
                "format/row.py",
                "        or crc32(view[4:], position & 0xFFFF_FFFF) != _CRC.unpack_from(view)[0]\n",
                "",
            ),
            Change(
                "format/row.py",
                "        if crc32(rest, position & 0xFFFF_FFFF) != crc:\n",
                "        if False:\n",
            ),
        ),
        "damage/always",
    ),
    Mutant(
        "no entry CRC",
        "R2: a torn entry does not count",
        _one(
            "format/journal.py",
            "    return len(entry) == head.length and crc32(memoryview(entry)[8:]) == head.crc\n",
            "    return len(entry) == head.length\n",
        ),
        "explore/always/",
    ),
    Mutant(
        "no slot CRC",
        "R1: a damaged header does not count",
        _one("format/journal.py", " or crc32(raw[12:]) != crc:\n", ":\n"),
        "damage/always",
    ),
    Mutant(
        "stale entries count",
        "R2: generation, salt, sequence and chain of an entry; one of them alone would still do",
        (
            Change(
                "engine/journal.py",
                "        if (head.generation, head.salt) != (slot.generation, slot.salt):\n"
                "            return\n",
                "",
            ),
            Change(
                "engine/journal.py",
                "        if (head.sequence, head.previous_crc, head.first_row) != "
                "(sequence + 1, entry_crc, rows):\n",
                "        if head.first_row < rows:\n",
            ),
        ),
        "explore/os/",
    ),
    Mutant(
        "rows before segments",
        "readers see whole commits: a row's record is there",
        _one(
            "engine/recorder.py",
            "            for write in writes:\n                self._disk.write(write.path",
            "            for write in reversed(writes):\n                self._disk.write(write.path",
        ),
    ),
    Mutant(
        "acknowledged before the sync",
        "the commit is the sync of the entry",
        _one(
            "engine/recorder.py",
            "            if self._syncs:\n                self._sync_journal()\n",
            "",
        ),
    ),
    Mutant(
        "no sync of folders",
        "R7: a checkpoint syncs the folders too",
        _one(
            "engine/checkpoint.py",
            "    for folder in sorted(folders, reverse=True):\n        disk.sync_folder(folder)\n",
            "",
        ),
    ),
    Mutant(
        "no sync of files",
        "R7: a checkpoint syncs every file of its generation",
        _one("engine/checkpoint.py", "        disk.sync(path)\n", ""),
    ),
    Mutant(
        "only index, catalog and sessions are flushed",
        "R7: the segments of the generation too",
        _one(
            "engine/checkpoint.py",
            "        files.update(write.path for write in entry.writes)\n",
            "        pass\n",
        ),
        "explore/always/c",
    ),
    Mutant(
        "slot before the files",
        "R7: the slot is written when the files are on the disk",
        _one(
            "engine/recorder.py",
            "            flush_generation(self._disk, tail)\n",
            "            begin_generation(self._disk, tail, stored_crc(self._disk.read(INDEX,"
            " tail.hint.rows * ROW_BYTES, ROW_BYTES)), self.source.identity.store_uuid)\n"
            "            flush_generation(self._disk, tail)\n",
        ),
        "explore/always/c",
    ),
    Mutant(
        "slot not synced",
        "R7: no entry of the new generation before its slot is on the disk",
        _one(
            "engine/recovery.py",
            "    disk.write(JOURNAL, slot.offset, encode_slot(slot))\n    disk.sync(JOURNAL)\n"
            "    hint = ",
            "    disk.write(JOURNAL, slot.offset, encode_slot(slot))\n    hint = ",
        ),
        "explore/always/c",
    ),
    Mutant(
        "one slot only",
        "R1: the slot in use is never overwritten",
        (
            Change(
                "format/journal.py",
                "        return (self.generation % 2) * SLOT_STRIDE\n",
                "        return 0\n",
            ),
            Change(
                "engine/journal.py",
                " if s is not None and s.generation % 2 == at]",
                " if s is not None]",
            ),
        ),
        "refuse/always/c",
    ),
    Mutant(
        "no dirty mark at a checkpoint",
        "R7: on an error the hint stays dirty",
        _one(
            "engine/recorder.py",
            "            mark_dirty(self._disk, tail)\n            flush",
            "            flush",
        ),
        "refuse/always/c",
    ),
    Mutant(
        "no dirty mark before a sync of older entries",
        "R7, R9: what a failed sync lost is written again",
        _one(
            "engine/recorder.py",
            "        if has_unsynced:\n            # A failed",
            "        if False:\n            # A failed",
        ),
        "refuse/os/r",
    ),
    Mutant(
        "dirty is not looked at",
        "R5: the hint is believed only if it is clean",
        _one("engine/entering.py", " or hint.is_dirty or not slots:", " or not slots:"),
        "refuse/os/r",
    ),
    Mutant(
        "another boot is not noticed",
        "R5, R13: the token ties the hint to the boot",
        (
            Change("engine/entering.py", "    if hint.token != token or hint", "    if hint"),
            Change(
                "engine/opened.py",
                "if source and hint and hint.token == source.token else",
                "if source and hint else",
            ),
        ),
    ),
    Mutant(
        "no look beyond the journal's end",
        "R5: no entry follows the end that the hint tells",
        _one(
            "engine/entering.py",
            "    if not entries and disk.size(INDEX)",
            "    entries = []\n    if disk.size(INDEX)",
        ),
    ),
    Mutant(
        "same boot: entries are not written again",
        "R9: a clean page is no proof of durability",
        _one(
            "engine/recovery.py",
            "        for entry in entries:\n            disk.write(JOURNAL, entry.offset, entry.raw)\n"
            "        disk.sync(JOURNAL)\n        synced_end",
            "        disk.sync(JOURNAL)\n        synced_end",
        ),
        "refuse/always/s",
    ),
    Mutant(
        "same boot: entries are not synced",
        "R9: they are on the disk before they are carried out",
        _one(
            "engine/recovery.py",
            "        disk.sync(JOURNAL)\n        synced_end",
            "        synced_end",
        ),
    ),
    Mutant(
        "recovery does not write entries again",
        "R10: a clean page is no proof of durability",
        _one(
            "engine/recovery.py",
            "    for entry in entries:\n        disk.write(JOURNAL, entry.offset, entry.raw)\n"
            "    disk.sync(JOURNAL)\n    touched",
            "    disk.sync(JOURNAL)\n    touched",
        ),
        "refuse/always/b/eio-and-syncs/all",
    ),
    Mutant(
        "recovery does not sync the journal first",
        "R10: entries are on the disk before they are carried out",
        _one(
            "engine/recovery.py",
            "    disk.sync(JOURNAL)\n    touched",
            "    touched",
        ),
        "refuse/always/b/eio-and-syncs/all",
    ),
    Mutant(
        "recovery does not flush the files",
        "R10: a new generation begins on files that are on the disk",
        _one(
            "engine/recovery.py",
            "    flush_files(disk, touched | {INDEX, CATALOG, SESSIONS})\n",
            "",
        ),
    ),
    Mutant(
        "hint before rows",
        "the hint is written last",
        _one(
            "engine/recorder.py",
            "        before = self.tail.hint\n        try:\n            for write in writes:\n",
            "        before = self.tail.hint\n        write_hint(self._disk, after)\n"
            "        try:\n            for write in writes:\n",
        ),
    ),
    Mutant(
        "index not cut in recovery",
        "R10: rows that no entry accounts for go",
        _one(
            "engine/recovery.py",
            "(*ends.sizes.items(), (INDEX, (ends.rows + 1) * ROW_BYTES)):",
            "ends.sizes.items():",
        ),
        "explore/os/",
    ),
    Mutant(
        "only the index is cut in recovery",
        "R10: what no entry accounts for is cut, so that recovery leaves the same files each time",
        _one(
            "engine/recovery.py",
            "    for path, end in (*ends.sizes.items(), (INDEX, (ends.rows + 1) * ROW_BYTES)):\n",
            "    for path, end in ((INDEX, (ends.rows + 1) * ROW_BYTES),):\n",
        ),
        "explore/os/nc",
    ),
    Mutant(
        "no new generation after recovery, no chain",
        "R12, R2: entries of before the crash never count again; either rule alone would do",
        (
            Change(
                "engine/recovery.py",
                "    return begin_generation(disk, Tail(slot, base), rows_crc, around.store_uuid)\n",
                "    write_hint(disk, base)\n    return Tail(slot, base)\n",
            ),
            Change(
                "engine/journal.py",
                "(head.sequence, head.previous_crc, head.first_row) != (sequence + 1, entry_crc, rows):",
                "(head.sequence, head.first_row) != (sequence + 1, rows):",
            ),
        ),
        "explore/os/ss",
    ),
    Mutant(
        "sequence restarted",
        "R2: sequence numbers never restart",
        _one(
            "engine/journal.py",
            "        sequence=hint.sequence,\n        row_crc",
            "        sequence=0,\n        row_crc",
        ),
    ),
    Mutant(
        "strike-out not synced",
        "R15: what was refused does not come back",
        _one(
            "engine/recorder.py",
            "bytes(ENTRY_HEAD_BYTES))\n            self._sync_journal()\n",
            "bytes(ENTRY_HEAD_BYTES))\n",
        ),
        "refuse/always/s",
    ),
    Mutant(
        "no strike-out",
        "R15: what was refused does not come back",
        _one(
            "engine/recorder.py",
            "            self._disk.write(JOURNAL, hint.journal_end, bytes(ENTRY_HEAD_BYTES))\n"
            "            self._sync_journal()\n",
            "",
        ),
        "refuse/always/s",
    ),
    Mutant(
        "struck out without a mark",
        "R15: what the next writer finds is what a power loss leaves",
        _one(
            "engine/recorder.py",
            "            mark_dirty(self._disk, self.tail)\n            self._disk.write(JOURNAL",
            "            self._disk.write(JOURNAL",
        ),
        "wander/9",
    ),
    Mutant(
        "an `os` writer syncs nothing that it carries out",
        "R3, R9: a row that says it was synced stands in a journal that was",
        _one(
            "engine/recovery.py",
            "(around.sync or any(entry.head.flags & ENTRY_SYNCED for entry in entries))",
            "around.sync",
        ),
        "wander/301",
    ),
    Mutant(
        "taken back although visible",
        "R16: what readers saw stays",
        _one(
            "engine/recorder.py",
            "            if not self._may_be_visible(before.rows):\n"
            "                self._take_back(writes, error)\n"
            "            self._stands_or_not(error)\n            raise\n"
            "        try:\n            self._advance(after)\n"
            "        except BaseException as error:\n            self._stands_or_not(error)\n",
            "            self._take_back(writes, error)\n"
            "            raise\n"
            "        try:\n            self._advance(after)\n"
            "        except BaseException as error:\n            self._take_back(writes, error)\n",
        ),
        "refuse/always/s",
    ),
    Mutant(
        "goes on after a failed sync",
        "nothing is known after a failed sync",
        _one(
            "engine/recorder.py",
            '                self._fail("a sync failed; the store must be opened again")\n            raise\n',  # noqa: E501
            "                pass\n",
        ),
        "refuse/always/s",
    ),
    Mutant(
        "a new file's first bytes are not in the journal",
        "R4: an entry holds all that it creates",
        _one(
            "engine/recorder.py",
            "            writes=writes,\n        )\n        journal_end",
            "            writes=[w for w in writes if w.offset],\n        )\n        journal_end",
        ),
    ),
    Mutant(
        "the catalog is not in the journal",
        "R4: an entry names every file it changes",
        _one(
            "engine/recorder.py",
            "            writes=writes,\n        )\n        journal_end",
            "            writes=[w for w in writes if w.path != 'catalog'],\n        )\n"
            "        journal_end",
        ),
    ),
    Mutant(
        "a hole is not refused",
        "R11: a valid entry behind a bad one that was synced",
        _one(
            "engine/recovery.py",
            "    _refuse_damaged_base(disk, slot)\n    _refuse_hole(disk, slot, end, sequence)\n",
            "    _refuse_damaged_base(disk, slot)\n",
        ),
        "damage/always",
    ),
    Mutant(
        "what the hint knows is not asked",
        "R11: the hint knows of more",
        _one(
            "engine/recovery.py",
            "    _refuse_lost_hint(disk, slot, end)\n    _refuse_lost_rows",
            "    _refuse_lost_rows",
        ),
        "damage/always",
    ),
    Mutant(
        "lost rows are not refused",
        "R11: synced rows behind the last entry",
        _one(
            "engine/recovery.py",
            "    _refuse_lost_rows(disk, ends.rows)\n    return slot",
            "    return slot",
        ),
        "damage/always",
    ),
    Mutant(
        "newer entries are not refused",
        "R11: an entry is newer than the slots",
        _one(
            "engine/recovery.py",
            "    _refuse_newer_entries(disk, slot)\n    _refuse_damaged_base",
            "    _refuse_damaged_base",
        ),
        "damage/os",
    ),
    Mutant(
        "a damaged base is not refused",
        "R11: the index is shorter than the base, or its row differs",
        _one("engine/recovery.py", "    _refuse_damaged_base(disk, slot)\n", ""),
        "damage/always",
    ),
    Mutant(
        "cut at the first bad entry",
        "R11: a bad entry ends the replay only if nothing tells that it was whole",
        _one(
            "engine/recovery.py",
            "    _refuse_hole(disk, slot, end, sequence)\n"
            "    _refuse_lost_hint(disk, slot, end)\n"
            "    _refuse_lost_rows(disk, ends.rows)\n    return slot",
            "    return slot",
        ),
        "damage/os",
    ),
    Mutant(
        "cut at the first bad record",
        "R6: a stream ends at a bad record only if no row accounts for it",
        _one(
            "engine/segments.py",
            "        if stream is not None:\n            after = ",
            "        if False:\n            after = ",
        ),
        "damage/always",
    ),
    Mutant(
        "cut at the first bad row",
        "R14: fewer rows than the hint counts are damage",
        _one(
            "engine/index.py",
            "            raise CorruptRecord(INDEX, (rows + 1) * ROW_BYTES, reason, position=rows + 1)\n"
            "        while",
            "            return rows\n        while",
        ),
        "damage/always",
    ),
    Mutant(
        "no generation check",
        "R2: generation and salt of an entry",
        _one(
            "engine/journal.py",
            "        if (head.generation, head.salt) != (slot.generation, slot.salt):\n"
            "            return\n",
            "",
        ),
        "refuse/always/c/eio-too-late",
    ),
    Mutant(
        "the end of a stream is its last frame",
        "R6: only if a row points back to it",
        _one(
            "engine/segments.py",
            "        return row if there == here else None\n",
            "        return row\n",
        ),
        "explore/os/ct",
    ),
    Mutant(
        "a reader's own mark ends the journal",
        "how far entries go is a law of the format, not the mark of who reads it",
        _one(
            "engine/journal.py",
            "    while offset < ENTRIES_START + GENERATION_BYTES_MAX:\n",
            "    while offset < ENTRIES_START + JOURNAL_BYTES_CHECKPOINT:\n",
        ),
        "wander/1",
    ),
    Mutant(
        "entries do not say how far the journal was synced",
        "R2, R11: `durable_upto` tells a hole from an end",
        _one(
            "engine/recorder.py",
            "            durable_upto=hint.synced_end,\n",
            "            durable_upto=0,\n",
        ),
        "damage/always",
    ),
    Mutant(
        "rows do not say that they were synced",
        "R3, R11: synced rows behind the last entry are damage",
        _one(
            "engine/writer.py",
            "            synced=self._syncs,\n            catalog_end",
            "            synced=False,\n            catalog_end",
        ),
        "damage/always",
    ),
    Mutant(
        "rows say that they were synced when they were not",
        "R3, R12: with `os` rows may reach the disk before their entry",
        _one(
            "engine/writer.py",
            "            synced=self._syncs,\n            catalog_end",
            "            synced=True,\n            catalog_end",
        ),
        "explore/os/s",
    ),
    Mutant(
        "the hint says that all is synced",
        "R12: with `os` entries may be lost",
        _one(
            "engine/recorder.py",
            "journal_end if self._syncs else hint.synced_end,",
            "journal_end,",
        ),
        "explore/os/s",
    ),
    Mutant(
        "an overlay without the journal",
        "R13: a reader that may not recover sees what recovery would leave",
        _one(
            "engine/recovery.py",
            "    _, entries, ends = _survey(disk, store_uuid)\n    _replay(disk, entries",
            "    _, entries, ends = _survey(disk, store_uuid)\n    _replay(disk, []",
        ),
        "explore/always/s",
    ),
    Mutant(
        "what a failed commit left is not cut",
        "a commit ends the files where its own bytes end",
        _one(
            "engine/recorder.py",
            "        if self._disk.size(path) > end:\n            self._disk.truncate",
            "        if False:\n            self._disk.truncate",
        ),
        "refuse/os/n/short",
    ),
    Mutant(
        "stale totals after others have saved",
        "what a writer remembers holds only while nobody else writes",
        _one(
            "engine/writer.py",
            "        if self._known_at != tail:\n",
            "        if self._known_at is None:\n",
        ),
        "turns/os",
    ),
    Mutant(
        "what others have saved is passed over in part",
        "a writer knows where streams end, or asks",
        _one(
            "engine/writer.py",
            "range(known_rows + 1, rows + 1)",
            "range(known_rows + 2, rows + 1)",
        ),
        "turns/os",
    ),
    Mutant(
        "a stream that one does not know is taken for a new one",
        "only who knows as many streams as there are knows all of them",
        _one(
            "engine/writer.py",
            "        if cursor is None and len(self._cursors) != self._read_totals().streams:\n",
            "        if cursor is None and len(self._cursors) < self._read_totals().streams - 1:\n",
        ),
        "turns/os",
    ),
    Mutant(
        "half a commit is visible",
        "R3: a commit is complete when all its rows are there",
        _one(
            "engine/index.py",
            "            known_rows += batch\n        return known_rows\n",
            "            known_rows += batch\n        return rows\n",
        ),
        "explore/always/b",
    ),
    Mutant(
        "store.json before the files",
        "a store is made when store.json is in place, and that comes last",
        _one(
            "engine/create.py",
            "    lay_out(disk, identity.store_uuid)\n"
            "    disk.replace(STORE_JSON, encode_identity(identity, now_us))\n",
            "    disk.replace(STORE_JSON, encode_identity(identity, now_us))\n"
            "    lay_out(disk, identity.store_uuid)\n",
        ),
        "explore/always/",
    ),
)
