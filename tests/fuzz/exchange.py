"""What comes from other people's files: packs and what `import` reads.

Each is a message after the other, or an error of msgstore that can be told, wherever it stops.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp

from fuzz.sealing import seal_frames
from fuzz.target import target
from msgstore import MessageFilter, MsgStoreError, open_store
from msgstore.cli.json_input import read_json
from msgstore.exchange.encoders import Array, Lines, Pack, events_from, reference_json, stored_json
from msgstore.exchange.entries import read_binary, read_text
from msgstore.exchange.forms import BINARY, HEAD_BYTES, guess_form
from msgstore.format.frame import FRAME_BYTES_MIN, encode_frame, frame_crc, frame_length
from msgstore.format.pack import decode_summary
from msgstore.model.message import Message, MessageType, PositionalMessage, parse_timestamp
from msgstore.model.values import is_json

_AT = parse_timestamp("2026-11-23T14:00:00.000001Z", "time")
MESSAGES = [
    PositionalMessage(
        "orders-1",
        Message("T", {"n": [n, 1.5, None]}, id=f"id-{n}", correlation_id="c", metadata={"k": "v"}),
        MessageType.EVENT if n else MessageType.COMMAND,
        n,
        2 * n + 1,
        _AT,
        "session-1" if n else "no-session",
    )
    for n in range(3)
]


@cache
def _file() -> Path:
    return Path(mkdtemp(prefix="msgstore-fuzz-")) / "in.msgpack"


def _packs() -> list[bytes]:
    packs = []
    for messages in (MESSAGES, MESSAGES[:1], []):
        pack = Pack(list)
        packs.append(b"".join([*map(pack.add, messages), pack.end()]))
    return packs


def _seal_pack(data: bytes) -> bytes:
    """Each frame made right, as far as lengths lead, and each summary with what stands behind it."""
    frames, rest = [], seal_frames(data)
    while len(rest) >= FRAME_BYTES_MIN:
        length = frame_length(rest)
        frames.append(rest[:length])
        rest = rest[length:]
    for number, (summary, block) in enumerate(pairwise(frames)):
        with suppress(ValueError):
            told = decode_summary(summary)
            told = told._replace(block_bytes=len(block), block_crc=frame_crc(block))
            frames[number] = encode_frame(("summary", *told))
    return b"".join(frames) + rest


@target(_packs, seal=_seal_pack, weight=10)
def pack_file(data: bytes) -> None:
    """A pack is read from both ends, by id and as a whole; what comes back is JSON in order."""
    _file().write_bytes(data)
    with suppress(MsgStoreError), open_store(str(_file())) as store:
        for direction in ("forwards", "backwards"):
            with suppress(MsgStoreError):
                found = list(store.get_all_messages(direction=direction))  # type: ignore[arg-type]
                positions = [stored.position for stored in found]
                assert positions == sorted(set(positions), reverse=direction == "backwards")
                for stored in found:
                    assert is_json(stored.message.data)
                    stored.to_json()
        with suppress(MsgStoreError):
            list(store.get_all_messages(MessageFilter(message_id="id-1")))
        with suppress(MsgStoreError):
            store.get_sessions()
        store.verify()  # type: ignore[attr-defined]
    with suppress(MsgStoreError):
        for entry in read_binary(str(_file()), "pack", read_json):
            [message] = entry.request.messages
            assert Message.from_json(message.to_json()) == message


def _inputs() -> list[bytes]:
    encoders = (
        *(Lines(stored_json), Lines(events_from("/s")), Array(reference_json)),
        *(Array(events_from("/s")), Array(stored_json)),
    )
    return [b"".join([*map(encoder.add, MESSAGES), encoder.end()]) for encoder in encoders]


@target(
    _inputs,
    tokens=(
        *(b'"specversion":"1.0"', b'"msgstoreposition":"1"', b'"data_base64":""', b"[", b"]", b","),
        *(b'"time":', b'"subject":null', b'"msgstoremetadata":"{"', b'"position":"9"', b"\n", b"{"),
        *(b'"id":', b'"\\ud800"', b"NaN", b"\xef\xbb\xbf", b'"', b"\\", b"}", b"null"),
    ),
    weight=10,
)
def import_text(data: bytes) -> None:
    """Lines and arrays: messages that can be saved, up to the first thing that is none."""
    with suppress(MsgStoreError):
        guess = guess_form(data[:HEAD_BYTES])
        if guess.form not in BINARY:
            for entry in read_text(BytesIO(data), guess, read_json, only=False):
                [message] = entry.request.messages
                assert Message.from_json(message.to_json()) == message
