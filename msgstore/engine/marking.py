"""The events that take the places of lost messages, so that no position is given out again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgstore.engine.placing import Lost
from msgstore.engine.rebuild import Marker
from msgstore.engine.survey import Survey
from msgstore.format.names import segment_path
from msgstore.format.record import encode_body, encode_record
from msgstore.format.row import FLAG_COMMAND, Row
from msgstore.model.clock import format_time, format_uuid, to_datetime, uuid7
from msgstore.model.message import Message
from msgstore.model.repairs import LOST_TYPE
from msgstore.model.values import Json


def first_time(survey: Survey, lost: Sequence[Lost], now_us: int) -> int:
    """The time of the first message that has one, else `now_us`: nothing is older."""
    rows = {one.position: one.row for one in lost}
    for position in range(1, survey.rows + 1):
        known = rows.get(position) or survey.head_of(position)
        if known is not None:
            return known.time_us
    return now_us


def make_markers(
    survey: Survey, lost: Iterable[Lost], quarantine: str, first_us: int
) -> dict[str, list[Marker]]:
    """A marker for each lost message, by stream; `lost` in the order of positions.

    Its time is that of the lost message's row, else that of the position before.
    """
    sessions = {e.number: e.session_id for e in survey.events if e.event == "start"}
    markers: dict[str, list[Marker]] = defaultdict(list)
    time_us = first_us
    before = 0
    for one in lost:
        if one.position != before + 1 and (head := survey.head_of(one.position - 1)):
            time_us = head.time_us
        if one.row is not None:
            time_us = one.row.time_us
        before = one.position
        data = _facts(survey, one, quarantine)
        message = Message(LOST_TYPE, data)
        session_id = sessions.get(one.row.session) if one.row else None
        body = encode_body(message, format_uuid(uuid7()), session_id)
        record = encode_record(body, one.position, time_us, one.revision, False)
        markers[one.stream_id].append(Marker(one.revision, one.position, record))
    return markers


def _facts(survey: Survey, one: Lost, quarantine: str) -> Json:
    """What is known of the lost message, and where its file was put."""
    facts: dict[str, Json] = {"placing": one.placing, "quarantine": quarantine}
    if one.row is None:
        return {"reason": "nothing was found of this message", **facts}
    row = one.row
    path = segment_path(one.stream_id, row.segment)
    is_there = survey.disk.size(path) > row.offset
    reason = "the record was damaged" if is_there else "the record was missing"
    return {"reason": reason, **facts, "original": _original(row, path)}


def _original(row: Row, path: str) -> Json:
    return {
        "messageType": "command" if row.flags & FLAG_COMMAND else "event",
        "timestamp": format_time(to_datetime(row.time_us)),
        "path": path,
        "offset": row.offset,
        "length": row.length,
        "crc": f"{row.record_crc:08x}",
    }
