"""A frame with its meaning beside it: records, headers, streams and session events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgpack

from msgstore.format.annotate import Annotation, Field, plain_name, time_text
from msgstore.format.catalog import CatalogEntry
from msgstore.format.frame import FRAME_BYTES_MIN, HEAD, TAIL
from msgstore.format.names import CATALOG, SESSIONS
from msgstore.format.record import RECORD_FIELDS, SegmentHeader
from msgstore.format.session_log import SessionEvent
from msgstore.model.clock import format_uuid
from msgstore.model.values import NESTING_MAX, Json

_UUID_BYTES = 16


def annotate_frame(data: bytes, path: str, offset: int) -> Annotation:
    """The frame that starts there: of a segment, the catalog or the session log."""
    what, names = _frame_names(path, offset)
    out = Annotation(what, path, offset)
    if len(data) < FRAME_BYTES_MIN:
        out.problems.append(f"the file ends here: {len(data)} bytes are no frame")
        out.fields += [Field(offset, data, "rest", None)] if data else []
        return out
    array, count, crc_tag, crc, length_tag, length = HEAD.unpack_from(data)
    out.fields += [
        Field(offset, data[:3], "array", count),
        Field(offset + 3, data[3:8], "crc", crc, f"{crc:08x}"),
        Field(offset + 8, data[8:13], "length", length),
    ]
    if (array, crc_tag, length_tag) != (0xDC, 0xCE, 0xCE):
        out.problems.append("this is not a frame: the tags are not where they must be")
    if count != len(names) + 3:
        out.problems.append(f"array: {count} elements where a {what} has {len(names) + 3}")
    if FRAME_BYTES_MIN <= length <= len(data):
        _add_elements(out, data[HEAD.size : length - TAIL.size], names)
        _add_trailer(out, data[:length], count)
    else:
        out.problems.append(f"length: {length} claimed, {len(data)} bytes are there")
        _add_elements(out, data[HEAD.size :], names)
    return out


def _add_trailer(out: Annotation, frame: bytes, count: int) -> None:
    at = len(frame) - TAIL.size
    tag, length = TAIL.unpack_from(frame, at)
    out.fields.append(Field(out.offset + at, frame[at:], "length", length))
    if (tag, length) != (0xCE, len(frame)):
        out.problems.append(f"lengths: {len(frame)} in front, {length} at the end")
    out.check_crc("crc", crc32(frame[8:], count))


def _frame_names(path: str, offset: int) -> tuple[str, tuple[str, ...]]:
    """What a frame is by where it stands, and the names of its elements from the third on."""
    header = ("file", "version")
    if path == CATALOG:
        if offset == 0:
            return "catalog header", (*header, "uuid", "padding")
        return "catalog entry", (*CatalogEntry._fields, "padding")
    if path == SESSIONS:
        if offset == 0:
            return "session log header", (*header, "uuid")
        return "session event", SessionEvent._fields
    if offset == 0:
        return "segment header", (*header, *SegmentHeader._fields)
    return "record", RECORD_FIELDS


def _add_elements(out: Annotation, body: bytes, names: Sequence[str]) -> None:
    offset = out.offset + HEAD.size
    unpacker = msgpack.Unpacker(strict_map_key=False, unicode_errors="backslashreplace")
    unpacker.feed(body)
    at = 0
    for name in names:
        try:
            value = unpacker.unpack()
        except Exception as error:  # whatever it is, these bytes are not what was written
            reason = str(error) or type(error).__name__
            out.problems.append(f"{plain_name(name)}: no msgpack value ({reason})")
            break
        end = unpacker.tell()
        out.fields.append(_element(offset + at, body[at:end], name, value))
        at = end
    if at < len(body):
        out.fields.append(Field(offset + at, body[at:], "rest", f"{len(body) - at} bytes"))


def _element(offset: int, data: bytes, name: str, value: Any) -> Field:
    meaning = ""
    if name in ("time", "time_us", "timestamp") and isinstance(value, int):
        meaning = time_text(value)
    elif name == "kind" and type(value) is int and value in (0, 1):
        meaning = ("event", "command")[value]
    elif name == "padding" and isinstance(value, bytes):
        return Field(offset, data, name, value.hex(), f"{len(value)} bytes")
    return Field(offset, data, plain_name(name), _json(value), meaning)


def _json(value: Any, depth_left: int = NESTING_MAX) -> Json:
    """Anything that msgpack can hold, as JSON: bytes as a uuid or in hex, what is odd as its text.

    What is nested deeper than data can be is only said to be there: JSON would not take it.
    """
    if isinstance(value, bytes):
        return format_uuid(value) if len(value) == _UUID_BYTES else value.hex()
    if isinstance(value, list | tuple | dict) and not depth_left:
        return f"nested deeper than {NESTING_MAX}"
    if isinstance(value, list | tuple):
        return [_json(one, depth_left - 1) for one in value]
    if isinstance(value, dict):
        return {str(key): _json(one, depth_left - 1) for key, one in value.items()}
    is_plain = value is None or isinstance(value, bool | int | str)
    is_finite = isinstance(value, float) and abs(value) != float("inf") and value == value
    return value if is_plain or is_finite else str(value)
