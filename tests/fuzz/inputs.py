"""What people and programs write: JSON Lines, data, filters, conditions, times, names, URLs.

Each is a value, or an error of msgstore that can be told; a value agrees with a naive reading of the
same text where there is one, and comes back when it is written and read again.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

import orjson
from typer import BadParameter

from fuzz.chooser import Chooser
from fuzz.target import target as any_target
from msgstore import (
    InvalidFilter,
    MemoryMessageStore,
    Message,
    MessageFilter,
    MsgStoreError,
    PositionalMessage,
    RequestError,
    open_store,
)
from msgstore.backends.registry import path_of
from msgstore.cli.cursor import Cursor
from msgstore.cli.encoders import Csv, JsonArray, JsonLines, Pretty, Raw
from msgstore.cli.errors import BadUsage
from msgstore.cli.filters import build_filter
from msgstore.cli.json_input import read_data, read_labels, read_pairs
from msgstore.cli.naming import resolve_session
from msgstore.cli.options import number_from_1, seconds, whole_number
from msgstore.cli.sending import LineSaver, parse_lines
from msgstore.cli.shapes import MESSAGE, Picker
from msgstore.cli.times import parse_time
from msgstore.format.record import decode_record, encode_body, encode_record
from msgstore.model.clock import TIME_US_MAX, TIME_US_MIN, format_time, to_us
from msgstore.model.errors import SessionNotFound
from msgstore.model.expectation import to_expectation
from msgstore.model.filter import Condition, compile_glob
from msgstore.model.message import MessageType, parse_timestamp
from msgstore.model.saving import SaveRequest, parse_expected_revision
from msgstore.model.values import MISSING, check_json, json_equal, look_up

target = partial(any_target, weight=20)

NOW = datetime(2026, 11, 23, 15, 6, 8, 623000, UTC)
_JSON = (
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0.0", b'"\\ud800"', b"[" * 101),
    *(b"9223372036854775808", b"18446744073709551616", b"-" + b"9" * 25, b"1" * 5000, b"{}"),
    *(b'{"a":', b'"a":1,', b"\xef\xbb\xbf", b"\xff", b"\\u0000", b"[]", b'"', b"1.5", b"\r"),
)
_FIELDS = tuple(
    f'"{name}":'.encode()
    for name in (
        *("type", "data", "id", "requestId", "correlationId", "causationId", "timestamp"),
        *("metadata", "messageType", "expectedRevision", "streamId", "message", "revision"),
        *("position", "sessionId"),
    )
)


def _text(data: bytes) -> str:
    """As an argument of a command has it."""
    return os.fsdecode(data)


def _told(error: MsgStoreError) -> None:
    """An error can be told, and is short whatever it is about."""
    assert 0 < len(str(error)) < 5000
    assert error.advice


def _has_notes(error: MsgStoreError) -> None:
    assert error.__notes__, "what was saved before it"


def _messages() -> list[PositionalMessage]:
    data: list[Any] = [
        {"n": 1, "name": "Alice", "items": [{"sku": "a"}, {"sku": "b"}], "a.b": 1, "note": None},
        {"n": 2.5, "name": "bob", "t": True, "a": {"b": 2}, "big": 2**64 - 1},
        [1, "x", [True, None]],
        "text",
    ]
    return [
        PositionalMessage(
            ("orders-1", "a/b", "é", "user-commands")[n],
            Message("Step", value, id=f"m-{n}", correlation_id="c" if n else None, timestamp=NOW),
            MessageType.COMMAND if n == 3 else MessageType.EVENT,
            n,
            n + 1,
            NOW,
            "s-1" if n else "no-session",
        )
        for n, value in enumerate(data)
    ]


MESSAGES = _messages()

# ---------------------------------------------------------------- JSON


def _lines() -> list[bytes]:
    one = (
        b'{"streamId":"a","type":"T","data":{"n":[1,2.5,null]},"id":"i","expectedRevision":"none"}'
    )
    stored = [orjson.dumps(message.to_json()) for message in MESSAGES]
    return [one, one + b"\n\n" + stored[0] + b"\r", *stored]


@target(_lines, tokens=(*_JSON, *_FIELDS, b"\n", b'"none"', b'"command"', b"-1"), weight=8)
def json_lines(data: bytes) -> None:
    """Every line before the first that is refused is a message that is stored and comes back."""
    lines = data.split(b"\n")
    for stream_id in (None, "given"):
        requests: list[SaveRequest] = []
        refusal = parse_lines(lines, stream_id, requests)
        if refusal is not None:
            _told(refusal)
        for request in requests:
            _check_request(request)
    store = MemoryMessageStore()
    try:
        LineSaver(store, None).save(lines)
    except MsgStoreError as error:
        _told(error)
        _has_notes(error)
    for stored in store.get_all_messages():
        orjson.dumps(stored.to_json())


def _check_request(request: SaveRequest) -> None:
    message = request.messages[0]
    again = SaveRequest.from_json({"streamId": request.stream_id, **message.to_json()})
    assert again.messages == request.messages
    body = encode_body(message, message.id or "i", None)
    stored = decode_record(encode_record(body, 1, 1, 0, False), request.stream_id).message
    assert stored.to_json() | {"id": 0} == message.to_json() | {"id": 0}
    for actual in (-1, 0, 7):
        request.expectation.allows(actual)
    assert len(str(request.expectation)) < 100


@target(lambda: [b'{"n": 1, "x": [1.5, "\xc3\xa4", null]}', b'"text"', b"-12.5e3"], tokens=_JSON)
def data_flag(data: bytes) -> None:
    """`--data`: what Python's own reader makes of the text, if that is JSON at all."""
    text = _text(data)
    if text == "-" or text.startswith("@"):
        return
    try:
        value = read_data(text)
        check_json(value, "data")
    except RequestError as error:
        _told(error)
        return
    wanted = json.loads(data.removeprefix(b"\xef\xbb\xbf").decode())
    assert json_equal(value, wanted)
    assert json_equal(orjson.loads(orjson.dumps(value)), wanted)


