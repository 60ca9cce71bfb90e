"""What an input says to save, one message after the other, whatever its format.

Readers are iterators of Entry in constant memory. What is wrong with one is raised with its place in
front of the reason: `line 4: data.total: NaN is not JSON`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import NamedTuple, Protocol

from msgstore.exchange.cloud_events import place_in_event, request_of_event
from msgstore.exchange.forms import BYTE_ORDER_MARK, EVENTS, EVENTS_BATCH, PACK, SQLITE, Guess
from msgstore.exchange.json_array import ArrayReader
from msgstore.format.pack import Summary
from msgstore.model.clock import format_uuid
from msgstore.model.errors import InvalidMessage, MessageTooLarge, MsgStoreError
from msgstore.model.message import Message, PositionalMessage
from msgstore.model.saving import SaveRequest
from msgstore.model.values import MESSAGE_BYTES_MAX, Json

Load = Callable[[bytes], Json]
"""Reads one JSON text; raises a MsgStoreError for what is none."""

INPUT_BYTES_MAX = 6 * MESSAGE_BYTES_MAX
"""Of one message as text: six bytes of JSON (`\\u0041`) can stand for one of a message."""


class Input(Protocol):
    """A file that is open for reading."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class Entry(NamedTuple):
    """One message to save, and the place it had, where that is known."""

    place: str
    request: SaveRequest
    size_bytes: int
    position: int | None = None
    revision: int | None = None


def read_text(file: Input, guess: Guess, load: Load, only: bool) -> Iterator[Entry]:
    """The messages of JSON Lines or of an array. With `only` in no shape but that of the format."""
    texts = array_elements(file) if guess.is_array else lines_of(file)
    events = guess.form in (EVENTS, EVENTS_BATCH)
    for place, text in texts:
        try:
            value = load(text)
            is_event = isinstance(value, dict) and "specversion" in value
            if only and events and not is_event:
                raise InvalidMessage("specversion", "is missing: this is no CloudEvents event")
            if only and not events and is_event:
                raise InvalidMessage("specversion", "this is a CloudEvents event, and no message")
            yield event_entry(value, place, text) if is_event else entry_of(value, place, len(text))
        except MsgStoreError as error:
            error.reason = f"{place}: {error.reason}"
            raise


def lines_of(file: Input) -> Iterator[tuple[str, bytes]]:
    """The lines that are not blank. Raises MessageTooLarge."""
    number = 0
    while line := file.readline(INPUT_BYTES_MAX + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if len(line) > INPUT_BYTES_MAX:
            error = MessageTooLarge("the line", len(line), INPUT_BYTES_MAX)
            error.reason = f"line {number:,}: {error.reason}"
            raise error
        if not line.isspace():
            yield f"line {number:,}", line


def array_elements(file: Input) -> Iterator[tuple[str, bytes]]:
    is_first = True

    def read(size: int) -> bytes:
        nonlocal is_first
        data = file.read(size)
        if is_first:
            is_first, data = False, data.removeprefix(BYTE_ORDER_MARK)
        return data

    for number, element in enumerate(ArrayReader(read, INPUT_BYTES_MAX), start=1):
        yield f"line {element.line:,} (element {number:,})", element.text


def event_entry(event: dict[str, Json], place: str, text: bytes) -> Entry:
    position, revision = place_in_event(event)
    numbers = _number(position), _number(revision)
    return Entry(place, request_of_event(event), len(text), *numbers)


def entry_of(value: Json, place: str, size_bytes: int) -> Entry:
    """A message in one of the shapes that `save -` reads; numbers may be texts. Raises InvalidMessage."""
    request = SaveRequest.from_json(value)
    position, revision = _number(value.get("position")), _number(value.get("revision"))
    [message] = request.messages
    if message.id is None and position is not None and "sessionId" in value:
        request = _with_id(request, message, value)
    return Entry(place, request, size_bytes, position, revision)


def _with_id(request: SaveRequest, message: Message, value: dict[str, Json]) -> SaveRequest:
    """A stored message without an id is given one by where it stood: the same at every import."""
    places = (value.get(name) for name in ("streamId", "position", "timestamp", "sessionId"))
    text = "\0".join(f"{place!s:.1024}" for place in (*places, message.type))
    message_id = format_uuid(blake2b(text.encode(errors="replace"), digest_size=16).digest())
    fields = {name: getattr(message, name) for name in _OPTIONAL}
    same = Message(message.type, message.data, id=message_id, **fields)
    return SaveRequest(request.stream_id, (same,), request.expectation, request.message_type)


_OPTIONAL = ("request_id", "correlation_id", "causation_id", "timestamp", "metadata")


def _number(value: Json) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if type(value) is int else None


# ---------------------------------------------------------------- files that are no text


def read_binary(path: str, form: str, load: Load) -> Iterator[Entry]:
    """The messages of a pack or a database."""
    return {PACK: _read_pack, SQLITE: _read_database}[form](path, load)


def _read_pack(path: str, load: Load) -> Iterator[Entry]:
    """Raises CorruptRecord where it is damaged. Its messages are checked as those of anybody's."""
    from msgstore.engine.pack_file import PackFile

    size_bytes = 0

    def wants(summary: Summary) -> bool:
        nonlocal size_bytes
        size_bytes = summary.block_bytes // summary.messages
        return True

    pack = PackFile(path)
    try:
        for block in pack.forwards(wants):
            for stored in block:
                yield stored_entry(stored, size_bytes, f"position {stored.position:,}")
    finally:
        pack.close()


def stored_entry(stored: PositionalMessage, size_bytes: int, place: str) -> Entry:
    """A message of a store, checked as anybody's: the store may be somebody else's work."""
    message = stored.message
    try:
        fields = {name: getattr(message, name) for name in _OPTIONAL}
        checked = Message(message.type, message.data, id=message.id, **fields)
        request = SaveRequest(stored.stream_id, (checked,), message_type=stored.message_type)
    except MsgStoreError as error:
        error.reason = f"{place}: {error.reason}"
        raise
    return Entry(place, request, size_bytes, stored.position, stored.revision)


def _read_database(path: str, load: Load) -> Iterator[Entry]:
    from msgstore.exchange.sqlite_file import read_rows

    for position, size_bytes, value in read_rows(path, load, INPUT_BYTES_MAX):
        place = f"position {position:,}" if type(position) is int else "a row"
        try:
            yield entry_of(value, place, size_bytes)
        except MsgStoreError as error:
            error.reason = f"{place}: {error.reason}"
            raise
