"""Which messages a read gives back. Every part that is given must hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from fnmatch import translate
from functools import lru_cache
from typing import Any, Literal

from msgstore.model.arguments import is_whole
from msgstore.model.errors import InvalidFilter, InvalidMessage
from msgstore.model.message import MessageType, PositionalMessage, to_utc
from msgstore.model.values import (
    MISSING,
    Json,
    check_json,
    check_text,
    excerpt,
    json_equal,
    look_up,
)

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~", "?"]

# Two-character operators stand first, so that `<=` is not read as `<` and a value `=…`.
_CONDITION = r"(?s)(?P<path>.+?)(?P<op>!=|<=|>=|!~|==?|<|>|~)(?P<value>.*)\Z"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _ordered(left: Json, right: Json) -> bool:
    """Whether the two have an order: both numbers, or both texts."""
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    if isinstance(left, int | float):
        return isinstance(right, int | float)
    return isinstance(left, str) and isinstance(right, str)


_OPERATORS: dict[str, Any] = {
    "=": json_equal,
    "!=": lambda found, value: not json_equal(found, value),
    "<": lambda found, value: _ordered(found, value) and found < value,
    "<=": lambda found, value: _ordered(found, value) and found <= value,
    ">": lambda found, value: _ordered(found, value) and found > value,
    ">=": lambda found, value: _ordered(found, value) and found >= value,
    "~": lambda found, value: isinstance(found, str) and _compiled(value).search(found),
    "!~": lambda found, value: isinstance(found, str) and not _compiled(value).search(found),
    "?": lambda found, value: True,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`path op value` on a message's data: `total>=100`, `customer.name~^Al`, `note?`.

    `path` is a literal key or a dotted path; `?` asks whether it exists and takes no value. Numbers
    compare with numbers and texts with texts; `~` searches a text for a regular expression. A
    condition on a path that is missing does not hold, whatever its operator.
    """

    path: str
    op: Operator
    value: Json = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise InvalidFilter("where", "a condition needs a path")
        if not isinstance(self.op, str) or self.op not in _OPERATORS:
            raise InvalidFilter("where", f"{excerpt(self.op)} is not one of {' '.join(_OPERATORS)}")
        try:
            check_json(self.value, "where")
        except InvalidMessage as error:
            raise InvalidFilter("where", error.problem) from None
        if self.op in ("~", "!~"):
            if not isinstance(self.value, str):
                raise InvalidFilter("where", f"{self.op} takes a regular expression as text")
            try:
                _compiled(self.value)
            except (re.error, ValueError, RecursionError, OverflowError) as error:
                raise InvalidFilter(
                    "where", f"{excerpt(self.value)} is no regular expression: {error}"
                ) from None

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Reads `path op value`; a value that is JSON is taken as such, any other as text.

        `==` is read as `=`.

        Raises InvalidFilter.
        """
        if not isinstance(text, str):
            raise InvalidFilter("where", f"{excerpt(text)} is not a condition")
        if match := re.match(_CONDITION, text):
            path, op, value = match["path"].strip(), match["op"], match["value"].strip()
            op = "=" if op == "==" else op
            return cls(path, op, value if op in ("~", "!~") else _parse_value(value))  # type: ignore[arg-type]
        if text.endswith("?") and len(text) > 1:
            return cls(text[:-1].strip(), "?")
        raise InvalidFilter(
            "where", f"{excerpt(text)} is not `path op value` with op one of {' '.join(_OPERATORS)}"
        )

    def holds(self, data: Json) -> bool:
        found = look_up(data, self.path)
        return found is not MISSING and bool(_OPERATORS[self.op](found, self.value))

    def __str__(self) -> str:
        return f"{self.path}{self.op}" + ("" if self.op == "?" else str(self.value))


def _parse_value(text: str) -> Json:
    import json

    try:
        value = json.loads(text, parse_constant=str)
        check_json(value, "where")
    except (json.JSONDecodeError, RecursionError):
        return text
    except InvalidMessage as error:
        raise InvalidFilter("where", error.problem) from None
    except ValueError:  # thousands of digits, which Python refuses to convert
        raise InvalidFilter("where", "the integer does not fit into 64 bits") from None
    return value


@lru_cache(maxsize=256)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """`*`, `?` and `[…]` as in a shell, matched against the whole stream id, with case."""
    try:
        return re.compile(translate(pattern))
    except re.error as error:
        raise InvalidFilter(
            "stream_pattern", f"{excerpt(pattern)} is no pattern: {error}"
        ) from None


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """All given parts must hold. An empty text or an unknown name raises InvalidFilter.

    `message_names` are message types by name (`OrderPlaced`); times are inclusive, on the envelope,
    aware datetimes or ISO 8601 text; positions are inclusive. `json_filter` maps a literal key or a
    dotted path of `data` to the value that must be there, compared deeply. `where` takes conditions,
    or their text.
    """

    message_type: MessageType | str | None = None
    _: KW_ONLY
    message_names: Iterable[str] | str | None = None
    stream_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    request_id: str | None = None
    causation_id: str | None = None
    message_id: str | None = None
    from_position: int | None = None
    to_position: int | None = None
    from_timestamp: datetime | str | None = None
    to_timestamp: datetime | str | None = None
    stream_pattern: str | None = None
    json_filter: Mapping[str, Json] | None = None
    where: Iterable[Condition | str] | Condition | str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in _TEXT_PARTS:
            _check_part(name, getattr(self, name))
        if self.message_type is not None:
            put(self, "message_type", _to_kind(self.message_type))
        if self.message_names is not None:
            put(self, "message_names", _to_names(self.message_names))
        for name in ("from_position", "to_position"):
            _check_position(name, getattr(self, name))
        for name in ("from_timestamp", "to_timestamp"):
            put(self, name, _to_moment(name, getattr(self, name)))
        if self.stream_pattern is not None:
            compile_glob(self.stream_pattern)
        if self.json_filter is not None:
            put(self, "json_filter", _to_json_filter(self.json_filter))
        if self.where is not None:
            put(self, "where", _to_conditions(self.where))

    @property
    def names(self) -> frozenset[str] | None:
        """`message_names` as it was normalised."""
        return self.message_names  # type: ignore[return-value]

    @property
    def kind(self) -> MessageType | None:
        """`message_type` as it was normalised."""
        return self.message_type  # type: ignore[return-value]

    @property
    def since(self) -> datetime | None:
        """`from_timestamp` as it was normalised: UTC."""
        return self.from_timestamp  # type: ignore[return-value]

    @property
    def until(self) -> datetime | None:
        """`to_timestamp` as it was normalised: UTC."""
        return self.to_timestamp  # type: ignore[return-value]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """`where` as it was normalised."""
        return self.where or ()  # type: ignore[return-value]

    @property
    def needs_data(self) -> bool:
        """Whether a message's payload must be opened to decide."""
        return bool(self.json_filter or self.where)

    def matches(self, stored: PositionalMessage) -> bool:
        """Whether every given part holds for `stored`."""
        message = stored.message
        return (
            (self.message_type is None or stored.message_type is self.message_type)
            and (self.names is None or message.type in self.names)
            and (self.stream_id is None or stored.stream_id == self.stream_id)
            and (self.session_id is None or stored.session_id == self.session_id)
            and (self.correlation_id is None or message.correlation_id == self.correlation_id)
            and (self.request_id is None or message.request_id == self.request_id)
            and (self.causation_id is None or message.causation_id == self.causation_id)
            and (self.message_id is None or message.id == self.message_id)
            and (self.from_position is None or stored.position >= self.from_position)
            and (self.to_position is None or stored.position <= self.to_position)
            and (self.since is None or stored.timestamp >= self.since)
            and (self.until is None or stored.timestamp <= self.until)
            and self.matches_stream(stored.stream_id)
            and (not self.needs_data or self.matches_data(message.data))
        )

    def matches_stream(self, stream_id: str) -> bool:
        """The parts that look at the stream's id alone."""
        if self.stream_id is not None and stream_id != self.stream_id:
            return False
        return (
            self.stream_pattern is None
            or compile_glob(self.stream_pattern).match(stream_id) is not None
        )

    def matches_data(self, data: Json) -> bool:
        """The parts that look into the payload."""
        for path, wanted in (self.json_filter or {}).items():
            found = look_up(data, path)
            if found is MISSING or not json_equal(found, wanted):
                return False
        return all(condition.holds(data) for condition in self.conditions)