@target(lambda: [b"a=1\0b:=2", b"orderId=ord-1\0total:=100\0x:=[1]"], tokens=(*_JSON, b":=", b"="))
def pairs(data: bytes) -> None:
    """`key=text`, `key:=json`, `--label`: every pair is a key of the result, or one is refused."""
    given = [_text(part) for part in data.split(b"\0")]
    with suppress(RequestError):
        found = read_pairs(given, "data")
        assert len(found) <= len(given)
        assert all(key for key in found)
        Message("T", found)
    with suppress(RequestError):
        assert all(isinstance(text, str) for text in read_labels(given).values())


@target(
    lambda: [orjson.dumps(m.to_json()) for m in MESSAGES] + [b'{"type":"T","data":1}'],
    tokens=(*_JSON, *_FIELDS),
)
def message_json(data: bytes) -> None:
    """`from_json` gives what `to_json` gives back, or InvalidMessage."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    for kind in (Message, PositionalMessage):
        try:
            found = kind.from_json(value)
        except RequestError as error:
            _told(error)
        else:
            assert kind.from_json(found.to_json()) == found
            assert kind.from_json(json.loads(json.dumps(found.to_json()))) == found


# ---------------------------------------------------------------- filters


def _parts(**parts: Any) -> dict[str, Any]:
    none = ("session_id", "from_timestamp", "to_timestamp", "json_filter")
    return dict.fromkeys(none) | parts


@target(
    lambda: [b'{"orderId": "ord-1"}', b'{"items.0.sku": "a", "a.b": 1}', b'{"n": 1.0, "t": true}'],
    tokens=(*_JSON, b'"n"', b'"items"', b"."),
)
def json_filter(data: bytes) -> None:
    """`--json`: what holds is what a look at every path finds to be the same JSON."""
    try:
        wanted = build_filter(MemoryMessageStore(), **_parts(json_filter=_text(data)))
    except RequestError as error:
        _told(error)
        return
    paths = dict(wanted.json_filter or {})
    for stored in MESSAGES:
        found = [(look_up(stored.message.data, path), value) for path, value in paths.items()]
        expected = all(f is not MISSING and _is_same_json(f, v) for f, v in found)
        assert wanted.matches(stored) is expected


def _is_same_json(left: Any, right: Any) -> bool:
    """By the text: `true` is no number, `1` and `1.0` are one."""
    return _plain(left) == _plain(right)


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, int | float):
        return ("number", value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


_SLOW_PATTERN = re.compile(r"[*+}?].*[*+}?]|\{", re.DOTALL)


@target(
    lambda: [b"total>=100", b"name~^Al", b"note?", b"items.0.sku=a", b"n!=2.5", b"name!~b"],
    tokens=(
        *(b"=", b"==", b"!=", b"<=", b">=", b"!~", b"~", b"?", b"n", b"name", b"(?a)", b"(?u)"),
        *(b"(?i)", b"[", b"(", b")", b"\\", b"{2}", b"(?P<n>", b"(?L)", b"NaN", b"1" * 5000),
        *(b"null", b"[[", b"[a--b]", b"{4294967295}"),
    ),
)
def where(data: bytes) -> None:
    """`--where`: a condition that every message can be asked for, or InvalidFilter."""
    text = _text(data)
    try:
        condition = Condition.parse(text)
    except InvalidFilter as error:
        _told(error)
        return
    str(condition)
    is_regex = condition.op in ("~", "!~")
    if is_regex and _SLOW_PATTERN.search(condition.value):
        return  # how long a regular expression takes is the matter of whoever wrote it
    for stored in MESSAGES:
        found = look_up(stored.message.data, condition.path)
        assert condition.holds(stored.message.data) is _naively(found, condition)


def _naively(found: Any, condition: Condition) -> bool:
    value = condition.value
    if found is MISSING:
        return False
    if condition.op == "?":
        return True
    if condition.op in ("=", "!="):
        return _is_same_json(found, value) is (condition.op == "=")
    if condition.op in ("~", "!~"):
        if not isinstance(found, str):
            return False
        return (re.search(value, found) is not None) is (condition.op == "~")
    numbers = all(type(v) in (int, float) for v in (found, value))
    if not numbers and not (isinstance(found, str) and isinstance(value, str)):
        return False
    holds = {
        "<": found < value,
        "<=": found <= value,
        ">": found > value,
        ">=": found >= value,
    }
    return holds[condition.op]


@target(
    lambda: [b"orders-*", b"*", b"a?b", b"[ab]*", b"[!a]*", b"[[]"],
    tokens=(b"[", b"]", b"*"),
    weight=10,
)
def glob(data: bytes) -> None:
    """A pattern of `*`, `?` and letters matches what a plain matcher says; any pattern is usable."""
    pattern = _text(data)
    try:
        wanted = MessageFilter(stream_pattern=pattern)
    except InvalidFilter as error:
        _told(error)
        return
    for stored in MESSAGES:
        matches = wanted.matches_stream(stored.stream_id)
        if "[" not in pattern and len(pattern) < 60:
            assert matches is _globs(pattern, stored.stream_id)
    assert compile_glob("[[]").match("[")


def _globs(pattern: str, text: str) -> bool:
    """By the set of places in the pattern that can have been reached."""
    reached = {0}
    for character in (*text, ""):
        for at in sorted(reached):
            while at < len(pattern) and pattern[at] == "*":
                at += 1
                reached.add(at)
        if not character:
            return len(pattern) in reached
        reached = {at for at in reached if pattern[at : at + 1] == "*"} | {
            at + 1
            for at in reached
            if pattern[at : at + 1] in ("?", character) and at < len(pattern)
        }
    return False


_VALUES: tuple[Any, ...] = (
    *(None, "", "a", "orders-1", "c", "m-1", "s-1", "*", "x" * 2000, "\x1b", "\ud800", b"a"),
    *(0, 1, 3, -1, True, 2**63, 10**30, -(10**5000), 10**5000, 1.5, float("nan"), [], {}, ["Step"]),
    *(
        [None],
        [[]],
        "command",
        "event",
        "2026-11-23T15:06:08.623Z",
        "2026",
        NOW,
        datetime(2026, 1, 1),
    ),
    *(datetime.min.replace(tzinfo=UTC), {"n": 1}, {"": 1}, {1: 1}, {"n": float("nan")}, "n>0", "n"),
    *(["n>0", "name?"], [1], Condition("n", "="), ("a", "b"), {"items.0.sku": "a"}, object()),
)
_PARTS = (
    *("message_type", "message_names", "stream_id", "session_id", "correlation_id", "request_id"),
    *("causation_id", "message_id", "from_position", "to_position", "from_timestamp"),
    *("to_timestamp", "stream_pattern", "json_filter", "where"),
)


@target(lambda: [bytes([p, v]) for p, v in ((0, 26), (1, 3), (8, 13), (10, 28), (14, 37), (2, 3))])
def filter_parts(data: bytes) -> None:
    """Any values for any parts: InvalidFilter, or a filter that holds where every part of it holds."""
    chooser, parts = Chooser(data), {}
    while not chooser.is_empty and len(parts) < 5:
        name = chooser.choose(_PARTS)
        parts[name] = chooser.choose(_VALUES)
    try:
        wanted = MessageFilter(**parts)
    except InvalidFilter as error:
        _told(error)
        return
    alone = [MessageFilter(**{name: value}) for name, value in parts.items()]
    for stored in MESSAGES:
        assert wanted.matches(stored) is all(part.matches(stored) for part in alone)
    assert list(_store_of_messages().get_all_messages(wanted)) == [
        stored for stored in _store_of_messages().get_all_messages() if wanted.matches(stored)
    ]


@cache
def _store_of_messages() -> MemoryMessageStore:
    store = MemoryMessageStore(clock=lambda: to_us(NOW))
    for stored in MESSAGES:
        store.save_message(stored.stream_id, stored.message)
    return store


# ---------------------------------------------------------------- times


_ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "XXX+14", "YYY-14", "Europe/Amsterdam")
_TIMES = (
    *(b"2026-11-23T14:30:00Z", b"2026-11-23T14:30:00+01:00", b"2026-11-23 14:30:15.5", b"14:30"),
    *(b"2026-11-23", b"14:30:15", b"now", b"yesterday", b"90s", b"1.5h", b"1h ago", b"3w"),
    *(b"1763900000.25", b"9999-12-31T23:59:59", b"0001-01-01", b"2026-W48-1", b"1:30:15"),
)


@target(
    lambda: [bytes([n]) + text for n, text in enumerate(_TIMES)],
    tokens=(*_TIMES, b"-00:00", b"+23:59", b"999999999", b" ago", b"w", b"T", b"9999-12-31"),
)
def times(data: bytes) -> None:
    """`--since`: a moment that a store can hold, in UTC, whatever zone the machine is in."""
    if not data:
        return
    text = _text(data[1:])
    with _zone(_ZONES[data[0] % len(_ZONES)]):
        try:
            moment = parse_time(text, "--since", NOW)
        except BadUsage as error:
            _told(error)
            return
        assert moment.tzinfo is UTC
        assert TIME_US_MIN <= to_us(moment) <= TIME_US_MAX
        assert parse_time(format_time(moment), "--since", NOW) == moment
        MessageFilter(from_timestamp=moment)


class _zone:
    """The machine's time zone is another one inside; it is only set when it changes."""

    now = ""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._before = os.environ.get("TZ")
        self._set(self._name)

    def __exit__(self, *error: object) -> None:
        self._set(self._before)

    def _set(self, name: str | None) -> None:
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()


