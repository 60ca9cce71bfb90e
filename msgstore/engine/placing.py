"""Which stream and revision each lost position had: no revision of a survivor may change."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import count, groupby
from operator import attrgetter
from typing import NamedTuple

from msgstore.engine.remains import Gap, Stream
from msgstore.engine.survey import Survey
from msgstore.format.row import Row
from msgstore.model.errors import CorruptStore
from msgstore.model.repairs import LOST_STREAM, LostMessages, Placing

_END = 1 << 63
"""Behind every revision and every position."""


class Lost(NamedTuple):
    """A position whose record is lost, and the place that its marker takes."""

    position: int
    stream_id: str
    revision: int
    placing: Placing
    row: Row | None
    """What the index still knows of the message."""


def place_lost(survey: Survey, rows: Mapping[int, Row | None]) -> list[Lost]:
    """Gives every lost position a stream and a revision; `rows` are their rows, in order.

    What a row says goes first. A gap in a stream is then filled by positions between its
    neighbours, those first that have the least room. What remains goes to a stream of its own.
    Raises CorruptStore where positions and revisions cannot be brought together.
    """
    names = _names_of_references(survey, rows)
    open_runs = {name: _runs_of(stream) for name, stream in survey.streams.items()}
    placed: list[Lost] = []
    unplaced: list[int] = []
    for position, row in rows.items():
        stream_id = names.get(row.stream) if row else None
        if row is None or stream_id is None:
            unplaced.append(position)
            continue
        runs = open_runs.setdefault(stream_id, [Gap(0, _END, 0, _END)])
        if _take(runs, row.revision, position):
            placed.append(Lost(position, stream_id, row.revision, "known", row))
        else:
            unplaced.append(position)
    gaps = [
        (name, run)
        for name, runs in open_runs.items()
        for run in runs
        if run.last_revision < _END - 1
    ]
    filled = list(_fill(gaps, unplaced))
    taken = {one.position for one in filled}
    rest = [position for position in unplaced if position not in taken]
    placed += filled
    placed += _into_own_stream(_ends(survey, placed), rest, rows)
    return sorted(placed)


def _names_of_references(survey: Survey, rows: Mapping[int, Row | None]) -> dict[int, str]:
    """The stream of each reference in `rows`; where the catalog is silent, survivors tell."""
    wanted = {row.stream for row in rows.values() if row}
    known = {ref: entry.stream_id for ref, entry in survey.references.items() if ref in wanted}
    if len(known) < len(wanted):
        for stream in survey.streams.values():
            row = survey.row(stream.last_position)
            if row is not None and row.stream in wanted:
                known.setdefault(row.stream, stream.stream_id)
    return known


def _runs_of(stream: Stream) -> list[Gap]:
    """Where a stream has room for lost messages: its gaps, and what may have come behind its end."""
    return [*stream.gaps, Gap(stream.last_revision + 1, _END, stream.last_position, _END)]


def _take(runs: list[Gap], revision: int, position: int) -> bool:
    """Splits the run that the message was lost from; False where there was none."""
    for index, run in enumerate(runs):
        in_run = run.first_revision <= revision <= run.last_revision
        if in_run and run.after < position < run.before:
            parts = (
                Gap(run.first_revision, revision - 1, run.after, position),
                Gap(revision + 1, run.last_revision, position, run.before),
            )
            runs[index : index + 1] = [p for p in parts if p.first_revision <= p.last_revision]
            return True
    return False


def _fill(gaps: Iterable[tuple[str, Gap]], unplaced: list[int]) -> Iterator[Lost]:
    """Fills every gap: at each position the one whose time runs out first, which always works out."""
    waiting = sorted(gaps, key=lambda one: one[1].after, reverse=True)
    due: list[tuple[int, str, int, Gap]] = []
    for position in unplaced:
        while waiting and waiting[-1][1].after < position:
            stream_id, gap = waiting.pop()
            heappush(due, (gap.before, stream_id, gap.first_revision, gap))
        if not due:
            continue
        before, stream_id, revision, gap = heappop(due)
        if position >= before:
            raise _contradiction(stream_id, revision)
        yield Lost(position, stream_id, revision, _certainty(gap, unplaced), None)
        if revision < gap.last_revision:
            heappush(due, (before, stream_id, revision + 1, gap))
    if due or waiting:
        stream_id, gap = (due[0][1], due[0][3]) if due else waiting[-1]
        raise _contradiction(stream_id, gap.first_revision)


def _certainty(gap: Gap, unplaced: list[int]) -> Placing:
    """Only one way is possible where just as many positions were lost between the neighbours."""
    between = bisect_left(unplaced, gap.before) - bisect_right(unplaced, gap.after)
    return "deduced" if between == gap.last_revision - gap.first_revision + 1 else "assumed"


def _contradiction(stream_id: str, revision: int) -> CorruptStore:
    return CorruptStore(
        f"stream {stream_id} lacks revision {revision}, and no position is left for it: "
        "the files do not belong together; restore the store from a copy"
    )


def _ends(survey: Survey, placed: list[Lost]) -> dict[str, tuple[int, int]]:
    """Last revision and position of every stream, lost messages included."""
    ends = {s.stream_id: (s.last_revision, s.last_position) for s in survey.streams.values()}
    for one in placed:
        mine = (one.revision, one.position)
        ends[one.stream_id] = max(mine, ends.get(one.stream_id, mine))
    return ends


def _into_own_stream(
    ends: Mapping[str, tuple[int, int]], positions: list[int], rows: Mapping[int, Row | None]
) -> Iterator[Lost]:
    """A stream that ends before all of these: revisions rise with positions."""
    if not positions:
        return
    names = (LOST_STREAM if n == 1 else f"{LOST_STREAM}-{n}" for n in count(1))
    stream_id = next(name for name in names if ends.get(name, (-1, 0))[1] < positions[0])
    first_revision = ends.get(stream_id, (-1, 0))[0] + 1
    for revision, position in enumerate(positions, first_revision):
        yield Lost(position, stream_id, revision, "unknown", rows[position])


def lost_runs(lost: Iterable[Lost]) -> tuple[LostMessages, ...]:
    """Runs of revisions, by stream."""
    runs = []
    ordered = sorted(lost, key=attrgetter("stream_id", "revision"))
    for (stream_id, placing, _), group in groupby(
        enumerate(ordered),
        key=lambda one: (one[1].stream_id, one[1].placing, one[1].revision - one[0]),
    ):
        members = [one for _, one in group]
        first, last = members[0], members[-1]
        runs.append(
            LostMessages(
                stream_id,
                first.revision,
                last.revision,
                first.position,
                last.position,
                len(members),
                placing,
            )
        )
    return tuple(runs)