_TEXT_PARTS = (
    "stream_id",
    "session_id",
    "correlation_id",
    "request_id",
    "causation_id",
    "message_id",
    "stream_pattern",
)


def _check_part(name: str, value: object) -> None:
    if value is None:
        return
    try:
        check_text(value, name)
    except InvalidMessage as error:
        raise InvalidFilter(name, error.problem) from None


def _to_kind(value: Any) -> MessageType:
    try:
        return MessageType(value)
    except ValueError:
        raise InvalidFilter(
            "message_type", f"{excerpt(value)} is neither 'command' nor 'event'"
        ) from None


def _to_names(value: Iterable[str] | str) -> frozenset[str]:
    try:
        names = frozenset([value] if isinstance(value, str) else value)
    except TypeError:
        raise InvalidFilter("message_names", "must be message types by name") from None
    if not names:
        raise InvalidFilter("message_names", "must not be empty")
    for name in names:
        if name is None:
            raise InvalidFilter("message_names", "None is not the name of a message type")
        _check_part("message_names", name)
    return names


def _check_position(name: str, value: object) -> None:
    if value is not None and not is_whole(value):
        raise InvalidFilter(name, f"{excerpt(value)} is not a position")


def _to_moment(name: str, value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return to_utc(value, name)
    except InvalidMessage as error:
        raise InvalidFilter(name, error.problem) from None


def _to_json_filter(value: object) -> dict[str, Json]:
    if not isinstance(value, Mapping):
        raise InvalidFilter("json_filter", "must map paths to values, as in {'orderId': 'ord-1'}")
    wanted = dict(value)
    if not wanted:
        raise InvalidFilter("json_filter", "must not be empty")
    if not all(isinstance(path, str) and path for path in wanted):
        raise InvalidFilter("json_filter", "every path must be text and not empty")
    try:
        check_json(wanted, "json_filter")
    except InvalidMessage as error:
        raise InvalidFilter("json_filter", f"{error.path}: {error.problem}") from None
    return wanted


def _to_conditions(value: Iterable[Condition | str] | Condition | str) -> tuple[Condition, ...]:
    try:
        parts = [value] if isinstance(value, str | Condition) else list(value)
    except TypeError:
        raise InvalidFilter("where", f"{excerpt(value)} is not a condition") from None
    if not parts:
        raise InvalidFilter("where", "must not be empty")
    return tuple(part if isinstance(part, Condition) else Condition.parse(part) for part in parts)


EVERYTHING = MessageFilter()