@target(lambda: [*_TIMES], tokens=(*_TIMES, b"-00:00", b"+23:59:59.999999", b".1234567"))
def timestamps(data: bytes) -> None:
    """The timestamp of a line: what is written for it is read as the same moment."""
    try:
        moment = parse_timestamp(_text(data), "timestamp")
    except RequestError as error:
        _told(error)
        return
    assert parse_timestamp(format_time(moment), "timestamp") == moment
    assert TIME_US_MIN <= to_us(moment) <= TIME_US_MAX


# ---------------------------------------------------------------- names, numbers, places


class _Sessions:
    """What of a store is asked for a session's name."""

    ids = ("session-1-aaaa", "session-1-bbbb", "session-22-cccc", "last~x")

    def get_session_info(self, session_id: str) -> Any:
        if session_id not in self.ids:
            raise SessionNotFound(session_id)
        return type("Info", (), {"session_id": session_id})

    def get_sessions(self) -> list[Any]:
        return [self.get_session_info(one) for one in self.ids]


@target(
    lambda: [b"last", b"last~1", b"last~4", b"session-2", b"session-1-aaaa"], tokens=(b"last~",)
)
def session_name(data: bytes) -> None:
    """A name is that of one session, or of none: `last~N`, an id, or what one id begins with."""
    text = _text(data)
    try:
        found = resolve_session(_Sessions(), text)  # type: ignore[arg-type]
    except RequestError as error:
        _told(error)
        return
    assert found in _Sessions.ids
    match = re.fullmatch(r"last(?:~([0-9]+))?", text)
    if match:
        assert found == _Sessions.ids[-1 - int(match[1] or 0)]
    else:
        assert found.startswith(text)


