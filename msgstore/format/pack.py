"""A pack: messages of a store in one file that can be read in place. See docs/format.md, "The pack".

All of it is frames, so any msgpack reader walks the file. Messages stand in blocks, in order of position;
in front of each block stands its summary, which tells what the block cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

import msgpack

from msgstore.format.frame import decode_frame, encode_frame, frame_crc, seal
from msgstore.format.record import KINDS, body_of, decode_body, pack_body
from msgstore.format.stored import stored_labels, stored_number, stored_text, stored_time
from msgstore.model.clock import parse_uuid, to_datetime, to_us
from msgstore.model.message import NO_SESSION, MessageType, PositionalMessage, restore_positional
from msgstore.model.results import SessionInfo
from msgstore.model.values import MESSAGE_BYTES_MAX, is_json

PACK_KIND, PACK_VERSION = "msgstore-pack", 1
BLOCK_MESSAGES_MAX = 256
BLOCK_BYTES_FULL = 256 * 1024
"""A block takes no more messages once it has so many bytes."""
BLOCK_FRAME_BYTES_MAX = BLOCK_BYTES_FULL + MESSAGE_BYTES_MAX + 65_536
SUMMARY_FRAME_BYTES_MAX = 4096
SESSIONS_A_FRAME = 256
SESSIONS_FRAME_BYTES_MAX = 32 * 1024 * 1024
END_FRAME_BYTES_MAX = 256

_SUMMARY, _BLOCK, _SESSIONS, _END = "summary", "block", "sessions", "end"
_pack = msgpack.Packer(autoreset=True).pack


def encode_header() -> bytes:
    return encode_frame((PACK_KIND, PACK_VERSION))


def header_version(frame: bytes | memoryview) -> int | None:
    """The version in a pack's first frame, or None if it is no header of a pack. Raises ValueError."""
    elements = decode_frame(frame)
    if len(elements) != 2 or elements[0] != PACK_KIND:
        return None
    return stored_number(elements[1], "version")


# ---------------------------------------------------------------- messages


def pack_message(stored: PositionalMessage) -> bytes:
    """A message as an element of a block: an array of 14."""
    message_id = stored.message.id or ""
    session_id = None if stored.session_id == NO_SESSION else stored.session_id
    body = pack_body(body_of(stored.message, parse_uuid(message_id) or message_id, session_id))
    places = (
        stored.position,
        to_us(stored.timestamp),
        stored.revision,
        int(stored.message_type is MessageType.COMMAND),
        stored.stream_id,
    )
    return b"\x9e" + b"".join(map(_pack, places)) + body


def unpack_message(elements: Any) -> PositionalMessage:
    """Raises ValueError for what `pack_message` does not write."""
    if elements.__class__ is not list or len(elements) != 14:
        raise ValueError("a message is no array of 14")
    position, time_us, revision, kind, stream_id, session_id, *body = elements
    if kind not in KINDS or kind.__class__ is not int:
        raise ValueError("a message is neither command nor event")
    try:
        message = decode_body(body)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"it is not in the shape of a message ({error})") from None
    if not (is_json(message.data) and is_json(message.metadata)):
        raise ValueError("the data of a message is not JSON")
    return restore_positional(
        stored_text(stream_id, "stream id"),
        message,
        KINDS[kind],
        stored_number(revision, "revision"),
        stored_number(position, "position", 1),
        to_datetime(stored_time(time_us)),
        NO_SESSION if session_id is None else stored_text(session_id, "session id"),
    )


# ---------------------------------------------------------------- blocks


class Summary(NamedTuple):
    """What stands in front of a block. Times are microseconds since 1970, the least and the greatest."""

    ordinal: int
    messages: int
    commands: int
    first_position: int
    last_position: int
    first_us: int
    last_us: int
    block_bytes: int
    block_crc: int
    keys: bytes
    """A Bloom filter over the block's texts; see `key_bits`."""

    def may_hold(self, field: str, text: str) -> bool:
        """False: no message of the block has this text in this field. True: one may have it."""
        keys = self.keys
        return all(keys[bit >> 3] >> (bit & 7) & 1 for bit in key_bits(field, text, len(keys) * 8))


BITS_A_KEY = 10
_PROBES = 5


def key_bits(field: str, text: str, bits: int) -> list[int]:
    """The bits that a text sets in a filter of so many: double hashing (Kirsch, Mitzenmacher)."""
    digest = blake2b(f"{field}\0{text}".encode(), digest_size=8).digest()
    first = int.from_bytes(digest[:4], "little")
    step = int.from_bytes(digest[4:], "little") | 1
    return [(first + probe * step) % bits for probe in range(_PROBES)]


