"""Messages as bytes, one after the other: each encoder holds back no more than a block.

`add` gives the bytes that are ready, `end` what closes the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import orjson

from msgstore.exchange.cloud_events import event_of
from msgstore.format.pack import (
    BLOCK_BYTES_FULL,
    BLOCK_MESSAGES_MAX,
    SESSIONS_A_FRAME,
    End,
    add_to_chain,
    encode_block,
    encode_end,
    encode_header,
    encode_sessions,
    pack_message,
)
from msgstore.model.clock import to_datetime, to_us
from msgstore.model.message import MessageType, PositionalMessage
from msgstore.model.results import SessionInfo
from msgstore.model.values import Json

ToJson = Callable[[PositionalMessage], dict[str, Json]]


class Encoder(Protocol):
    def add(self, stored: PositionalMessage) -> bytes: ...

    def end(self) -> bytes: ...


def stored_json(stored: PositionalMessage) -> dict[str, Json]:
    """As `query` prints it."""
    return stored.to_json()


def reference_json(stored: PositionalMessage) -> dict[str, Json]:
    """As JavaScript writes a bigint: revision and position are texts."""
    numbers = {"revision": str(stored.revision), "position": str(stored.position)}
    return stored.to_json() | numbers


def events_from(source: str) -> ToJson:
    return lambda stored: event_of(stored, source)


class Lines:
    """One compact object a line."""

    def __init__(self, to_json: ToJson) -> None:
        self._to_json = to_json

    def add(self, stored: PositionalMessage) -> bytes:
        return orjson.dumps(self._to_json(stored), option=orjson.OPT_APPEND_NEWLINE)

    def end(self) -> bytes:
        return b""


class Array:
    """One array, an element a line."""

    def __init__(self, to_json: ToJson) -> None:
        self._to_json = to_json
        self._before = b"[\n"

    def add(self, stored: PositionalMessage) -> bytes:
        before, self._before = self._before, b",\n"
        return before + orjson.dumps(self._to_json(stored))

    def end(self) -> bytes:
        return b"[]\n" if self._before == b"[\n" else b"\n]\n"


class Pack:
    """A pack: `sessions` gives those that may be told of; it is asked once, at the end.

    Told of are those that a message is stamped with, and `always`; all of them for None. Counts and
    last activity are of the messages in the pack.
    """

    def __init__(
        self,
        sessions: Callable[[], Iterable[SessionInfo]],
        always: Iterable[str] | None = (),
    ) -> None:
        self._sessions = sessions
        self._always = None if always is None else set(always)
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._messages: list[PositionalMessage] = []
        self._packed: list[bytes] = []
        self._packed_bytes = 0
        self._is_begun = False
        self._offset = 0
        self._end = End(0, 0, 0, 0, 0, 0, 0, 0)

    def add(self, stored: PositionalMessage) -> bytes:
        """Messages must come in order of position."""
        packed = pack_message(stored)
        self._messages.append(stored)
        self._packed.append(packed)
        self._packed_bytes += len(packed)
        self._stamp(stored)
        if len(self._packed) < BLOCK_MESSAGES_MAX and self._packed_bytes < BLOCK_BYTES_FULL:
            return b""
        return self._block()

    def _stamp(self, stored: PositionalMessage) -> None:
        messages, commands, last_us = self._stamps.get(stored.session_id, (0, 0, 0))
        is_command = stored.message_type is MessageType.COMMAND
        last_us = max(last_us, to_us(stored.timestamp))
        self._stamps[stored.session_id] = (messages + 1, commands + is_command, last_us)

    def _block(self) -> bytes:
        end = self._end
        summary_frame, block = encode_block(end.blocks, self._messages, self._packed)
        times = [to_us(stored.timestamp) for stored in self._messages]
        commands = sum(m.message_type is MessageType.COMMAND for m in self._messages)
        self._end = end._replace(
            messages=end.messages + len(times),
            commands=end.commands + commands,
            blocks=end.blocks + 1,
            first_us=min(times) if not end.blocks else min(end.first_us, *times),
            last_us=max(end.last_us, *times),
            chain=add_to_chain(end.chain, summary_frame),
        )
        self._messages, self._packed, self._packed_bytes = [], [], 0
        return self._put(summary_frame + block)

    def end(self) -> bytes:
        data = self._block() if self._packed else self._put(b"")
        self._end = self._end._replace(sessions_offset=self._offset)
        told = [self._counted(info) for info in self._sessions() if self._is_told(info)]
        frames = []
        for number, first in enumerate(range(0, len(told), SESSIONS_A_FRAME)):
            frame = encode_sessions(number, told[first : first + SESSIONS_A_FRAME])
            self._end = self._end._replace(chain=add_to_chain(self._end.chain, frame))
            frames.append(frame)
        self._end = self._end._replace(sessions=len(told))
        return data + b"".join(frames) + encode_end(self._end)

    def _is_told(self, info: SessionInfo) -> bool:
        known = self._always
        return known is None or info.session_id in known or info.session_id in self._stamps

    def _counted(self, info: SessionInfo) -> SessionInfo:
        messages, commands, last_us = self._stamps.get(info.session_id, (0, 0, 0))
        return replace(
            info,
            message_count=messages,
            command_count=commands,
            event_count=messages - commands,
            last_activity=to_datetime(last_us) if messages else info.started_at,
        )

    def _put(self, data: bytes) -> bytes:
        if not self._is_begun:
            self._is_begun, data = True, encode_header() + data
        self._offset += len(data)
        return data