@target(
    lambda: [b"none", b"exists", b"any", b"0", b"-1", b"17"], tokens=(b"-", b"9" * 19, b"9" * 99)
)
def expected_revision(data: bytes) -> None:
    """`--expected-revision`: an expectation that says what was asked, or an error."""
    text = _text(data)
    try:
        expectation = to_expectation(parse_expected_revision(text))
    except RequestError as error:
        _told(error)
        return
    allowed = [actual for actual in range(-1, 5) if expectation.allows(actual)]
    named = {"none": [-1], "exists": [0, 1, 2, 3, 4], "any": [-1, 0, 1, 2, 3, 4]}
    assert allowed == (
        named[text] if text in named else [n for n in range(-1, 5) if n == int(text)]
    )


@target(lambda: [b"0", b"10", b"2.5", b"1e3"], tokens=(b"nan", b"inf", b"1_0", b"e308", b"9" * 18))
def numbers(data: bytes) -> None:
    """Numbers of flags are within what counts and clocks can hold."""
    text = _text(data)
    for read in (whole_number, number_from_1):
        with suppress(BadParameter):
            assert 0 <= read(text) < 10**18
    try:
        value = seconds(text)
    except BadParameter:
        return
    assert value >= 0
    assert time.monotonic() + value < float("inf")


