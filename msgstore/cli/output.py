"""Data to stdout, as bytes, in the form that was asked for.

A record is anything with `to_json()`. An encoder turns records into bytes and may hold some back (a
table measures before it draws); an Output hands them on in large writes, or at once where someone
is watching.
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from msgstore.cli.errors import BadUsage
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import Picker, Record, Shape
from msgstore.model.errors import CorruptStore, MsgStoreError
from msgstore.model.message import PositionalMessage
from msgstore.model.values import is_json

_CHUNK_BYTES = 1 << 16
# A table looks at the rows of its first moments together, to know how wide its columns are.
_TABLE_GATHER_S = 0.1


class Encoder(Protocol):
    def add(self, record: Record) -> bytes:
        """Bytes that are ready; the record may be held back."""
        ...

    def release(self) -> bytes:
        """All that was held back."""
        ...

    def end(self) -> bytes:
        """What closes the output, after the last record."""
        ...


def check_message(stored: PositionalMessage) -> PositionalMessage:
    """Raises CorruptStore where data is no JSON: the encoders would fail at it, or write NaN as null."""
    if is_json(stored.message.data) and is_json(stored.message.metadata):
        return stored
    place = f"stream {stored.stream_id}, revision {stored.revision}, position {stored.position}"
    raise CorruptStore(f"the data of a message is not JSON ({place})")


class Output:
    """Where a command puts its records. `count` is how many it has put."""

    def __init__(
        self, encoder: Encoder, watched: bool, gather_s: float, say_nothing: Callable[[], None]
    ) -> None:
        self.count = 0
        self._watched = watched
        self._say_nothing = say_nothing
        self._encoder = encoder
        self._at_once_from_s = time.monotonic() + gather_s
        self._chunks: list[bytes] = []
        self._size_bytes = 0

    def put(self, record: Record) -> None:
        """Takes one record; on a terminal it is shown at once, elsewhere when enough has gathered."""
        if isinstance(record, PositionalMessage):
            check_message(record)
        self.count += 1
        self._write(self._encoder.add(record))
        if self._watched and time.monotonic() >= self._at_once_from_s:
            self.flush()

    def put_all(self, records: Iterable[Record]) -> None:
        """Takes all; if reading them fails, those before it are shown all the same."""
        try:
            for record in records:
                self.put(record)
        except MsgStoreError:
            self.flush()
            raise
        self.end()

    def flush(self) -> None:
        """On return everything that was put is in the hands of whoever reads stdout."""
        self._write(self._encoder.release())
        self._send()
        sys.stdout.buffer.flush()

    def end(self) -> None:
        """After the last record; on a terminal an empty result is said to be one."""
        if self._watched and not self.count:
            self._say_nothing()
        self._write(self._encoder.release() + self._encoder.end())
        self._send()
        sys.stdout.buffer.flush()

    def _write(self, data: bytes) -> None:
        if data:
            self._chunks.append(data)
            self._size_bytes += len(data)
            if self._size_bytes >= _CHUNK_BYTES:
                self._send()

    def _send(self) -> None:
        chunks, self._chunks, self._size_bytes = self._chunks, [], 0
        rest = memoryview(b"".join(chunks))
        while rest:  # under PYTHONUNBUFFERED one write may take only a part
            rest = rest[sys.stdout.buffer.write(rest) :]


def records_output(settings: Settings, shape: Shape) -> Output:
    """For any number of records: `json` is one array."""
    return _output(settings, shape, settings.output_format("table"), alone=False)


def record_output(settings: Settings, shape: Shape, on_terminal: str = "table") -> Output:
    """For exactly one: `json` is one object, and a table sets one fact a line."""
    return _output(settings, shape, settings.output_format(on_terminal), alone=True)


def _output(settings: Settings, shape: Shape, form: str, alone: bool) -> Output:
    watched = sys.stdout.isatty()
    pick = Picker(settings.fields, shape) if settings.fields else None
    encoder: Encoder
    if form in ("table", "wide"):
        from msgstore.cli.render.tables import table_encoder

        encoder = table_encoder(settings, shape, pick, wide=form == "wide", alone=alone)
    elif form == "pretty" and settings.colored:
        from msgstore.cli.render.pretty import ColoredJson

        encoder = ColoredJson(settings, pick)
    else:
        encoder = _plain_encoder(form, shape, pick, watched, alone)
    gather_s = _TABLE_GATHER_S if form in ("table", "wide") else 0.0
    return Output(encoder, watched, gather_s, lambda: settings.say(f"no {shape.name}s"))


def _plain_encoder(
    form: str, shape: Shape, pick: Picker | None, watched: bool, alone: bool
) -> Encoder:
    from msgstore.cli import encoders

    if form == "csv":
        return encoders.Csv(pick.paths if pick else shape.paths, pick, watched)
    if form == "raw":
        if "message.data" not in shape.paths:
            raise BadUsage("-o raw prints the data of messages; this has none", "-o jsonl")
        return encoders.Raw(pick, watched)
    if form == "pretty":
        return encoders.Pretty(pick, watched)
    if form == "json" and not alone:
        return encoders.JsonArray(pick, watched)
    return encoders.JsonLines(pick, watched)
