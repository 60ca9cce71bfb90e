"""Messages: what a producer hands in, and what a store gives back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NewType

from msgstore.model.clock import format_time
from msgstore.model.errors import InvalidMessage
from msgstore.model.values import Json, check_json, check_text, excerpt

Revision = NewType("Revision", int)
"""0-based place of a message in its stream; -1 where there is none."""
Position = NewType("Position", int)
"""1-based place of a message in the whole store; 0 is before the first."""

NO_SESSION = "no-session"
"""The stamp of messages saved while no session is active."""


class MessageType(StrEnum):
    """A command is a request, an event is a fact."""

    COMMAND = "command"
    EVENT = "event"

    def __str__(self) -> str:
        return self.value


def to_message_type(
    value: MessageType | str | None, what: str = "message_type"
) -> MessageType | None:
    """Raises InvalidMessage for a name that is not a kind of message."""
    if value is None or isinstance(value, MessageType):
        return value
    try:
        return MessageType(value)
    except ValueError:
        raise InvalidMessage(what, f"{excerpt(value)} is neither 'command' nor 'event'") from None


_JSON_NAMES = {
    "type": "type",
    "data": "data",
    "id": "id",
    "requestId": "request_id",
    "correlationId": "correlation_id",
    "causationId": "causation_id",
    "timestamp": "timestamp",
    "metadata": "metadata",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A command or an event as its producer made it.

    `data` and `metadata` are JSON values; `data=None` means `{}`. `timestamp` is the producer's
    own, aware, kept to the microsecond in UTC. An `id` of None is given a new UUIDv7 when saved.
    Raises InvalidMessage with the path of the first part that cannot be stored.
    """

    type: str
    data: Json = None
    _: KW_ONLY
    id: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    timestamp: datetime | None = None
    metadata: Json = None

    def __post_init__(self) -> None:
        check_text(self.type, "type")
        for name in ("id", "request_id", "correlation_id", "causation_id"):
            if (value := getattr(self, name)) is not None:
                check_text(value, name)
        if self.data is None:
            object.__setattr__(self, "data", {})
        else:
            check_json(self.data, "data")
        if self.metadata is not None:
            check_json(self.metadata, "metadata")
        if self.timestamp is not None:
            object.__setattr__(self, "timestamp", to_utc(self.timestamp, "timestamp"))

    def to_json(self) -> dict[str, Json]:
        """`{"type", "data", "id", "requestId", …}`; absent fields are left out."""
        out: dict[str, Json] = {"type": self.type, "data": self.data}
        if self.id is not None:
            out["id"] = self.id
        if self.request_id is not None:
            out["requestId"] = self.request_id
        if self.correlation_id is not None:
            out["correlationId"] = self.correlation_id
        if self.causation_id is not None:
            out["causationId"] = self.causation_id
        if self.timestamp is not None:
            out["timestamp"] = format_time(self.timestamp)
        if self.metadata is not None:
            out["metadata"] = self.metadata
        return out

    @classmethod
    def from_json(cls, value: Json) -> Message:
        """The message of a JSON object in the shape of `to_json`.

        Raises InvalidMessage for a missing type, an unknown field or a value that cannot be stored.
        """
        if not isinstance(value, dict):
            raise InvalidMessage("message", "must be a JSON object")
        fields = {}
        for key, item in value.items():
            if (name := _JSON_NAMES.get(key)) is None:
                known = ", ".join(_JSON_NAMES)
                raise InvalidMessage(f"{key!s:.40}", f"unknown field; a message has {known}")
            fields[name] = item
        if fields.get("type") is None:
            raise InvalidMessage("type", "is missing")
        if fields.get("timestamp") is not None:
            fields["timestamp"] = parse_timestamp(fields["timestamp"], "timestamp")
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class PositionalMessage:
    """A message as the store holds it.

    `revision` is 0-based in its stream, `position` 1-based in the store; `timestamp` is when the
    store recorded it, aware UTC.
    """

    stream_id: str
    message: Message
    message_type: MessageType
    revision: int
    position: int
    timestamp: datetime
    session_id: str

    def to_json(self) -> dict[str, Json]:
        """The JSON of a stored message: the same in every output and input of msgstore."""
        return {
            "streamId": self.stream_id,
            "message": self.message.to_json(),
            "messageType": self.message_type.value,
            "revision": self.revision,
            "position": self.position,
            "timestamp": format_time(self.timestamp),
            "sessionId": self.session_id,
        }

    @classmethod
    def from_json(cls, value: Json) -> PositionalMessage:
        """Raises InvalidMessage where `value` is not in the shape of `to_json`."""
        if not isinstance(value, dict):
            raise InvalidMessage("message", "must be a JSON object")
        for key in _POSITIONAL_FIELDS:
            if key not in value:
                raise InvalidMessage(key, "is missing")
        for key in value:
            if key not in _POSITIONAL_FIELDS:
                raise InvalidMessage(f"{key!s:.40}", "unknown field")
        message_type = to_message_type(value["messageType"], "messageType")
        if message_type is None:
            raise InvalidMessage("messageType", "is missing")
        return cls(
            stream_id=check_text(value["streamId"], "streamId"),
            message=Message.from_json(value["message"]),
            message_type=message_type,
            revision=_check_number(value["revision"], "revision", 0),
            position=_check_number(value["position"], "position", 1),
            timestamp=parse_timestamp(value["timestamp"], "timestamp"),
            session_id=check_text(value["sessionId"], "sessionId"),
        )


