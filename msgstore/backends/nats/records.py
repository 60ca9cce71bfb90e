"""A message as JetStream holds it: headers say where it stands, the body is its JSON. No I/O.

| header | holds |
|---|---|
| `Nats-Msg-Id` | the message's id, as `encode_token` writes it |
| `Msgstore-Revision` | its revision |
| `Msgstore-Kind` | `command` or `event` |
| `Msgstore-Session` | the session it is stamped with; absent for none |
| `Nats-Batch-Id`, `-Sequence`, `-Commit` | its place in a commit of several |

The body is `Message.to_json()` with the id left out. The time of a message is the server's, and
that of a commit of several the one of its first message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from msgstore.backends.nats.names import decode_token, encode_token
from msgstore.model.clock import format_time, to_datetime, to_us, uuid7s
from msgstore.model.errors import CorruptStore, InvalidMessage, MessageTooLarge, MsgStoreError
from msgstore.model.inference import infer_message_type
from msgstore.model.message import (
    NO_SESSION,
    Message,
    MessageType,
    PositionalMessage,
    restore_message,
    restore_positional,
)
from msgstore.model.saving import SaveRequest
from msgstore.model.values import MESSAGE_BYTES_MAX, check_text

MSG_ID, REVISION, KIND, SESSION = (
    "Nats-Msg-Id",
    "Msgstore-Revision",
    "Msgstore-Kind",
    "Msgstore-Session",
)
BATCH_ID, BATCH_SEQUENCE, BATCH_COMMIT = (
    "Nats-Batch-Id",
    "Nats-Batch-Sequence",
    "Nats-Batch-Commit",
)
EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class Raw(NamedTuple):
    """A message as the server gave it."""

    subject: str
    sequence: int
    time_us: int
    headers: dict[str, str]
    body: bytes

    @property
    def batch_place(self) -> int:
        """1 for the first of a commit of several, 2 for the next; 0 where it stands alone."""
        text = self.headers.get(BATCH_SEQUENCE, "0")
        return int(text) if text.isdecimal() and len(text) < 10 else 0

    @property
    def first_of_commit(self) -> int:
        """The sequence of the first message of its commit."""
        return max(1, self.sequence - max(0, self.batch_place - 1))

    @property
    def revision(self) -> int:
        try:
            return int(self.headers[REVISION])
        except (KeyError, ValueError):
            place = f"{self.subject:.100} at sequence {self.sequence}"
            raise CorruptStore(f"{place}: no message of msgstore: it has no revision") from None


class Encoded(NamedTuple):
    """A message that is to be sent, all but its place."""

    token: str
    message_id: str
    """Escaped."""
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What the backend takes at most: messages of one commit, and bytes of one message."""

    commit_messages_max: int = 1000
    message_bytes_max: int = MESSAGE_BYTES_MAX
    header_bytes_max: int = 4096
    """What headers take at most, with the escaped id; the server counts them too."""


def encode_requests(requests: Sequence[SaveRequest], limits: Limits) -> list[list[Encoded]]:
    """The messages of each request. An error names its request."""
    encoded = []
    for index, request in enumerate(requests):
        try:
            encoded.append(_encode_request(request, limits))
        except MsgStoreError as error:
            error.request_index = index
            raise
    return encoded


def _encode_request(request: SaveRequest, limits: Limits) -> list[Encoded]:
    token = encode_token(request.stream_id)
    made_up = (text.decode() for _, text in uuid7s(len(request.messages)))
    return [
        Encoded(
            token,
            encode_token(message.id or new_id),
            infer_message_type(request.stream_id, message.request_id, request.message_type).value,
            _encode_body(message, limits),
        )
        for message, new_id in zip(request.messages, made_up, strict=True)
    ]


def _encode_body(message: Message, limits: Limits) -> bytes:
    fields = message.to_json()
    fields.pop("id", None)
    try:
        body = orjson.dumps(fields)
    except (TypeError, ValueError) as error:
        raise InvalidMessage("data", f"was changed after it was checked: {error}") from None
    for most in (MESSAGE_BYTES_MAX, limits.message_bytes_max):
        if len(body) > most:
            raise MessageTooLarge("the message", len(body), most)
    return body


def decode(raw: Raw, prefix_length: int, time_us: int) -> PositionalMessage:
    """Raises CorruptStore for what msgstore did not write."""
    try:
        fields = orjson.loads(raw.body)
        return restore_positional(
            check_text(decode_token(raw.subject[prefix_length:]), "stream_id"),
            _restore(fields, decode_token(raw.headers[MSG_ID])),
            MessageType(raw.headers[KIND]),
            int(raw.headers[REVISION]),
            raw.sequence,
            to_datetime(time_us),
            raw.headers.get(SESSION, NO_SESSION),
        )
    except (ValueError, KeyError, TypeError, AttributeError, InvalidMessage) as error:
        place = f"{raw.subject:.100} at sequence {raw.sequence}"
        raise CorruptStore(f"{place}: no message of msgstore: {error!r:.100}") from None


def _restore(fields: dict[str, Any], message_id: str) -> Message:
    timestamp = fields.get("timestamp")
    return restore_message(
        check_text(fields["type"], "type"),
        fields["data"],
        check_text(message_id, "id"),
        _text_of(fields, "requestId"),
        _text_of(fields, "correlationId"),
        _text_of(fields, "causationId"),
        None if timestamp is None else datetime.fromisoformat(timestamp),
        fields.get("metadata"),
    )


def _text_of(fields: dict[str, Any], name: str) -> str | None:
    """Anybody who may publish to the subject could have put something else there."""
    value = fields.get(name)
    return None if value is None else check_text(value, name)


def parse_time_us(text: str) -> int:
    """RFC 3339 with up to nine digits, which are cut to microseconds."""
    return to_us(datetime.fromisoformat(text))


def format_time_us(time_us: int) -> str:
    return format_time(to_datetime(time_us))
