"""Records as JSON, JSON Lines, CSV: each record encoded as it comes, none held back.

Where the bytes go to a terminal, characters that could act on it are written as JSON escapes, which
mean the same; elsewhere nothing is changed.
"""

from collections.abc import Sequence

import orjson

from msgstore.cli.escape import visible, visible_json
from msgstore.cli.shapes import Picker, Record, look_at
from msgstore.model.values import MISSING, Json


def dump_json(json: Json, options: int = 0) -> bytes:
    """`json` in UTF-8; the bytes of a file's name that are none as `\\udcff`, as Python shows them."""
    try:
        return orjson.dumps(json, option=options)
    except TypeError:
        return orjson.dumps(_in_unicode(json), option=options)


def _in_unicode(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_in_unicode(key): _in_unicode(item) for key, item in value.items()}
    return [_in_unicode(item) for item in value] if isinstance(value, list) else value


class JsonLines:
    """One compact object a line."""

    def __init__(self, pick: Picker | None, watched: bool) -> None:
        self._pick = pick
        self._watched = watched

    def add(self, record: Record) -> bytes:
        return self._encode(record, orjson.OPT_APPEND_NEWLINE)

    def release(self) -> bytes:
        return b""

    def end(self) -> bytes:
        return b""

    def _encode(self, record: Record, options: int = 0) -> bytes:
        json = record.to_json()
        return self._encode_json(self._pick(json) if self._pick else json, options)

    def _encode_json(self, json: Json, options: int = 0) -> bytes:
        data = dump_json(json, options)
        return visible_json(data.decode()).encode() if self._watched else data


class JsonArray(JsonLines):
    """One array over all records, an element a line."""

    _before = b"[\n"

    def add(self, record: Record) -> bytes:
        before, self._before = self._before, b",\n"
        return before + self._encode(record)

    def end(self) -> bytes:
        return b"[]\n" if self._before == b"[\n" else b"\n]\n"


class Pretty(JsonLines):
    """One indented object after the other."""

    def add(self, record: Record) -> bytes:
        return self._encode(record, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def _encode_json(self, json: Json, options: int = 0) -> bytes:
        return visible_json(dump_json(json, options).decode()).encode()


class Raw(JsonLines):
    """Only what the producer handed in as data: one compact JSON value a line, texts in quotes too."""

    def add(self, record: Record) -> bytes:
        json = record.to_json()
        value = self._pick(json) if self._pick else json["message"]["data"]
        return self._encode_json(value, orjson.OPT_APPEND_NEWLINE)


class Csv(JsonLines):
    """RFC 4180: a header line, CRLF, quotes where they are needed. Objects and lists are JSON text.

    `message.data` and `message.metadata` are JSON text whatever they hold.
    """

    _ALWAYS_JSON = ("message.data", "message.metadata")

    def __init__(self, paths: Sequence[str], pick: Picker | None, watched: bool) -> None:
        super().__init__(pick, watched)
        self._paths = paths
        self._header = self._line(paths)

    def add(self, record: Record) -> bytes:
        json = record.to_json()
        picked = self._pick(json) if self._pick else {p: look_at(json, p) for p in self._paths}
        line = self._line([self._cell(path, picked.get(path, MISSING)) for path in self._paths])
        header, self._header = self._header, b""
        return header + line

    def end(self) -> bytes:
        return self._header

    def _cell(self, path: str, value: Json) -> str:
        if value is MISSING:
            return ""
        if isinstance(value, str) and path not in self._ALWAYS_JSON:
            return visible(value) if self._watched else value
        return self._encode_json(value).decode()

    def _line(self, cells: Sequence[str]) -> bytes:
        return (",".join(map(_quote, cells)) + "\r\n").encode(errors="backslashreplace")


def _quote(cell: str) -> str:
    if any(mark in cell for mark in ',"\r\n') or cell != cell.strip():
        return '"' + cell.replace('"', '""') + '"'
    return cell