def _cursors() -> list[bytes]:
    kept = {"store": _Identified.store_id, "position": 2, "fingerprint": "f2"}
    start = {"store": _Identified.store_id, "position": 0, "fingerprint": None}
    return [orjson.dumps(kept), orjson.dumps(start)]


class _Identified:
    """A store of three messages."""

    store_id = "0198c0de-0000-7000-8000-000000000001"

    def fingerprint(self, position: int) -> str | None:
        return f"f{position}" if 1 <= position <= 3 else None


@cache
def _cursor_file() -> Path:
    return Path(mkdtemp()) / "cursor"


@target(_cursors, tokens=(*_JSON, b'"position":', b'"fingerprint":', b'"store":', b"-1", b"99"))
def cursor_file(data: bytes) -> None:
    """A cursor is a position that was printed, of this store, or refused; and is kept as it is."""
    _cursor_file().write_bytes(data)
    cursor = Cursor(str(_cursor_file()), _Identified())  # type: ignore[arg-type]
    try:
        position = cursor.load()
    except MsgStoreError as error:
        _told(error)
        return
    assert type(position) is int
    assert 0 <= position <= 3
    cursor.keep(position)
    assert cursor.load() == position


@target(
    lambda: [b"streamId,message.data.total", b"type,data.items.0.sku", b"position, revision"],
    tokens=(b"message.data.", b"message.metadata.", b"data", b",", b".", b"\xff", b"metadata"),
    weight=10,
)
def fields(data: bytes) -> None:
    """`--fields`: objects with no other keys than these, in every form, or a field is refused."""
    text = _text(data)
    try:
        pick = Picker(text, MESSAGE)
    except RequestError as error:
        _told(error)
        return
    for stored in MESSAGES:
        assert set(pick(stored.to_json())) <= {part.strip() for part in text.split(",")}
    for watched in (False, True):
        encoders = (JsonLines, JsonArray, Pretty, Raw)
        for encoder in (
            *(kind(pick, watched) for kind in encoders),
            Csv(pick.paths, pick, watched),
        ):
            out = [encoder.add(stored) for stored in MESSAGES]
            b"".join([*out, encoder.release(), encoder.end()]).decode()


_URLS = (
    *(
        b"file:x",
        b"file:///tmp/none",
        b"memory:",
        b"nats://host",
        b"file://localhost/x",
        b".msgstore",
    ),
    *(b"file:/a%20b", b"FILE:/x", b"file://[", b"file:/a?b#c"),
)


@target(
    lambda: [*_URLS],
    tokens=(*_URLS, b"%00", b"%ff", b"//", b"?", b"#", b"[", b"@", b"\n", b"\0"),
    weight=5,
)
def urls(data: bytes) -> None:
    """A URL names a store, or is refused; a path that is quoted into a URL comes back as it was."""
    text = _text(data)
    with suppress(MsgStoreError):
        path = path_of(text)
        assert path is None or "\0" not in path
    if data and b"\0" not in data:
        assert path_of("file://" + quote(b"/" + data)) == os.fsdecode(b"/" + data)
    name = quote(data[:60].replace(b"\0", b"").replace(b"/", b""))
    with suppress(MsgStoreError):
        open_store(f"{_cursor_file().parent}/none/{name}", create=False).close()
    if b"/" not in data and b".." not in data and b"%2" not in data:
        with suppress(MsgStoreError):
            open_store(text, create=False).close()
