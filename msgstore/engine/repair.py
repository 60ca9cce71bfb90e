"""Repair: what is damaged and can be derived is made anew; what is lost is marked as lost.

The result is read and checked as a whole before it counts. Everything here runs under the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from msgstore.disk.files import Disk
from msgstore.disk.overlay import OverlayDisk
from msgstore.engine.diagnosis import diagnose, unsound_files
from msgstore.engine.identity import Identity, decode_identity
from msgstore.engine.marking import first_time, make_markers
from msgstore.engine.marks import is_swapping
from msgstore.engine.origin import Origin, find_origin
from msgstore.engine.place import check_headers
from msgstore.engine.placing import Lost, lost_runs, place_lost
from msgstore.engine.rebuild import Rebuilder, first_unsound
from msgstore.engine.recovery import overlay
from msgstore.engine.remains import Stream
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.engine.survey import Survey
from msgstore.engine.swap import (
    finish_swap,
    next_quarantine,
    read_swap,
    swap,
    swapped_view,
)
from msgstore.engine.verify import verify
from msgstore.format.names import (
    CATALOG,
    INDEX,
    JOURNAL,
    LOOKUP,
    REPAIR_NEW,
    SESSIONS,
    STORE_JSON,
    segment_path,
)
from msgstore.format.repair import Move, Swap
from msgstore.format.row import ROW_BYTES
from msgstore.model.errors import CorruptRecord, CorruptStore, StoreNotFound
from msgstore.model.repairs import RepairReport


def repair(disk: Disk, now_us: int, *, apply: bool) -> RepairReport:
    """Says what is wrong, and with `apply` sets it right. A sound store is left as it is.

    Raises StoreNotFound, CorruptStore for what no repair can make sense of, OSError.
    """
    if apply:
        finish_swap(disk)
    view = swapped_view(disk, read_swap(disk))
    origin = _origin(view)
    found = diagnose(view, origin)
    if not found.findings:
        return RepairReport(found.rows or 0, (), (), (), None, False)
    survey = Survey(view, origin.identity.store_uuid, with_index=True)
    rows = {position: survey.row(position) for position in survey.places.lost(survey.rows)}
    lost = place_lost(survey, rows)
    damage = found.findings
    if found.rows is None:
        damage += tuple(unsound_files(survey))
    report = RepairReport(survey.rows, damage, lost_runs(lost), (), None, False, _notes(survey))
    if not apply:
        return replace(report, rebuilt=_to_rebuild(survey, report))
    return _carry_out(disk, survey, origin, lost, now_us, report)


def rebuild_index(disk: Disk, now_us: int) -> RepairReport:
    """Makes index, catalog and journal, and where need be the session log, from the segments.

    Raises CorruptStore, with nothing changed, unless these hold every message exactly once.
    """
    finish_swap(disk)
    origin = _origin(disk)
    if origin.problem is not None:
        raise _beyond_segments(CorruptRecord(STORE_JSON, 0, origin.problem))
    survey = Survey(disk, origin.identity.store_uuid, with_index=False)
    for finding in unsound_files(survey):
        raise _beyond_segments(CorruptRecord(finding.path, finding.offset, finding.reason))
    for position in survey.places.lost(survey.rows):
        reason = "no segment holds the message"
        error = CorruptRecord(INDEX, position * ROW_BYTES, reason, position=position)
        raise _beyond_segments(error)
    if survey.ambiguous:
        reason = f"{survey.ambiguous:,} positions stand in two records each"
        raise _beyond_segments(CorruptStore(f"the segments are ambiguous: {reason}"))
    report = RepairReport(survey.rows, (), (), (), None, False, _notes(survey))
    return _carry_out(disk, survey, origin, [], now_us, report)


def _beyond_segments(error: CorruptStore) -> CorruptStore:
    error.add_note("nothing was changed; `msgstore repair` says what can be done")
    return error


def _origin(disk: Disk) -> Origin:
    origin = find_origin(disk)
    if origin is None:
        raise StoreNotFound(disk.root)
    return origin


def _notes(survey: Survey) -> tuple[str, ...]:
    notes = []
    if survey.changed:
        notes.append(f"the journal completes {len(survey.changed):,} files")
    if survey.strays:
        what = "copies, of saves that do not stand, or not what msgstore writes"
        notes.append(f"{survey.strays:,} whole records are {what}")
    if survey.leftovers:
        notes.append(f"{len(survey.leftovers):,} files in streams/ hold no message of this store")
    return tuple(notes)


def _to_rebuild(survey: Survey, report: RepairReport) -> tuple[str, ...]:
    """The files that a repair makes anew, as far as that can be told before it is done."""
    damaged = {finding.path for finding in report.damage}
    paths = [CATALOG, INDEX, JOURNAL, *sorted(damaged & {SESSIONS, STORE_JSON})]
    lost = {run.stream_id: run.first_revision for run in reversed(report.lost)}
    for stream_id in sorted(survey.streams.keys() | lost.keys()):
        stream = survey.streams.get(stream_id) or Stream(stream_id)
        unsound = first_unsound(stream, lost.get(stream_id))
        if unsound is not None:
            paths.append(segment_path(stream_id, unsound))
            paths += [file.path for file in stream.files[unsound + 1 :] if file.is_home]
    return tuple(paths)


# ---------------------------------------------------------------- setting it right


def _carry_out(
    disk: Disk,
    survey: Survey,
    origin: Origin,
    lost: Sequence[Lost],
    now_us: int,
    report: RepairReport,
) -> RepairReport:
    """Prepares the files, proves them, and puts them in place."""
    quarantine = next_quarantine(disk)
    first_us = first_time(survey, lost, now_us)
    store_json = origin.store_json(disk, first_us)
    disk.remove(REPAIR_NEW)
    try:
        rebuilder = Rebuilder(disk, survey, make_markers(survey, lost, quarantine, first_us))
        rebuilder.write_all(store_json)
        wanted = Swap(store_json, quarantine, _moves(disk, rebuilder))
        _prove(swapped_view(disk, wanted), decode_identity(disk.root, store_json))
        swap(disk, wanted)
    except BaseException:
        if not is_swapping(disk):
            with suppress(OSError):
                disk.remove(REPAIR_NEW)
        raise
    return replace(report, rebuilt=tuple(rebuilder.made), quarantine=quarantine, applied=True)


def _moves(disk: Disk, rebuilder: Rebuilder) -> tuple[Move, ...]:
    """`lookup/` is derived from the index, and goes with the old one."""
    moves = {path: Move(path, True) for path in rebuilder.made}
    for path in rebuilder.aside:
        if disk.identity(path) is not None:
            moves.setdefault(path, Move(path, False))
    if disk.list(LOOKUP):
        moves[LOOKUP] = Move(LOOKUP, False)
    return tuple(moves.values())


def _prove(view: Disk, identity: Identity) -> None:
    """Raises CorruptStore unless the store that `view` shows is sound, from a cold start."""
    check_headers(view, identity.store_uuid)
    above = OverlayDisk(view)
    ends = overlay(above, identity.store_uuid)
    findings = verify(Snapshot(Source(above, identity, None), *ends), None, False).findings
    if findings:
        first = findings[0]
        raise CorruptStore(
            "the repair would not leave a sound store, and nothing was changed: "
            f"{first.path} at byte {first.offset}: {first.reason}"
        )