_POSITIONAL_FIELDS = (
    "streamId",
    "message",
    "messageType",
    "revision",
    "position",
    "timestamp",
    "sessionId",
)


def _check_number(value: object, path: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidMessage(path, f"must be an integer of at least {least}")
    return value


def to_utc(value: object, path: str) -> datetime:
    """An aware datetime, in UTC; a text is read as ISO 8601. Raises InvalidMessage otherwise."""
    if isinstance(value, str):
        return parse_timestamp(value, path)
    if not isinstance(value, datetime):
        raise InvalidMessage(path, "must be a datetime or ISO 8601 text")
    if value.tzinfo is None:
        raise InvalidMessage(path, "has no time zone")
    try:
        # UTC repeats no hour: `fold` says nothing there, and would not be stored.
        return value.astimezone(UTC).replace(fold=0)
    except OverflowError:
        raise InvalidMessage(path, "is outside the years 1 to 9999 in UTC") from None


def parse_timestamp(value: object, path: str) -> datetime:
    """ISO 8601 with a zone (`Z` or an offset), as UTC; digits past the microsecond are dropped."""
    if not isinstance(value, str):
        raise InvalidMessage(path, "must be ISO 8601 text")
    try:
        return to_utc(datetime.fromisoformat(value), path)
    except ValueError:
        raise InvalidMessage(path, f"{value[:40]!r} is not an ISO 8601 time") from None


# Reading makes these by the million from bytes that were checked when they were saved. A frozen
# dataclass pays for `object.__setattr__` on every field; an unfrozen twin of the same layout fills
# its slots plainly and then takes on the public class.


class MessageDraft:
    __slots__ = Message.__slots__

    def __init__(
        self,
        type: str,
        data: Json,
        id: str | None,
        request_id: str | None,
        correlation_id: str | None,
        causation_id: str | None,
        timestamp: datetime | None,
        metadata: Json,
    ) -> None:
        self.type = type
        self.data = data
        self.id = id
        self.request_id = request_id
        self.correlation_id = correlation_id
        self.causation_id = causation_id
        self.timestamp = timestamp
        self.metadata = metadata


class PositionalDraft:
    __slots__ = PositionalMessage.__slots__

    def __init__(
        self,
        stream_id: str,
        message: Message,
        message_type: MessageType,
        revision: int,
        position: int,
        timestamp: datetime,
        session_id: str,
    ) -> None:
        self.stream_id = stream_id
        self.message = message
        self.message_type = message_type
        self.revision = revision
        self.position = position
        self.timestamp = timestamp
        self.session_id = session_id


def restore_message(*fields: Any) -> Message:
    """A Message from its eight fields in order, which were checked when they were saved."""
    draft: Any = MessageDraft(*fields)
    draft.__class__ = Message
    return draft  # type: ignore[no-any-return]


def restore_positional(*fields: Any) -> PositionalMessage:
    """A PositionalMessage from its seven fields in order, unchecked."""
    draft: Any = PositionalDraft(*fields)
    draft.__class__ = PositionalMessage
    return draft  # type: ignore[no-any-return]