def _keys_of(messages: Sequence[PositionalMessage]) -> bytes:
    keys = set()
    for stored in messages:
        message = stored.message
        keys.add(("stream", stored.stream_id))
        keys.add(("session", stored.session_id))
        keys.add(("type", message.type))
        keys.add(("id", message.id or ""))
        for field, text in (
            ("request", message.request_id),
            ("correlation", message.correlation_id),
            ("causation", message.causation_id),
        ):
            if text is not None:
                keys.add((field, text))
    filter = bytearray((len(keys) * BITS_A_KEY + 7) // 8)
    for field, text in keys:
        for bit in key_bits(field, text, len(filter) * 8):
            filter[bit >> 3] |= 1 << (bit & 7)
    return bytes(filter)


def encode_block(
    ordinal: int, messages: Sequence[PositionalMessage], packed: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The frames of summary and block; `packed` are the messages as `pack_message` has them."""
    block = seal(len(packed) + 5, b"".join((_pack(_BLOCK), _pack(ordinal), *packed)))
    times = [to_us(stored.timestamp) for stored in messages]
    summary = Summary(
        ordinal,
        len(messages),
        sum(stored.message_type is MessageType.COMMAND for stored in messages),
        messages[0].position,
        messages[-1].position,
        min(times),
        max(times),
        len(block),
        frame_crc(block),
        _keys_of(messages),
    )
    return encode_frame((_SUMMARY, *summary)), block


def decode_summary(frame: bytes | memoryview) -> Summary:
    """Raises ValueError for a whole frame that is no summary."""
    elements = decode_frame(frame)
    if len(elements) != 11 or elements[0] != _SUMMARY:
        raise ValueError("no summary stands where one belongs")
    keys = elements[10]
    if keys.__class__ is not bytes or not keys:
        raise ValueError("a summary has no keys")
    numbers = [stored_number(value, "number in a summary") for value in elements[1:10]]
    summary = Summary._make([*numbers, keys])
    stored_time(summary.first_us)
    stored_time(summary.last_us)
    if not 1 <= summary.messages <= BLOCK_MESSAGES_MAX:
        raise ValueError("a summary counts an impossible number of messages")
    return summary


def decode_block(frame: bytes | memoryview, summary: Summary) -> list[PositionalMessage]:
    """The messages of a whole frame. Raises ValueError unless they are those that the summary tells of."""
    elements = decode_frame(frame)
    if elements[:2] != [_BLOCK, summary.ordinal] or len(elements) - 2 != summary.messages:
        raise ValueError("the block is not the one that its summary tells of")
    messages = [unpack_message(item) for item in elements[2:]]
    positions = [stored.position for stored in messages]
    if any(a >= b for a, b in pairwise(positions)):
        raise ValueError("the positions of a block do not rise")
    if (positions[0], positions[-1]) != (summary.first_position, summary.last_position):
        raise ValueError("the block has other positions than its summary")
    return messages


# ---------------------------------------------------------------- sessions


def encode_sessions(ordinal: int, sessions: Iterable[SessionInfo]) -> bytes:
    """A frame of at most SESSIONS_A_FRAME sessions."""
    return encode_frame((_SESSIONS, ordinal, *map(_session_elements, sessions)))


def _session_elements(info: SessionInfo) -> list[Any]:
    return [
        info.session_id,
        info.name,
        dict(info.labels),
        to_us(info.started_at),
        None if info.ended_at is None else to_us(info.ended_at),
        info.status,
        info.message_count,
        info.command_count,
        to_us(info.last_activity),
    ]


def decode_sessions(frame: bytes | memoryview, ordinal: int) -> list[SessionInfo]:
    """Raises ValueError for a whole frame that holds no sessions."""
    elements = decode_frame(frame)
    if elements[:2] != [_SESSIONS, ordinal]:
        raise ValueError("no sessions stand where they belong")
    return [_session_of(item) for item in elements[2:]]


def _session_of(elements: Any) -> SessionInfo:
    if elements.__class__ is not list or len(elements) != 9:
        raise ValueError("a session is no array of 9")
    session_id, name, labels, started, ended, status, messages, commands, last = elements
    message_count = stored_number(messages, "session's messages")
    command_count = stored_number(commands, "session's commands")
    if command_count > message_count:
        raise ValueError("a session has more commands than messages")
    return SessionInfo(
        session_id=stored_text(session_id, "session id"),
        name=None if name is None else stored_text(name, "name"),
        labels=stored_labels(labels),
        started_at=to_datetime(stored_time(started)),
        ended_at=None if ended is None else to_datetime(stored_time(ended)),
        status=None if status is None else stored_text(status, "status"),
        message_count=message_count,
        command_count=command_count,
        event_count=message_count - command_count,
        last_activity=to_datetime(stored_time(last)),
    )


# ---------------------------------------------------------------- the end


class End(NamedTuple):
    """The last frame: how much there is, and where. `chain` as `add_to_chain` makes it."""

    messages: int
    commands: int
    blocks: int
    sessions: int
    sessions_offset: int
    first_us: int
    last_us: int
    chain: int


def add_to_chain(chain: int, frame: bytes | memoryview) -> int:
    """The CRC-32 over the checksums of all summaries and sessions so far, in order; begun with 0."""
    return crc32(frame[4:8], chain)


def encode_end(end: End) -> bytes:
    return encode_frame((_END, *end))


def decode_end(frame: bytes | memoryview) -> End:
    """Raises ValueError for a whole frame that is not the end of a pack."""
    elements = decode_frame(frame)
    if len(elements) != 9 or elements[0] != _END:
        raise ValueError("the file does not end as a pack does")
    end = End(*(stored_number(value, "number at the end") for value in elements[1:]))
    stored_time(end.first_us)
    stored_time(end.last_us)
    if end.commands > end.messages:
        raise ValueError("the end counts more commands than messages")
    return end
