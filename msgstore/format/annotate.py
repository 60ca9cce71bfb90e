"""Bytes with their meaning beside them: every field of a structure, damaged or not, in its order.

What stands where is told by the structs and tuples of the other modules; nothing is raised for
damage: it becomes one of the problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from struct import Struct, calcsize
from zlib import crc32

from msgstore.format.catalog import ALIGNMENT
from msgstore.format.hint import FLAG_DIRTY, HINT, HINT_BYTES, HINT_MAGIC, HOLDER, HOLDER_OFFSET
from msgstore.format.hint import Hint as HintFields
from msgstore.format.journal import (
    ENTRY,
    ENTRY_HEAD_BYTES,
    ENTRY_MAGIC,
    SLOT,
    SLOT_MAGIC,
    WRITE,
    EntryHead,
    decode_entry_head,
)
from msgstore.format.journal import FLAG_SYNCED as ENTRY_SYNCED
from msgstore.format.journal import Slot as SlotFields
from msgstore.format.row import FLAG_COMMAND, FLAG_SYNCED, ROW, Row
from msgstore.model.clock import format_time, format_uuid, to_datetime
from msgstore.model.values import Json

_UUID_BYTES = 16
_TIME_US_MAX = 253_402_300_799_999_999  # the last microsecond of the year 9999


@dataclass(frozen=True, slots=True)
class Field:
    """One field: where it is in its file, its bytes, and what they say."""

    offset: int
    data: bytes
    name: str
    value: Json
    meaning: str = ""

    def to_json(self) -> dict[str, Json]:
        out: dict[str, Json] = {
            "offset": self.offset,
            "bytes": self.data.hex(),
            "field": self.name,
            "value": self.value,
        }
        return out | ({"meaning": self.meaning} if self.meaning else {})


@dataclass(slots=True)
class Annotation:
    """A structure at a place of a file, and what does not hold of it."""

    what: str
    path: str
    offset: int
    fields: list[Field] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def value_of(self, name: str) -> Json:
        """The value of the first field of that name, or None."""
        return next((one.value for one in self.fields if one.name == name), None)

    @property
    def length(self) -> int:
        return sum(len(one.data) for one in self.fields)

    def to_json(self) -> dict[str, Json]:
        return {
            "what": self.what,
            "path": self.path,
            "offset": self.offset,
            "length": self.length,
            "problems": list(self.problems),
            "fields": [one.to_json() for one in self.fields],
        }

    def check_crc(self, name: str, expected: int) -> None:
        """Says so if another checksum stands in the field `name` than the bytes have."""
        found = self.value_of(name)
        if found != expected:
            self.problems.append(
                f"{name}: {_crc(found)} stands there, the bytes have {_crc(expected)}"
            )


def _crc(value: Json) -> str:
    return f"{value:08x}" if isinstance(value, int) else "nothing"


# ---------------------------------------------------------------- structs


def annotate_row(data: bytes, position: int, path: str, offset: int) -> Annotation:
    """The row at `position`, in at most 96 bytes."""
    out = Annotation(f"index row of position {position}", path, offset)
    _add_struct(out, ROW, ("crc", *Row._fields), data, _row_flags)
    if not out.problems:
        out.check_crc("crc", crc32(data[4:], position & 0xFFFF_FFFF))
    return out


def annotate_slot(data: bytes, path: str, offset: int) -> Annotation:
    """A slot of the journal; one of zeros has never been used, which is no problem."""
    out = Annotation("journal slot", path, offset)
    _add_struct(out, SLOT, ("magic", "crc", "version", *SlotFields._fields), data)
    if not any(data) and not out.problems:
        out.what = "journal slot, never used"
    elif not out.problems:
        _check_magic(out, data.startswith(SLOT_MAGIC), SLOT_MAGIC.decode())
        out.check_crc("crc", crc32(data[12:]))
    return out


def annotate_hint(data: bytes, path: str) -> Annotation:
    """The front of the lock file: the hint, and the process that held the lock last."""
    out = Annotation("hint", path, 0)
    _add_struct(out, HINT, ("magic", "crc", *HintFields._fields), data[:HINT_BYTES], _hint_flags)
    if not any(data[:HINT_BYTES]):
        out.problems.append("there is no hint: the next to open the store recovers it")
    elif not out.problems:
        _check_magic(out, out.value_of("magic") == HINT_MAGIC, "MSHT")
        out.check_crc("crc", crc32(data[8:HINT_BYTES]))
    if len(data) >= HOLDER_OFFSET + HOLDER.size:
        rest = Annotation("", path, HOLDER_OFFSET)
        _add_struct(rest, HOLDER, ("holder",), data[HOLDER_OFFSET : HOLDER_OFFSET + HOLDER.size])
        out.fields += rest.fields
    return out


def annotate_entry(data: bytes, path: str, offset: int) -> Annotation:
    """An entry of the journal with its writes: as many bytes as its head claims, or fewer."""
    out = Annotation("journal entry", path, offset)
    _add_struct(out, ENTRY, ("magic", *EntryHead._fields), data[:ENTRY_HEAD_BYTES], _entry_flags)
    head = decode_entry_head(data)
    if head is None:
        _check_magic(out, out.value_of("magic") == ENTRY_MAGIC, "MSJE")
        out.problems.append("this is no head of an entry")
        return out
    if len(data) < head.length:
        out.problems.append(f"length: {head.length} claimed, {len(data)} bytes are there")
    else:
        out.check_crc("crc", crc32(data[8 : head.length]))
    _add_writes(out, data, head.writes)
    return out


def _add_writes(out: Annotation, data: bytes, count: int) -> None:
    at = ENTRY_HEAD_BYTES
    for number in range(1, count + 1):
        if at + WRITE.size > len(data):
            out.problems.append(f"write {number} of {count} is not there")
            return
        path_length, _, data_length, _ = WRITE.unpack_from(data, at)
        head = Annotation("", out.path, out.offset + at)
        names = (f"write {number}: path length", "zeros", "data length", "offset")
        _add_struct(head, WRITE, names, data[at : at + WRITE.size])
        out.fields += head.fields
        at += WRITE.size
        path = data[at : at + path_length]
        out.fields.append(
            Field(out.offset + at, path, "path", path.decode("ascii", "backslashreplace"))
        )
        at += path_length
        written = data[at : at + data_length]
        if len(written) < data_length:
            out.problems.append(f"write {number} of {count} is cut")
        out.fields.append(Field(out.offset + at, written, "data", f"{len(written)} bytes"))
        at += data_length


def _check_magic(out: Annotation, holds: bool, expected: str) -> None:
    if not holds:
        out.problems.append(f"magic: it is not {expected}")


def _add_struct(
    out: Annotation,
    layout: Struct,
    names: Sequence[str],
    data: bytes,
    flags: Callable[[int], str] = bin,
) -> None:
    """The fields of a struct, in order; those behind the end of the bytes are missing."""
    given = iter(names)
    at = 0
    for code, size in _codes(layout.format):
        name = "zeros" if code == "x" else next(given)
        part = data[at : at + size]
        if len(part) < size:
            out.problems.append(f"{plain_name(name)}: the file ends before it")
            return
        offset, at = out.offset + at, at + size
        if code in "sx":
            out.fields.append(Field(offset, part, plain_name(name), *_bytes_value(part)))
            continue
        value = int.from_bytes(part, "little")
        meaning = flags(value) if name == "flags" else _meaning(name, value)
        out.fields.append(Field(offset, part, plain_name(name), value, meaning))


def _codes(form: str) -> Iterator[tuple[str, int]]:
    """Code and size of each field of a struct: `<IHH14I60x` has 17 and a gap."""
    for number, code in re.findall(r"(\d*)([a-zA-Z])", form):
        if code in "sx":
            yield code, int(number or 1)
        else:
            for _ in range(int(number or 1)):
                yield code, calcsize(f"<{code}")


def plain_name(name: str) -> str:
    """As docs/format.md has it."""
    return name.removesuffix("_us").removeprefix("store_").replace("_", " ")


def _meaning(name: str, value: int) -> str:
    if name == "time_us":
        return time_text(value)
    if name == "magic":
        return value.to_bytes(4, "little").decode("latin-1")
    if name == "stream":
        return f"catalog, byte {value * ALIGNMENT}"
    return f"{value:08x}" if name.endswith("crc") else ""


def _row_flags(flags: int) -> str:
    synced = "synced" if flags & FLAG_SYNCED else "not synced"
    return f"{'command' if flags & FLAG_COMMAND else 'event'}, {synced}"


def _entry_flags(flags: int) -> str:
    return "written with always" if flags & ENTRY_SYNCED else ""


def _hint_flags(flags: int) -> str:
    return "dirty" if flags & FLAG_DIRTY else "clean"


def time_text(time_us: int) -> str:
    return format_time(to_datetime(time_us)) if 0 <= time_us <= _TIME_US_MAX else "no time"


def _bytes_value(data: bytes) -> tuple[Json, str]:
    if not any(data):
        return "", f"{len(data)} zeros"
    if len(data) == _UUID_BYTES:
        return format_uuid(data), ""
    return data.decode("ascii", "backslashreplace"), ""
