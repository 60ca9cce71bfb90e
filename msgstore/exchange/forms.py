"""The formats: their names, what files of them are called, and how one is known by its content."""

from __future__ import annotations

from typing import NamedTuple

from msgstore.engine.pack_file import looks_like_pack
from msgstore.model.errors import RequestError

JSON_LINES, CSV, PACK, SQLITE = "jsonl", "csv", "pack", "sqlite"
EVENTS, EVENTS_BATCH, REFERENCE = "cloudevents", "cloudevents-batch", "reference"

SUFFIXES = {
    ".cloudevents.jsonl": EVENTS,
    ".cloudevents.json": EVENTS_BATCH,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".csv": CSV,
    ".sqlite": SQLITE,
    ".sqlite3": SQLITE,
    ".db": SQLITE,
    ".msgpack": PACK,
    ".json": REFERENCE,
}
EXPORTED = (JSON_LINES, CSV, EVENTS, EVENTS_BATCH, SQLITE, PACK, REFERENCE)
IMPORTED = tuple(form for form in EXPORTED if form != CSV)
BINARY = (SQLITE, PACK)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HEAD_BYTES = 4096
_SQLITE_MAGIC = b"SQLite format 3\0"
_BLANKS = b" \t\r\n"


class UnknownForm(RequestError):
    """A file is in no format that can be told, or be read."""

    advice = f"say --format: one of {', '.join(IMPORTED)}"


def form_of_name(name: str) -> str | None:
    """The format of a file that is called so, by the longest suffix that fits."""
    lower = name.lower()
    return next((form for suffix, form in SUFFIXES.items() if lower.endswith(suffix)), None)


class Guess(NamedTuple):
    """What the beginning of a file looks like. Nothing but blanks: JSON Lines without a line."""

    form: str
    is_array: bool = False


def guess_form(head: bytes) -> Guess:
    """Raises UnknownForm. `head` are the first HEAD_BYTES, fewer only where there are no more."""
    if head.startswith(_SQLITE_MAGIC):
        return Guess(SQLITE)
    if looks_like_pack(head):
        return Guess(PACK)
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip(_BLANKS)
    is_event = b'"specversion"' in text
    if text.startswith(b"["):
        return Guess(EVENTS_BATCH if is_event else REFERENCE, is_array=True)
    if text.startswith(b"{") or not text:
        return Guess(EVENTS if is_event else JSON_LINES)
    if text.startswith(b"position,timestamp,streamId,"):
        raise UnknownForm("the input is csv, which is for spreadsheets and is not read back")
    raise UnknownForm("the input is in no format that import knows")
