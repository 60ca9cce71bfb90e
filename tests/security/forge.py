"""Stores with every checksum right and yet nothing that msgstore ever wrote."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

from msgstore.format.frame import encode_frame, frame_crc, seal
from msgstore.format.hint import Hint, decode_hint, encode_hint
from msgstore.format.journal import Slot, Write, decode_slot, encode_entry
from msgstore.format.row import ROW_BYTES, Row, decode_row, encode_row

TIME_US = 1_764_021_717_312_832


def segment_of(path: Path, stream: str = "a") -> Path:
    return next(path.glob(f"streams/*/{stream}~*.msgpack"))


def packed(value: Any) -> bytes:
    return bytes(msgpack.packb(value))


def record(position: int, revision: int, **raw: bytes) -> bytes:
    """A record frame of packed elements: those not given are what a save would write."""
    parts = {
        "position": b"\xcf" + struct.pack(">Q", position),
        "time": b"\xcf" + struct.pack(">Q", TIME_US),
        "revision": b"\xce" + struct.pack(">I", revision),
        "kind": b"\x00",
        "session": b"\xc0",
        "type": packed("Step"),
        "data": packed({"n": 1}),
        "id": packed("id-1"),
        "request": b"\xc0",
        "correlation": b"\xc0",
        "causation": b"\xc0",
        "timestamp": b"\xc0",
        "metadata": b"\xc0",
    } | raw
    return seal(16, b"".join(parts.values()))


def change_row(path: Path, position: int, **changes: int) -> Row:
    """Rewrites an index row, its checksum right."""
    index = path / "index"
    content = bytearray(index.read_bytes())
    row = decode_row(position, content, position * ROW_BYTES)
    assert row is not None
    changed = row._replace(**changes)
    content[position * ROW_BYTES : (position + 1) * ROW_BYTES] = encode_row(position, changed)
    index.write_bytes(content)
    return changed


def put_last_record(path: Path, frame: bytes, position: int = 3, stream: str = "a") -> None:
    """Replaces the last record of a stream, and lets its row name the new one."""
    segment = segment_of(path, stream)
    content = segment.read_bytes()
    start = content.rindex(b"\xdc\x00\x10\xce")
    segment.write_bytes(content[:start] + frame)
    change_row(path, position, offset=start, length=len(frame), record_crc=frame_crc(frame))


def change_hint(path: Path, **changes: int) -> Hint:
    """Rewrites the hint, its checksum and token right."""
    lock = path / "write.lock"
    content = lock.read_bytes()
    hint = decode_hint(content)
    assert hint is not None
    changed = hint._replace(**changes)
    lock.write_bytes(encode_hint(changed) + content[80:])
    return changed


def forget_hint(path: Path) -> None:
    """As if the machine had booted since: the next to open the store recovers it."""
    lock = path / "write.lock"
    lock.write_bytes(bytes(lock.stat().st_size))


def append_log(path: Path, name: str, elements: list[Any], frame: bytes | None = None) -> None:
    """Adds a frame to the catalog or the session log, and tells the hint."""
    file = path / name
    frame = encode_frame(elements) if frame is None else frame
    file.write_bytes(file.read_bytes() + frame)
    change_hint(path, **{f"{name}_end": file.stat().st_size})


def change_entry(
    path: Path, name: str, number: int, forge: Callable[[list[Any]], list[Any]]
) -> None:
    """Rewrites the elements of a frame in a log, of the same length."""
    file = path / name
    content = file.read_bytes()
    starts = [m.start() for m in re.finditer(rb"\xdc\x00[\x06-\x0b]\xce", content)]
    start = starts[number]
    end = starts[number + 1] if number + 1 < len(starts) else len(content)
    elements = msgpack.unpackb(content[start:end], strict_map_key=False)[2:-1]
    frame = encode_frame(forge(elements))
    assert len(frame) == end - start, "a frame of another length would move what follows"
    file.write_bytes(content[:start] + frame + content[end:])


def slot_of(path: Path) -> Slot:
    """The slot of the journal's present generation."""
    content = (path / "journal").read_bytes()
    slots = [slot for at in (0, 4096) if (slot := decode_slot(content, at))]
    return max(slots, key=lambda slot: slot.generation)


def add_entry(path: Path, writes: list[Write], rows: int = 0) -> None:
    """Puts an entry where the next one goes, of the right generation, salt, sequence and chain."""
    hint = decode_hint((path / "write.lock").read_bytes())
    assert hint is not None
    entry, _ = encode_entry(
        slot_of(path),
        sequence=hint.sequence + 1,
        previous_crc=hint.entry_crc,
        first_row=hint.rows,
        rows=rows,
        durable_upto=hint.synced_end,
        synced=True,
        writes=writes,
    )
    with (path / "journal").open("r+b") as file:
        file.seek(hint.journal_end)
        file.write(entry)
