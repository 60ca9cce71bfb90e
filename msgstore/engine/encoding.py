"""What is made of messages before the lock is taken: everything but their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from zlib import crc32

from msgstore.format.names import hash64
from msgstore.format.record import Encoded, body_of, pack_body
from msgstore.format.row import hash32
from msgstore.model.clock import format_uuid, parse_uuid, uuid7, uuid7s
from msgstore.model.errors import MsgStoreError
from msgstore.model.inference import infer_message_type, stream_kind
from msgstore.model.message import MessageType
from msgstore.model.saving import NewSave, SaveRequest

if TYPE_CHECKING:
    from msgstore.model.draft import Draft, DraftsSaved

_COMMAND = MessageType.COMMAND
_IDS_AT_ONCE_MIN = 32
"""Fewer ids are made one by one."""


@runtime_checkable
class DraftStore(Protocol):
    """A store that takes drafts: encoded by one process, and saved by the same or another one."""

    def encode_drafts(self, drafts: Sequence[Draft]) -> list[Encoded]: ...

    def save_encoded(self, encoded: Sequence[Encoded]) -> DraftsSaved:
        """Commits them together, in order, as `save_each` commits independent saves."""
        ...


def encode_requests(requests: Sequence[SaveRequest], session_id: str | None) -> list[list[Encoded]]:
    """The messages of each request. Raises MessageTooLarge with `request_index` set."""
    encoded = []
    for index, request in enumerate(requests):
        try:
            encoded.append(_encode_request(request, session_id))
        except MsgStoreError as error:
            error.request_index = index
            raise
    return encoded


def messages_of(new: Sequence[NewSave], encoded: Sequence[Sequence[Encoded]]) -> list[Encoded]:
    """The messages that are to be written, in the order of their positions."""
    return [message for save in new for message in encoded[save.request_index]]


def _encode_request(request: SaveRequest, session_id: str | None) -> list[Encoded]:
    stream_id = request.stream_id
    encoded: list[Encoded] = []
    said = request.message_type or stream_kind(stream_id)
    fresh = iter(_new_ids(sum(message.id is None for message in request.messages)))
    raw_id: bytes | str
    for message in request.messages:
        if message.id is None:
            raw_id, text = next(fresh)
            id_hash = crc32(text) or 1
        else:
            raw_id, id_hash = parse_uuid(message.id) or message.id, hash32(message.id)
        kind = said or infer_message_type(stream_id, message.request_id)
        hashes = (
            id_hash,
            hash32(message.correlation_id),
            hash32(message.request_id),
            hash32(message.causation_id),
        )
        body = pack_body(body_of(message, raw_id, session_id))
        encoded.append((stream_id, body, kind is _COMMAND, hash64(message.type), hashes))
    return encoded


def encode_drafts(drafts: Sequence[Draft], session_id: str | None) -> list[Encoded]:
    """As `_encode_request`, for messages by the hundred thousand: hence no calls of its own inside."""
    encoded: list[Encoded] = []
    kinds: dict[str, bool | None] = {}
    types: dict[str, int] = {}
    for draft, (raw_id, text) in zip(drafts, _new_ids(len(drafts)), strict=True):
        stream_id, type_, data, request_id, correlation_id, causation_id, time_us, metadata = draft
        body = pack_body(
            (
                session_id,
                type_,
                data,
                raw_id,
                request_id,
                correlation_id,
                causation_id,
                time_us,
                metadata,
            )
        )
        if stream_id not in kinds:
            kind = stream_kind(stream_id)
            kinds[stream_id] = None if kind is None else kind is _COMMAND
        if type_ not in types:
            types[type_] = hash64(type_)
        is_command = kinds[stream_id]
        hashes = (
            crc32(text) or 1,
            0 if correlation_id is None else crc32(correlation_id.encode()) or 1,
            0 if request_id is None else crc32(request_id.encode()) or 1,
            0 if causation_id is None else crc32(causation_id.encode()) or 1,
        )
        is_command = bool(request_id) if is_command is None else is_command
        encoded.append((stream_id, body, is_command, types[type_], hashes))
    return encoded


def _new_ids(count: int) -> Sequence[tuple[bytes, bytes]]:
    """So many new message ids, each as 16 bytes and as text."""
    if count >= _IDS_AT_ONCE_MIN:
        return uuid7s(count)
    return [(raw_id, format_uuid(raw_id).encode()) for raw_id in (uuid7() for _ in range(count))]
