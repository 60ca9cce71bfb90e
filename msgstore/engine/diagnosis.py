"""What is wrong with a store: what `verify` finds, and what keeps it from being opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgstore.disk.files import Disk
from msgstore.disk.overlay import OverlayDisk
from msgstore.engine.entering import Surroundings
from msgstore.engine.identity import new_token
from msgstore.engine.origin import Origin
from msgstore.engine.place import check_headers, dependable_boot_id
from msgstore.engine.recovery import overlay, overlay_beyond
from msgstore.engine.remains import SegmentFile
from msgstore.engine.snapshot import Snapshot, Source
from msgstore.engine.survey import Survey
from msgstore.engine.verify import verify
from msgstore.format.names import STORE_JSON
from msgstore.model.errors import CorruptRecord
from msgstore.model.results import Finding


class Diagnosis(NamedTuple):
    """`rows` is None where the store cannot be opened; then the findings are not all there is."""

    findings: tuple[Finding, ...]
    rows: int | None


def diagnose(disk: Disk, origin: Origin) -> Diagnosis:
    """Looks at the files as the next to open the store will see them, and changes nothing.

    Where the machine has not booted since, these are the files as they are; the journal must bear
    a replay all the same, for it will boot one day.
    """
    found = [Finding(STORE_JSON, 0, origin.problem)] if origin.problem else []
    uuid = origin.identity.store_uuid
    try:
        check_headers(disk, uuid)
        cold, warm = OverlayDisk(disk), OverlayDisk(disk)
        ends = overlay(cold, uuid)
        token = new_token(disk, dependable_boot_id(disk.root), uuid)
        warm_ends = overlay_beyond(warm, Surroundings(uuid, token, sync=False))
    except CorruptRecord as error:
        return Diagnosis((*found, _finding(error)), None)
    seen, ends = (cold, ends) if warm_ends is None else (warm, warm_ends)
    report = verify(Snapshot(Source(seen, origin.identity, None), *ends), None, False)
    return Diagnosis((*found, *report.findings), ends[0])


def _finding(error: CorruptRecord) -> Finding:
    return Finding(
        error.path, error.offset, error.problem, error.stream_id, error.revision, error.position
    )


def unsound_files(survey: Survey) -> Iterator[Finding]:
    """The segments in which something other than surviving messages stands."""
    for file in survey.files:
        if file.has_messages and not file.is_sound and file.path not in survey.changed:
            yield Finding(file.path, 0, _why_unsound(file), file.stream_id)


def _why_unsound(file: SegmentFile) -> str:
    if not file.header_bytes:
        return "no header"
    if not file.is_home:
        return "the segment belongs elsewhere"
    return "not all that stands in it are messages of the stream, each the next one"
